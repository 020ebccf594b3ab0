"""The verbs of the command line. They call the same core as the window."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.benchmark_verb import add_benchmark_verb
from app.chunks_verb import add_chunks_verb
from app.combine_verb import add_combine_verb, add_model_option, chosen_model
from app.console import Console
from app.evaluate_verb import add_evaluate_verb
from app.train_verb import add_train_verb
from app.weights_verb import add_weights_verb
from core.errors import ConfigError, NominalError
from core.progress import Cancelled
from core.version import VERSION

if TYPE_CHECKING:  # imported when a verb needs them: `--help` must not wait for torch
    from core.runtime import Runtime

ACCEPTED, ERROR, REJECTED, STOPPED = 0, 2, 3, 130
"""Exit statuses: all accepted; something could not be done; some rejected or for review; stopped by the user."""

UNITS = ("um", "mm", "cm", "m", "inch")


def main(argv: Sequence[str] | None = None) -> int:
    """Run Nominal with these arguments (the program's own if not given) and give its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        return _window_or_demo()
    options = _parser().parse_args(arguments)
    console = Console(as_json=options.json)
    try:
        verb: Callable[[argparse.Namespace, Console], int] = options.verb
        return verb(options, console)
    except NominalError as error:
        console.problem(f"Error: {error}")
        return ERROR
    except (Cancelled, KeyboardInterrupt):
        console.problem("Stopped. Nothing was left half-written.")
        return STOPPED


def _window_or_demo() -> int:
    """Open the window; where there is no display, do the demo's job without one."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        print("No display was found, so Nominal runs its demo without a window.")
        return main(["demo"])
    from app.application import main as open_window

    return open_window([])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nominal",
        description="3D surface inspection: learns good parts, shows where a scan departs from them. "
        "Without a verb it opens the window.",
        epilog="Exit status: 0 all parts accepted, 3 some rejected or for review, 2 error, 130 stopped.",
    )
    parser.add_argument("--version", action="version", version=f"Nominal {VERSION}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="results as one JSON object a line, no progress")
    computing = argparse.ArgumentParser(add_help=False)
    computing.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    computing.add_argument("--seed", type=int, default=0, help="of every random draw; default: %(default)s")

    def verb(
        name: str, run: Callable[..., int], help: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help, description=help, parents=[common, *parents])
        added.set_defaults(verb=run)
        return added

    add_train_verb(verbs, common, computing, UNITS)

    inspect = verb("inspect", _inspect, "Judge scans with a model and write reports.", computing)
    add_model_option(inspect)
    inspect.add_argument(
        "paths", type=Path, nargs="+", metavar="PATH", help="a scan, or a folder that is searched through"
    )
    inspect.add_argument(
        "--out", type=Path, metavar="DIR", help="where the reports go; without it only verdicts are shown"
    )
    inspect.add_argument(
        "--format",
        default="ply,json,csv",
        help="of ply, json, csv, npz, and reconstruction for methods that reconstruct the part; default: %(default)s",
    )
    inspect.add_argument("--part-threshold", type=float, help="instead of the calibrated one")
    inspect.add_argument("--point-threshold", type=float, help="instead of the calibrated one")
    inspect.add_argument(
        "--without-image",
        action="store_true",
        help="judge scans that lack the image which the model was trained with by shape alone, "
        "by the thresholds of that mode",
    )

    add_combine_verb(verbs, common, computing)
    add_evaluate_verb(verbs, common, computing, UNITS)
    add_benchmark_verb(verbs, common, computing, UNITS)

    demo = verb("demo", _demo, "Make a demo category, inspect its test scans and write reports.", computing)
    demo.add_argument("--category", help="which one (`info` lists them); default: the one that the window opens")
    demo.add_argument("--out", type=Path, metavar="DIR", help="where the reports go; default: in your data folder")

    pretrain = verb("pretrain", _pretrain, "Pretrain a backbone on data made by formula, on the fly.", computing)
    pretrain.add_argument(
        "--architecture",
        choices=("point_mae", "resnet18", "wide_resnet50_2", "pointnet_sdf", "dus_net"),
        default="point_mae",
        help="the network; default: %(default)s",
    )
    pretrain.add_argument("--out", type=Path, required=True, metavar="FILE", help="the weights to write (.safetensors)")
    pretrain.add_argument("--minutes", type=float, default=60.0, help="how long to train; default: %(default)s")
    pretrain.add_argument("--batch", type=int, default=32, help="samples a step; default: %(default)s")
    pretrain.add_argument("--mix", type=Path, metavar="FILE", help="for clouds: an .npz of shapes to mix in")
    pretrain.add_argument(
        "--size", type=int, default=112, help="for images: pixels on a side that the network sees; default: %(default)s"
    )
    pretrain.add_argument("--resume", type=Path, metavar="FILE", help="a checkpoint of an earlier run to go on from")

    add_weights_verb(verbs, common, computing, UNITS)
    add_chunks_verb(verbs, common, UNITS)

    info = verb("info", _info, "Tell what this Nominal can do, or what a model file holds.")
    info.add_argument("file", type=Path, nargs="?", help="a .nominal file")
    return parser


def _runtime(options: argparse.Namespace) -> Runtime:
    from core.runtime import Runtime

    return Runtime.choose(options.device, seed=options.seed)


def _inspect(options: argparse.Namespace, console: Console) -> int:
    from app.batch import inspect_paths

    formats = _formats(options.format) if options.out else ()
    model = chosen_model(options.model, _runtime(options), console)
    chosen = {"point": options.point_threshold, "part": options.part_threshold}
    by_hand = {name: value for name, value in chosen.items() if value is not None}
    return inspect_paths(model, options.paths, by_hand, options.out, formats, console, reduced=options.without_image)


def _formats(text: str) -> tuple[str, ...]:
    from core.reporting.formats import ALL_FORMATS

    formats = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in formats if name not in ALL_FORMATS]
    if unknown or not formats:
        raise ConfigError(
            f"--format {text} is not understood", f"Give one or more of {', '.join(ALL_FORMATS)}, with commas"
        )
    return formats


def _demo(options: argparse.Namespace, console: Console) -> int:
    from app.batch import inspect_paths
    from core import workflow
    from core.demo import FIRST_CATEGORY, ensure_demo
    from core.folders import data_folder
    from core.reporting.export import FORMATS
    from core.store.library import Library

    runtime = _runtime(options)
    name = options.category or FIRST_CATEGORY
    with console.progress("Demo") as progress:
        category, path = ensure_demo(Library(), runtime, progress, name)
    model = workflow.load(path, runtime)
    out = options.out or data_folder() / "results" / name
    status = inspect_paths(model, [category.root / "test"], {}, out, FORMATS, console)
    console.say(f"The scans lie in {category.root}, the model is {path}, the results lie in {out}.")
    return ERROR if status == ERROR else ACCEPTED


def _pretrain(options: argparse.Namespace, console: Console) -> int:
    from core.backbones.down_up.pretraining import pretrain_dus_net
    from core.backbones.pretrain_image import pretrain_image
    from core.backbones.pretrain_point import pretrain_point
    from core.pipelines.iaenet.sdf_pretraining import pretrain_sdf

    if options.architecture not in ("point_mae", "dus_net") and options.mix is not None:
        raise ConfigError("--mix holds shapes that only point_mae and dus_net learn from", "Leave --mix out")
    with console.progress("Pretraining") as progress:
        common = {
            "minutes": options.minutes,
            "batch": options.batch,
            "seed": options.seed,
            "runtime": _runtime(options),
            "resume": options.resume,
            "progress": progress,
        }
        if options.architecture == "point_mae":
            card = pretrain_point(options.out, mix=options.mix, **common)
        elif options.architecture == "dus_net":
            card = pretrain_dus_net(options.out, mix=options.mix, **common)
        elif options.architecture == "pointnet_sdf":
            card = pretrain_sdf(options.out, **common)
        else:
            card = pretrain_image(options.out, architecture=options.architecture, size=options.size, **common)
    console.result({"weights": str(options.out), "card": card}, f"{options.out} written.")
    return ACCEPTED


def _info(options: argparse.Namespace, console: Console) -> int:
    if options.file is not None:
        return _model_info(options.file, console)
    from core.datasets.demo import demo_categories
    from core.folders import data_folder
    from core.pipelines.registry import pipeline_class, pipeline_ids
    from core.runtime import Runtime

    record: dict[str, object] = {"version": VERSION, "device": Runtime.choose().title, "data": str(data_folder())}
    lines = [f"Nominal {VERSION}, {record['device']}, your data in {record['data']}"]
    lines.append(f"Demo categories: {', '.join(demo_categories())}")
    pipelines = {}
    for pipeline_id in pipeline_ids():
        cls = pipeline_class(pipeline_id)
        lines.append(
            f"\n{pipeline_id}: {cls.title}. {cls.summary}\n  {cls.paper}\n  presets: {', '.join(cls.Config.PRESETS)}"
        )
        settings = cls.Config.settings()
        for spec in settings:
            unit = f" {spec.unit}" if spec.unit else ""
            lines.append(f"  {spec.name} = {spec.default}{unit}: {spec.help}")
        pipelines[pipeline_id] = {spec.name: spec.default for spec in settings}
    record["pipelines"] = pipelines
    console.result(record, "\n".join(lines))
    return ACCEPTED


def _model_info(path: Path, console: Console) -> int:
    import dataclasses

    from core.inspection.acquisition import UsualAcquisition
    from core.inspection.calibration import Calibration
    from core.store.model_file import load_model

    stored = load_model(path)
    calibration = Calibration.from_state(stored.calibration)
    card = dataclasses.asdict(stored.card)
    record = {**card, "part_threshold": calibration.part_threshold, "point_threshold": calibration.point_threshold}
    usual = UsualAcquisition.from_mapping(stored.card.acquisition, stored.card.unit)
    shown = record | {"acquisition": "not known" if usual is None else usual.text}
    text = "\n".join(f"{key:16} {value}" for key, value in shown.items())
    console.result(record, f"{text}\ncalibration      {calibration.advice}")
    return ACCEPTED
