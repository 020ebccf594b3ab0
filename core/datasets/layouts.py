"""How folders of parts are laid out: Nominal's own, MVTec 3D-AD, Eyecandies, Real3D-AD, Anomaly-ShapeNet, plain ones.

Each layout is a function that gives a folder's entries, or None if the folder is not laid out so. A new layout is one
more function in ``LAYOUTS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.datasets.entry import ScanEntry, Split
from core.datasets.files import keys_of, natural, scans_in, subfolders
from core.formats.depth_image import ENDING, is_depth_image
from core.formats.images import is_blank

GOOD = {"good", "ok"}
_SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}


@dataclass
class Found:
    """What a layout found in a folder."""

    layout: str
    entries: list[ScanEntry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _split_folder(folder: Path, split: Split) -> Path | None:
    children = subfolders(folder)
    return next((children[name] for name in _SPLIT_NAMES[split] if name in children), None)


def _entries(folder: Path, base: Path, split: Split, defect: str) -> list[ScanEntry]:
    """The scans of one folder, with the images and masks that MVTec 3D-AD puts beside its ``xyz`` folder."""
    paths = scans_in(folder)
    beside = subfolders(folder) if paths and paths[0].parent != folder else {}

    def partner(name: str, scan: Path) -> Path | None:
        path = beside[name] / f"{scan.stem}.png" if name in beside else None
        return path if path is not None and path.is_file() else None

    return [
        ScanEntry(path, split, defect, partner("rgb", path), partner("gt", path), key)
        for path, key in zip(paths, keys_of(paths, base), strict=True)
    ]


def splits(folder: Path, name: str) -> Found | None:
    """``train``, ``validation``, ``test``, each with ``good`` and the kinds of defect: Nominal's and MVTec 3D-AD's."""
    train = _split_folder(folder, "train")
    if train is None:
        return None
    found = Found("nominal")
    for split in _SPLIT_NAMES:
        place = _split_folder(folder, split)
        if place is None:
            continue
        direct = _entries(place, place, split, "")
        if direct and split == "test":
            found.warnings.append(
                f"{_count(len(direct), 'test scan')} in no folder of good parts or of a kind of defect were left out"
            )
        else:
            found.entries += direct
        for child, path in subfolders(place).items():
            good = child in GOOD
            if child == "xyz":
                continue
            entries = _entries(path, place, split, "" if good else path.name)
            if not good and split == "train" and entries:  # labelled validation parts help to choose
                found.warnings.append(f"{_count(len(entries), 'scan')} in {split}/{path.name} were left out: not good")
                continue
            found.entries += entries
    if any(entry.path.parent.name.lower() == "xyz" for entry in found.entries):
        found.layout = "mvtec3d"
    return found if any(entry.split == "train" for entry in found.entries) else None


def benchmark(folder: Path, name: str) -> Found | None:
    """Real3D-AD and Anomaly-ShapeNet: flat ``train`` and ``test`` folders, the kind of part in the file's name.

    Train on ``*template*`` (or prototype) files; a test scan is good if its name says "good" (Real3D-AD) or "positive"
    (Anomaly-ShapeNet), templates are no test scans, and ground truth lies in ``gt`` as a list of labelled points.
    """
    train, test = _split_folder(folder, "train"), _split_folder(folder, "test")
    if train is None or test is None:
        return None
    tests = [path for path in scans_in(test) if "temp" not in path.stem.lower()]
    trains = scans_in(train)
    # The name of the file alone: a root folder called "good parts" says nothing.
    shapenet = any("positive" in path.stem.lower() for path in tests)
    real3d = any("good" in path.stem.lower() for path in tests)
    gt = subfolders(folder).get("gt")
    if not trains or not tests or not (shapenet or real3d or gt is not None):
        return None
    found = Found("anomaly_shapenet" if shapenet or (gt is not None and gt.name == "GT") else "real3d_ad")
    templates = [p for p in trains if re.search("template|prototype", p.stem, re.IGNORECASE)] or trains
    if len(templates) < len(trains):
        found.warnings.append(
            f"{_count(len(trains) - len(templates), 'train scan')} left out, as their names are no template's"
        )
    for path, key in zip(templates, keys_of(templates, train), strict=True):
        found.entries.append(ScanEntry(path, "train", "", None, None, key))
    truths = {p.stem.lower(): p for p in gt.iterdir() if p.suffix.lower() in (".txt", ".csv")} if gt is not None else {}
    for path, key in zip(tests, keys_of(tests, test), strict=True):
        good = "positive" in path.stem.lower() or "good" in path.stem.lower()
        truth = None if good else truths.get(path.stem.lower())
        found.entries.append(ScanEntry(path, "test", "" if good else _defect(path.stem, name), None, truth, key))
    return found


def _defect(stem: str, category: str) -> str:
    """The kind of defect in a benchmark's file name: ``12_bulge_cut`` and ``ashtray0_bulge3`` are bulges."""
    plain = stem.lower().removeprefix(category.lower())
    words = [w for w in re.split(r"[^a-z]+", plain) if w and w not in ("cut", "copy")]
    return "_".join(words) or "defect"


