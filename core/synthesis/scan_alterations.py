"""What else can happen to a scan between the part and the model: noise, fewer points, holes, another pose or scanner.

Labels go with their points. Organised scans stay organised: thinned by rows and columns, turned in quarter turns about
the sensor's axis, since a sensor sees no back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from core.scan import Scan

Points = NDArray[np.float32]

_HOLES = 4
"""Into which the missing share is divided."""


@dataclass(frozen=True)
class AlterationKind:
    """A way in which a scan can be altered.

    Attributes
    ----------
    key, title : str
    level_title : str
        What its level means.
    levels : tuple of float
        To try, the mildest first.
    none : float
        The level of an unaltered scan.
    """

    key: str
    title: str
    level_title: str
    levels: tuple[float, ...]
    none: float


KINDS = (
    AlterationKind(
        "noise", "Noise", "standard deviation, shares of half the diagonal", (0.001, 0.003, 0.005, 0.009), 0.0
    ),
    AlterationKind("downsampling", "Down-sampling", "share of points kept", (1 / 2, 1 / 4, 1 / 8), 1.0),
    AlterationKind("missing", "Missing patches", "share of points missing", (0.05, 0.1, 0.2, 0.3), 0.0),
    AlterationKind("pose", "Pose", "degrees turned", (30.0, 60.0, 90.0, 135.0, 180.0), 0.0),
    AlterationKind("density", "Other scanner", "density, line by line if sparser", (2.0, 1 / 2, 1 / 4, 1 / 8), 1.0),
)
"""Noise and down-sampling by the levels of DUS-Net's Table 9, which leaves open what its deviations are shares of."""


def altered_scan(scan: Scan, kind: str, level: float, rng: np.random.Generator) -> Scan | None:
    """A scan as it would be after an alteration; None where a scan of this sort cannot be altered so.

    Parameters
    ----------
    scan : Scan
    kind : str
        Key of one of ``KINDS``.
    level : float
    rng : Generator

    Raises
    ------
    KeyError
        If there is no such kind.
    """
    return _WAYS[kind](scan, level, rng)


def noisy(scan: Scan, deviation: float, rng: np.random.Generator) -> Scan:
    """Gaussian noise on every coordinate; measured normals are forgotten, as they would be measured anew."""
    spread = deviation * scan.diagonal / 2
    noise = spread * rng.standard_normal(scan.points.shape)
    return scan.replaced(points=(scan.points + noise).astype(np.float32), normals=None)


