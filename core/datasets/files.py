"""Which files of a folder are scans, and what their results are called."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath

from core.errors import CategoryError, ScanError
from core.formats.arrays import npz_names
from core.formats.ply_header import read_header
from core.formats.reader import SUFFIXES, is_scan_file
from core.formats.text import holds_numbers

_NO_SCANS = {"rgb", "gt", "ground_truth", "calibration"}
_RESULT_TABLE = re.compile(rb"scan,.*\bverdict\b")


def natural(path: PurePath | str) -> tuple[object, ...]:
    """A sort key by which ``part2`` comes before ``part10``."""
    words = re.split(r"(\d+)", str(path).lower())
    return (*((int(w), "") if w.isdigit() else (0, w) for w in words), str(path))


def is_result(path: Path) -> bool:
    """Whether a file with a scan's ending is what Nominal wrote about a scan: an annotated PLY, scores, a table."""
    suffix = path.suffix.lower()
    if suffix == ".ply":
        try:
            vertex = read_header(path).element("vertex")
        except ScanError:
            return False
        return vertex is not None and any(p.name == "scalar_anomaly_score" for p in vertex.properties)
    if suffix == ".npz":
        return "object_score" in npz_names(path)
    if suffix == ".csv":
        try:
            with path.open("rb") as file:
                return _RESULT_TABLE.match(file.readline(4096)) is not None
        except OSError:
            return False
    return False


def is_scan(path: Path) -> bool:
    """Whether a file is meant as a scan: its ending is one, and it is neither prose (a readme.txt) nor a result."""
    if not is_scan_file(path) or is_result(path):
        return False
    return path.suffix.lower() not in (".txt", ".csv") or holds_numbers(path)


def scans_in(folder: Path) -> list[Path]:
    """The scans that lie directly in a folder, or in its ``xyz`` folder, in natural order."""
    level = subfolders(folder).get("xyz", folder)
    try:
        return sorted((p for p in level.iterdir() if p.is_file() and is_scan(p)), key=lambda p: natural(p.name))
    except OSError as error:
        raise CategoryError(
            f"The folder {level} cannot be read ({error.strerror or error})", "Check that you may open it"
        ) from error


def subfolders(folder: Path) -> dict[str, Path]:
    """Folders in a folder by lower-case name, in natural order; none that are hidden."""
    try:
        found = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    except OSError as error:
        raise CategoryError(
            f"The folder {folder} cannot be read ({error.strerror or error})", "Check that you may open it"
        ) from error
    return {p.name.lower(): p for p in sorted(found, key=lambda p: natural(p.name))}


def keys_of(paths: Iterable[Path], folder: Path) -> list[str]:
    """What the results of scans below a folder are called: their path without ending and without the ``xyz`` level.

    Scans whose keys would be the same (``a.ply`` and ``a.pcd``) keep their endings and levels.
    """
    relative = [path.relative_to(folder) for path in paths]
    keys = [PurePath(*(part for part in r.parent.parts if part.lower() != "xyz"), r.stem).as_posix() for r in relative]
    # Compared without case, as some file systems would write both to one file.
    count = Counter(key.lower() for key in keys)
    return [key if count[key.lower()] == 1 else r.as_posix() for key, r in zip(keys, relative, strict=True)]


def scan_paths(folder: Path) -> list[tuple[Path, str]]:
    """Every scan below a folder with its key, in natural order; for a file, that file.

    Images, ground truth, calibration, text without numbers and results of earlier inspections are passed over.

    Raises
    ------
    ScanError
        If the path does not exist.
    CategoryError
        If there is no scan below the folder.
    """
    folder = Path(folder)
    if not folder.exists():
        raise ScanError(f"{folder} does not exist", "Check the path")
    if not folder.is_dir():
        return [(folder, folder.stem)]
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name.lower() not in _NO_SCANS and not name.startswith(".")]
        found += [path for name in files if is_scan(path := Path(place) / name)]
    if not found:
        raise no_scans(folder)
    found.sort(key=lambda path: natural(path.relative_to(folder).as_posix()))
    return list(zip(found, keys_of(found, folder), strict=True))


def no_scans(folder: Path) -> CategoryError:
    """The error of a folder without scans."""
    return CategoryError(f"The folder {folder} holds no scans", f"Choose one with scans ({', '.join(SUFFIXES)})")