def eyecandies(folder: Path, name: str) -> Found | None:
    """Eyecandies: ``train``, ``val`` and ``test_public``, each with one folder ``data`` of all files of all scans.

    A scan is ``NAME_depth.png``, its picture ``NAME_image_0.png`` (all lights). What is defective, and how, the masks
    say that are not empty. ``test_private`` has no ground truth and is left out.
    """
    children = subfolders(folder)
    places: dict[Split, str] = {"train": "train", "validation": "val", "test": "test_public"}
    found = Found("eyecandies")
    for split, child in places.items():
        data = subfolders(children[child]).get("data") if child in children else None
        for path in scans_in(data) if data is not None else []:
            if is_depth_image(path):
                found.entries.append(_candy(path, split))
    if not any(entry.split == "train" for entry in found.entries):
        return None
    if "test_private" in children:
        found.warnings.append("The scans in test_private were left out: their ground truth is not public")
    return found


def _candy(path: Path, split: Split) -> ScanEntry:
    stem = path.name[: -len(ENDING)]

    def beside(what: str) -> Path | None:
        file = path.with_name(f"{stem}_{what}.png")
        return file if file.is_file() else None

    picture, mask = beside("image_0"), beside("mask")
    if split != "test" or mask is None or is_blank(mask):
        return ScanEntry(path, split, "", picture, None, stem)
    kinds = [k for k in ("bumps", "dents", "colors", "normals") if (m := beside(f"{k}_mask")) and not is_blank(m)]
    return ScanEntry(path, split, "_".join(kinds) or "defect", picture, mask, stem)


def good_folder(folder: Path, name: str) -> Found | None:
    """A folder ``good`` beside folders of defective parts."""
    children = subfolders(folder)
    good = next((children[child] for child in children if child in GOOD), None)
    if good is None or scans_in(folder):
        return None
    found = Found("good folder", _entries(good, folder, "train", ""))
    if not found.entries:
        return None
    for child, path in children.items():
        if child not in GOOD:
            found.entries += _entries(path, folder, "test", path.name)
    return found


def flat(folder: Path, name: str) -> Found | None:
    """A folder of good scans."""
    entries = _entries(folder, folder, "train", "")
    if not entries:
        return None
    found = Found("flat", entries)
    passed = [path.name for child, path in subfolders(folder).items() if child not in ("xyz", "rgb", "gt")]
    passed = [name for name in passed if scans_in(folder / name)]
    if passed:
        found.warnings.append(f"Scans in the folders below were left out: {', '.join(passed[:10])}")
    return found


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


LAYOUTS: tuple[Callable[[Path, str], Found | None], ...] = (eyecandies, benchmark, splits, good_folder, flat)
"""Tried in this order."""


def detect(folder: Path, name: str) -> Found | None:
    """The first layout that fits, or None."""
    return next((found for layout in LAYOUTS if (found := layout(folder, name)) is not None), None)


def categories_below(folder: Path) -> list[str]:
    """Names of the folders in a folder that are categories themselves."""
    return sorted((path.name for path in subfolders(folder).values() if detect(path, path.name)), key=natural)