def thinned(scan: Scan, share: float, rng: np.random.Generator) -> Scan:
    """A share of the points by chance; of organised scans every so many columns and rows, in turn."""
    if scan.grid is not None:
        halvings = round(np.log2(1 / share))
        return _every(scan, 2 ** (halvings // 2), 2 ** (halvings - halvings // 2))
    keep = np.sort(rng.choice(len(scan), max(1, round(share * len(scan))), replace=False))
    return _of(scan, keep)


def with_holes(scan: Scan, share: float, rng: np.random.Generator) -> Scan:
    """Without the points about a few good points, as of shadows and glare. Defects stay: a part keeps its truth."""
    size = max(1, round(share * len(scan) / _HOLES))
    labels = scan.labels if scan.labels is not None else np.zeros(len(scan), bool)
    good = np.flatnonzero(~labels)
    gone = np.zeros(len(scan), bool)
    tree = cKDTree(scan.points)
    for _ in range(_HOLES):
        left = good[~gone[good]]
        if len(left) <= size:
            break
        gone[tree.query(scan.points[rng.choice(left)], k=size)[1]] = True
    gone[labels] = False
    return scan.select(~gone) if scan.grid is not None else _of(scan, np.flatnonzero(~gone))


def turned(scan: Scan, degrees: float, rng: np.random.Generator) -> Scan | None:
    """Turned about its middle, by chance about any axis; organised scans about the sensor's, with their picture."""
    if scan.grid is not None:
        quarters = degrees / 90
        return _quarter_turned(scan, round(quarters)) if quarters == round(quarters) else None
    axis = rng.standard_normal(3)
    matrix = Rotation.from_rotvec(np.radians(degrees) * axis / np.linalg.norm(axis)).as_matrix()
    return _moved(scan, matrix)


def rescanned(scan: Scan, density: float, rng: np.random.Generator) -> Scan | None:
    """By another scanner: denser with points between neighbours, sparser along one direction, like a line scanner."""
    if density > 1:
        return None if scan.grid is not None else _denser(scan, density, rng)
    step = round(1 / density)
    if scan.grid is not None:
        return _every(scan, step, 1)
    low, high = scan.bounds
    axis = int(np.argmax(high - low))
    sample = scan.points[rng.choice(len(scan), min(len(scan), 2000), replace=False)]
    spacing = float(np.median(cKDTree(scan.points).query(sample, k=2)[0][:, 1])) or 1e-9
    line = ((scan.points[:, axis] - low[axis]) / spacing).astype(np.int64)
    keep = np.flatnonzero(line % step == 0)
    return _of(scan, keep) if len(keep) else None


_WAYS: dict[str, Callable[[Scan, float, np.random.Generator], Scan | None]] = {
    "noise": noisy,
    "downsampling": thinned,
    "missing": with_holes,
    "pose": turned,
    "density": rescanned,
}


def _of(scan: Scan, keep: NDArray[np.int64]) -> Scan:
    """Some points of an unorganised scan, as if the file held no others."""
    return scan.select(keep).replaced(rows=None, file_points=-1)


def _denser(scan: Scan, density: float, rng: np.random.Generator) -> Scan:
    count = round((density - 1) * len(scan))
    start = rng.choice(len(scan), count, replace=count > len(scan))
    beside = cKDTree(scan.points).query(scan.points[start], k=5)[1][np.arange(count), rng.integers(1, 5, count)]
    share = rng.uniform(0.3, 0.7, (count, 1)).astype(np.float32)
    between = (1 - share) * scan.points[start] + share * scan.points[beside]

    def more(array: NDArray[np.generic] | None) -> NDArray[np.generic] | None:
        return None if array is None else np.concatenate([array, array[start]])

    return scan.replaced(
        points=np.concatenate([scan.points, between]),
        normals=more(scan.normals),
        colors=more(scan.colors),
        labels=more(scan.labels),
        rows=None,
        file_points=-1,
    )


def _every(scan: Scan, rows: int, columns: int) -> Scan:
    """Every so many rows and columns of an organised scan."""
    assert scan.grid is not None
    grid = scan.grid[::rows, ::columns]
    image = None if scan.image is None else scan.image[::rows, ::columns]
    return _regridded(scan, grid, image)


def _quarter_turned(scan: Scan, quarters: int) -> Scan:
    """Grid, picture and points turned together: what the sensor would see of a part that lies turned."""
    assert scan.grid is not None
    image = None if scan.image is None else np.rot90(scan.image, quarters)
    matrix = Rotation.from_rotvec([0, 0, quarters * np.pi / 2]).as_matrix()
    if not _y_goes_up(scan):  # rot90 turns the picture to the left, which is to the right where y points down
        matrix = matrix.T
    return _moved(_regridded(scan, np.rot90(scan.grid, quarters), image), matrix)


def _y_goes_up(scan: Scan) -> bool:
    """Whether y grows with columns to the right and rows upwards as in a drawing, seen with x to the right."""
    assert scan.grid is not None
    row, column = np.nonzero(scan.grid >= 0)
    at = scan.points[scan.grid[row, column]].astype(np.float64)
    centred = at[:, :2] - at[:, :2].mean(axis=0)
    places = np.column_stack([column - column.mean(), row.mean() - row])
    return float(np.linalg.det(places.T @ centred)) > 0


def _regridded(scan: Scan, grid: NDArray[np.int32], image: NDArray[np.uint8] | None) -> Scan:
    keep = grid[grid >= 0].astype(np.int64)
    numbers = np.full(grid.shape, -1, np.int32)
    numbers[grid >= 0] = np.arange(len(keep), dtype=np.int32)
    plain = scan.replaced(grid=None, image=None, rows=None).select(keep)
    return plain.replaced(grid=numbers, image=image, rows=None, file_points=grid.size)


def _moved(scan: Scan, matrix: NDArray[np.float64]) -> Scan:
    middle = scan.bounds.mean(axis=0, dtype=np.float64)
    points = (scan.points - middle) @ matrix.T + middle
    normals = None if scan.normals is None else (scan.normals @ matrix.T).astype(np.float32)
    return scan.replaced(points=points.astype(np.float32), normals=normals)
