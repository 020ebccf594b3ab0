"""Category: a kind of part, as a folder of its scans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from core.datasets.entry import SPLITS, ScanEntry, Split
from core.datasets.files import no_scans, scan_paths
from core.datasets.layouts import categories_below, detect
from core.errors import CategoryError, ScanError
from core.formats.reader import check_scan, has_labels, read_scan
from core.geometry.units import UNITS_IN_MM
from core.scan import Scan

__all__ = ["Category", "ScanEntry", "recognise", "scan_paths"]

_SMALLEST, _LARGEST = 1.0, 20_000.0
"""Part sizes, in mm, beyond which the unit is doubted."""

_FEW = 4
"""Fewer good scans than this are worth a warning: nothing is left to calibrate on."""


@dataclass(frozen=True)
class Category:
    """A kind of part: where its scans lie, and what their places say of them.

    Attributes
    ----------
    name : str
    root : Path
    layout : str
        "nominal", "mvtec3d", "eyecandies", "real3d_ad", "anomaly_shapenet", "good folder" or "flat".
    unit : str
        Unit of its scans.
    entries : tuple of ScanEntry
        In natural order within each split.
    warnings : tuple of str
        What the user should know before training.
    """

    name: str
    root: Path
    layout: str
    unit: str
    entries: tuple[ScanEntry, ...]
    warnings: tuple[str, ...] = ()

    def split(self, name: Split) -> tuple[ScanEntry, ...]:
        """The entries of one split."""
        return tuple(entry for entry in self.entries if entry.split == name)

    def good_train(self) -> tuple[ScanEntry, ...]:
        """The good scans to train on."""
        return tuple(entry for entry in self.split("train") if not entry.defect)

    @cached_property
    def labelled(self) -> bool:
        """Whether point-wise ground truth of defective test scans is known."""
        defective = [entry for entry in self.split("test") if entry.defect]
        if any(entry.ground_truth is not None for entry in defective):
            return True
        return bool(defective) and has_labels(defective[0].path)

    def load(self, entry: ScanEntry) -> Scan:
        """Read a scan, named by its key. A good test scan without ground truth has labels too: no point is defective.

        Raises
        ------
        ScanError
            If it cannot be read.
        """
        scan = read_scan(entry.path, unit=self.unit, image=entry.image, ground_truth=entry.ground_truth)
        labels = scan.labels
        if labels is None and entry.split == "test" and not entry.defect:
            labels = np.zeros(len(scan), bool)
        return scan.replaced(name=entry.key, labels=labels)


def recognise(folder: Path, *, unit: str = "mm", name: str | None = None) -> Category:
    """Find how a folder of parts is laid out.

    Every file's header is checked; files that cannot be read are left out with a warning. The first good scan is read,
    to see whether the unit is plausible.

    Raises
    ------
    CategoryError
        If the folder is no category: missing, without good scans, or a folder of categories (which are then listed).
    """
    folder = Path(folder)
    if unit not in UNITS_IN_MM:
        raise CategoryError(f"The unit {unit!r} is not known", f"Choose one of {', '.join(UNITS_IN_MM)}")
    if not folder.is_dir():
        raise CategoryError(
            f"{folder} is {'no folder' if folder.exists() else 'not there'}", "Choose a folder of scans of good parts"
        )
    name = name or folder.resolve().name
    found = detect(folder, name)
    if found is None:
        below = categories_below(folder)
        if below:
            listing = ", ".join(below[:30]) + (", ..." if len(below) > 30 else "")
            raise CategoryError(f"The folder {folder} is no category, but holds some", f"Choose one of them: {listing}")
        raise no_scans(folder)
    entries, broken = _readable(found.entries)
    warnings = [*found.warnings, *_listed(broken)]
    good = [entry for entry in entries if entry.split == "train" and not entry.defect]
    if not good:
        raise CategoryError(
            f"No good scan of {folder} can be read. {broken[0]}" if broken else f"{folder} holds no good scan",
            "Export the scans again, in a format that Nominal reads",
        )
    warnings += _doubts(entries, good, unit)
    order = {split: i for i, split in enumerate(SPLITS)}
    entries.sort(key=lambda entry: order[entry.split])  # stable: each split keeps its order
    return Category(name, folder, found.layout, unit, tuple(entries), tuple(warnings))


def _readable(entries: Sequence[ScanEntry]) -> tuple[list[ScanEntry], list[str]]:
    """The entries whose files are sound as far as their headers tell, and what is wrong with the others."""
    good, broken = [], []
    for entry in entries:
        try:
            check_scan(entry.path)
            good.append(entry)
        except ScanError as error:
            broken.append(error.problem)
    return good, broken


def _listed(broken: Sequence[str]) -> list[str]:
    shown = [f"Left out: {problem}" for problem in broken[:5]]
    if len(broken) > 5:
        shown.append(f"{len(broken) - 5} more scans were left out, as they cannot be read.")
    return shown


def _doubts(entries: Sequence[ScanEntry], good: Sequence[ScanEntry], unit: str) -> list[str]:
    """What is readable but looks wrong."""
    doubts = []
    if len(good) < _FEW:
        doubts.append(f"There are only {len(good)} good scans: thresholds cannot be calibrated on so few.")
    suffixes = Counter(entry.path.suffix.lower() for entry in entries)
    if len(suffixes) > 1:
        listing = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common())
        doubts.append(f"The scans are in different formats ({listing}); a part that lies there twice counts twice.")
    with_image = sum(entry.image is not None for entry in entries)
    if 0 < with_image < len(entries):
        doubts.append(f"Only {with_image} of {len(entries)} scans have an image.")
    defective = [entry for entry in entries if entry.defect]
    with_truth = sum(entry.ground_truth is not None for entry in defective)
    if 0 < with_truth < len(defective):
        doubts.append(f"Only {with_truth} of {len(defective)} defective scans have ground truth.")
    try:
        first = read_scan(good[0].path, unit=unit)
    except ScanError as error:
        return [*doubts, f"The first good scan cannot be used: {error.problem}"]
    size = first.diagonal * UNITS_IN_MM[unit]
    if not _SMALLEST <= size <= _LARGEST:
        doubts.append(
            f"The first good scan measures {first.diagonal:.3g} {unit} from corner to corner: is {unit} its unit?"
        )
    return doubts
