"""One scan of a category, before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class ScanEntry:
    """Where a scan of a category lies, and what its place says of it.

    Attributes
    ----------
    path : Path
    split : "train", "validation" or "test"
    defect : str
        Kind of defect; "" for a good part.
    image : Path, or None
        RGB image registered to the scan.
    ground_truth : Path, or None
        Mask or list of labelled points.
    key : str
        Its name in results, such as "bent/000": the path below its split's folder, without the ending and without the
        ``xyz`` level. Unique within a split.
    """

    path: Path
    split: Split
    defect: str
    image: Path | None
    ground_truth: Path | None
    key: str
