"""Demo categories as folders of scans, made once and kept in the user's data folder."""

from __future__ import annotations

import json
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from core.datasets.demo import flaws, plate, scanner
from core.datasets.demo.bracket import BRACKET
from core.datasets.demo.gear import GEAR
from core.datasets.demo.housing import HOUSING
from core.errors import CategoryError, OutputError
from core.files import written_whole
from core.folders import data_folder
from core.formats.ply_writer import write_ply
from core.progress import Progress
from core.scan import Scan

VERSION = 2
"""Raise it when the parts change: folders of an older version are made again."""

_SOLIDS = {solid.name: solid for solid in (BRACKET, HOUSING, GEAR)}
_STAMP = "demo.json"
_TRAIN, _VALIDATION, _GOOD, _EACH = 20, 5, 10, 3
_POINTS = {"plate": 97_200}
_USUAL_POINTS = 45_000


def demo_categories() -> tuple[str, ...]:
    """Names of the demo categories; the first is what a first start opens."""
    return (*_SOLIDS, "plate")


def demo_defects(name: str) -> tuple[str, ...]:
    """The kinds of defect that a demo category can have.

    Raises
    ------
    CategoryError
        If there is no such category.
    """
    _check(name)
    return plate.KINDS if name == "plate" else flaws.KINDS


def demo_folder() -> Path:
    """Where demo categories are kept: below ``$NOMINAL_DATA`` if that is set, else in the user's data folder."""
    return data_folder() / "demo"


def make_part(name: str, seed: int, defect: str | None = None, points: int = _USUAL_POINTS) -> Scan:
    """One scan of a demo part, with labels.

    Parameters
    ----------
    name : str
        One of ``demo_categories``.
    seed : int
        The same seed gives the same scan.
    defect : str, optional
        One of ``demo_defects``; None for a good part.
    points : int
        How many points (for the organised plate: about how many pixels), at least 1,000.

    Raises
    ------
    CategoryError
        If there is no such category or defect.
    """
    _check(name)
    if defect is not None and defect not in demo_defects(name):
        raise CategoryError(
            f"The demo part {name} has no defect {defect!r}", f"Choose among {', '.join(demo_defects(name))}"
        )
    if points < 1000:
        raise CategoryError(f"A demo scan of {points} points is too coarse", "Ask for at least 1,000 points")
    rng = np.random.default_rng([zlib.crc32(f"{name}/{defect or 'good'}".encode()), seed])
    title = f"{name} {defect or 'good'} {seed}"
    if name == "plate":
        return plate.scan_plate(defect, points, rng, title)
    return scanner.scan_solid(_SOLIDS[name], defect, points, rng, title)


def make_demo(name: str, root: Path | None = None, *, progress: Progress | None = None) -> Path:
    """The folder of a demo category, made if it is not there in this version.

    Parameters
    ----------
    root : Path, optional
        Where the category's folder lies or will lie; ``demo_folder()`` if not given.

    Returns
    -------
    Path
        A folder with ``train/good``, ``validation/good`` and ``test/<good or defect>``, each scan with its labels.

    Raises
    ------
    CategoryError
        If there is no such category.
    OutputError
        If the folder cannot be written.
    Cancelled
        Nothing is left behind.
    """
    _check(name)
    root = demo_folder() if root is None else root
    progress = progress or Progress()
    folder = root / name
    if _stamp(folder) == _wanted(name):
        return folder
    temporary: Path | None = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
        _fill(temporary, name, progress)
        (temporary / _STAMP).write_text(json.dumps(_wanted(name), indent=1), encoding="utf-8")
        temporary.chmod(0o755)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{name}-old-", dir=root))
            folder.rename(old / name)
            temporary.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.rename(folder)
    except OSError as error:
        if _stamp(folder) == _wanted(name):  # another program made it meanwhile
            return folder
        raise OutputError(
            f"The demo parts could not be written below {root} ({error.strerror or error})",
            "Set NOMINAL_DATA to a folder that you may write to and that has room",
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _fill(folder: Path, name: str, progress: Progress) -> None:
    """Write every scan of the category below ``folder``."""
    wanted: list[tuple[str, str | None, int]] = [("train/good", None, i) for i in range(_TRAIN)]
    wanted += [("validation/good", None, 1000 + i) for i in range(_VALIDATION)]
    wanted += [("test/good", None, 2000 + i) for i in range(_GOOD)]
    for kind in demo_defects(name):
        wanted += [(f"test/{kind}", kind, 3000 + i) for i in range(_EACH)]
    numbers: dict[str, int] = {}
    for place, defect, seed in progress.over(wanted, f"Making demo {name}, scan {{i}} of {{n}}"):
        points = _POINTS.get(name, _USUAL_POINTS)
        if name != "plate":  # a sensor never gives the same number twice; a camera does
            points = int(points * np.random.default_rng([seed, 1]).uniform(0.92, 1.08))
        scan = make_part(name, seed, defect, points)
        number = numbers[place] = numbers.get(place, -1) + 1
        _write(folder / place, number, scan)


def _write(folder: Path, number: int, scan: Scan) -> None:
    """A cloud as PLY, an organised scan as NPZ, each with its labels."""
    assert scan.labels is not None
    if scan.grid is None or scan.image is None:
        write_ply(
            folder / f"{number:03d}.ply",
            scan.points,
            normals=scan.normals,
            fields={"scalar_label": scan.labels},
            comments=(f"Nominal demo part: {scan.name}", f"unit {scan.unit}"),
        )
        return
    arrays: dict[str, Any] = {"points": scan.points, "labels": scan.labels, "unit": np.array(scan.unit)}
    with written_whole(folder / f"{number:03d}.npz") as temporary:
        np.savez_compressed(temporary, grid=scan.grid, image=scan.image, **arrays)


def _wanted(name: str) -> dict[str, Any]:
    return {"name": name, "unit": "mm", "version": VERSION, "generator": "nominal demo"}


def _stamp(folder: Path) -> dict[str, Any] | None:
    """What ``folder`` says it holds, or None if it is no finished demo folder."""
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def _check(name: str) -> None:
    if name not in demo_categories():
        raise CategoryError(f"There is no demo category {name!r}", f"Choose among {', '.join(demo_categories())}")
