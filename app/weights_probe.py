"""The action ``weights probe``: what features are worth on labelled parts, as a table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.console import Console
from core.errors import ConfigError
from core.files import check_writable
from core.progress import Progress

if TYPE_CHECKING:  # imported when it runs: `--help` must not wait for torch
    from core.backbones.feature_names import FeatureChoice
    from core.datasets.category import Category
    from core.evaluation.feature_probe import FeatureRow
    from core.runtime import Runtime

ACCEPTED = 0

Modality = Literal["rgb", "rendered", "points"]
MODALITIES: tuple[Modality, ...] = ("rgb", "rendered", "points")


def probe_weights(options: argparse.Namespace, console: Console) -> int:
    """Run the probe and write its table."""
    from core.evaluation.probe_table import mean_table
    from core.runtime import Runtime

    if options.out is not None:
        if options.out.suffix not in (".json", ".md"):
            raise ConfigError(f"--out {options.out} is not understood", "Give a file that ends in .json or .md")
        check_writable(options.out)
    runtime = Runtime.choose(options.device, seed=options.seed)
    rows: list[FeatureRow] = []
    with console.progress("Probing") as progress:
        categories = _categories(options.category, progress.part(0.0, 0.1, "Finding the parts"))
        for i, category in enumerate(categories):
            step = progress.part(0.1 + 0.9 * i / len(categories), 0.1 + 0.9 * (i + 1) / len(categories), category.name)
            for row in _of_category(category, options, runtime, step):
                console.result(_record(row), _text(_record(row)))
                rows.append(row)
    console.say(f"\n{mean_table(rows, markdown=False)}")
    if options.out is not None:
        _write(options.out, rows)
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
        "o_auroc": _rounded(row.o_auroc),
        "p_auroc": _rounded(row.p_auroc),
        "aupro": _rounded(row.aupro),
        "seconds": round(row.seconds, 4),
        "channels": row.channels,
        "normalisation": row.normalisation,
        "train": row.train,
        "test": row.test,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _text(record: dict[str, Any]) -> str:
    """A line as soon as a row is known; the tables come at the end."""
    scores = (("O-AUROC", "o_auroc"), ("P-AUROC", "p_auroc"), ("AUPRO", "aupro"))
    worth = ", ".join(f"{title} {record[key]:.3f}" for title, key in scores if record[key] is not None)
    return f"{record['category']}, {record['modality']}, {record['features']}: {worth}, {record['seconds']:.2f} s"


def _write(path: Path, rows: Sequence[FeatureRow]) -> None:
    from core.evaluation.probe_table import mean_table, probe_table
    from core.files import written_whole

    text = json.dumps([_record(row) for row in rows], indent=1)
    if path.suffix == ".md":
        text = f"{mean_table(rows)}\n\n{probe_table(rows)}"
    with written_whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
