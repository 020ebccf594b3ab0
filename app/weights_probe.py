"""The action ``weights probe``: what features are worth on labelled parts, as a table."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from app.console import Console
from core.errors import ConfigError
from core.progress import Progress

if TYPE_CHECKING:  # imported when it runs: `--help` must not wait for torch
    from core.backbones.feature_names import FeatureChoice
    from core.datasets.category import Category
    from core.evaluation.feature_probe import FeatureRow
    from core.runtime import Runtime

ACCEPTED = 0

Modality = Literal["rgb", "rendered", "points"]
MODALITIES: tuple[Modality, ...] = ("rgb", "rendered", "points")
_COLUMNS = ("O-AUROC", "P-AUROC", "AUPRO", "s/scan", "channels")


def probe_weights(options: argparse.Namespace, console: Console) -> int:
    """Run the probe and write its table."""
    from core.runtime import Runtime

    if options.out is not None and options.out.suffix not in (".json", ".md"):
        raise ConfigError(f"--out {options.out} is not understood", "Give a file that ends in .json or .md")
    runtime = Runtime.choose(options.device, seed=options.seed)
    rows: list[FeatureRow] = []
    with console.progress("Probing") as progress:
        categories = _categories(options.category, progress.part(0.0, 0.1, "Finding the parts"))
        console.say(_laid_out("part", "modality", "features", _COLUMNS))
        for i, category in enumerate(categories):
            step = progress.part(0.1 + 0.9 * i / len(categories), 0.1 + 0.9 * (i + 1) / len(categories), category.name)
            for row in _of_category(category, options, runtime, step):
                console.result(_record(row), _text(_record(row)))
                rows.append(row)
    means = _means(rows)
    if len(categories) > 1 and not options.json:
        console.say("\nMean over the parts:")
        for record in means:
            console.say(_text(record))
    if options.out is not None:
        _write(options.out, [_record(row) for row in rows], means)
    return ACCEPTED


def _of_category(
    category: Category, options: argparse.Namespace, runtime: Runtime, progress: Progress
) -> Iterator[FeatureRow]:
    """The rows of one category, as they come. Its scans are read and made ready once."""
    from core.evaluation.feature_probe import probe_images, probe_points
    from core.evaluation.probe_scans import probe_scans

    reading = progress.part(0.0, 0.25)
    scans = probe_scans(category, runtime, train=options.limit, test=options.limit, progress=reading)
    modalities = (options.modality,) if options.modality else MODALITIES
    modalities = tuple(m for m in modalities if m != "rgb" or options.modality or scans.photographed)
    for i, modality in enumerate(modalities):
        names = _named(options.features) or candidates(modality)
        start = 0.25 + 0.75 * i / len(modalities)
        step = progress.part(start, start + 0.75 / len(modalities), modality)
        if modality == "points":
            yield from probe_points(scans, names, runtime, progress=step)
        else:
            yield from probe_images(scans, names, runtime, modality=modality, progress=step)


def candidates(modality: Modality) -> tuple[str, ...]:
    """The names of all features that this computer has for a modality, without what ``auto`` means.

    Random networks are there to compare with: ResNet-18's and Point-MAE's always, others where their weights are.
    """
    from core.backbones.image_features import image_feature_choices
    from core.backbones.point_features import point_feature_choices
    from core.backbones.weights import available_weights

    choices: Sequence[FeatureChoice] = point_feature_choices() if modality == "points" else image_feature_choices()
    here = {w.architecture for w in available_weights()} | {"resnet18", "point_mae"}
    named = [choice.name for choice in choices if choice.available and not choice.name.startswith("auto")]
    return tuple(name for name in named if not name.startswith("random:") or name.removeprefix("random:") in here)


def _named(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _categories(named: Sequence[str], progress: Progress) -> list[Category]:
    from core.datasets.category import recognise
    from core.datasets.demo import demo_categories, demo_folder, make_demo

    if named:
        return [recognise(folder, unit=unit) for folder, unit in map(_place, named)]
    names = demo_categories()
    made = []
    for i, name in enumerate(names):
        folder = make_demo(name, demo_folder(), progress=progress.part(i / len(names), (i + 1) / len(names)))
        made.append(recognise(folder, unit="mm", name=name))
    return made


def _place(text: str) -> tuple[Path, str]:
    """A folder and its unit: ``DIR:UNIT`` or ``DIR``. A colon within the folder's own path is left alone."""
    from core.geometry.units import UNITS_IN_MM

    folder, colon, unit = text.rpartition(":")
    return (Path(folder), unit) if colon and unit in UNITS_IN_MM else (Path(text), "mm")


def _record(row: FeatureRow) -> dict[str, Any]:
    return {
        "category": row.category,
        "modality": row.modality,
        "features": row.features,
        "o_auroc": _number(row.o_auroc),
        "p_auroc": _number(row.p_auroc),
        "aupro": _number(row.aupro),
        "seconds": _number(row.seconds),
        "channels": row.channels,
        "train": row.train,
        "test": row.test,
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 4)


def _text(record: dict[str, Any]) -> str:
    return _laid_out(record["category"], record["modality"], record["features"], _cells(record))


def _laid_out(category: str, modality: str, features: str, cells: Sequence[str]) -> str:
    return f"{category:<14} {modality:<9} {features:<48} " + " ".join(f"{cell:>8}" for cell in cells)


def _cells(record: dict[str, Any]) -> list[str]:
    scores = [f"{record[key]:.3f}" if record[key] is not None else "-" for key in ("o_auroc", "p_auroc", "aupro")]
    seconds = f"{record['seconds']:.2f}" if record["seconds"] is not None else "-"
    return [*scores, seconds, str(record["channels"])]


def _means(rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
    """One record for each modality and features, in order, averaged over the categories that both were measured on."""
    means = []
    for modality, features in dict.fromkeys((row.modality, row.features) for row in rows):
        same = [_record(row) for row in rows if (row.modality, row.features) == (modality, features)]
        record: dict[str, Any] = {"category": "mean", "modality": modality, "features": features}
        for key in ("o_auroc", "p_auroc", "aupro", "seconds"):
            values = [cast(float, one[key]) for one in same if one[key] is not None]
            record[key] = round(sum(values) / len(values), 4) if values else None
        means.append({**record, "channels": same[0]["channels"]})
    return means


def _write(path: Path, records: list[dict[str, Any]], means: list[dict[str, Any]]) -> None:
    from core.files import written_whole

    if path.suffix == ".json":
        text = json.dumps({"rows": records, "means": means}, indent=1) + "\n"
    else:
        head = "| part | modality | features | " + " | ".join(_COLUMNS) + " |\n|---|---|---|" + "---:|" * len(_COLUMNS)
        lines = [
            f"| {r['category']} | {r['modality']} | {r['features']} | {' | '.join(_cells(r))} |"
            for r in (*records, *means)
        ]
        text = "\n".join([head, *lines]) + "\n"
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
