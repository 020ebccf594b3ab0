"""Ground truth that lies in a file of its own: masks of organised scans, and lists of points with their label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.errors import ScanError
from core.formats.images import read_mask
from core.formats.limits import check_points, file_size
from core.formats.table import read_table
from core.scan import Scan

_IMAGES = (".png", ".bmp", ".tif", ".tiff")
_LISTS = (".txt", ".csv", ".xyz", ".asc")


def with_ground_truth(scan: Scan, path: Path) -> Scan:
    """``scan`` with the labels of ``path``.

    A mask image needs an organised scan. A list of x, y, z, label (separated by blanks in Real3D-AD, by commas in
    Anomaly-ShapeNet) is matched row by row where it repeats the scan's points in their order, else each point takes the
    label of the nearest listed one.

    Raises
    ------
    ScanError
        If the file is damaged or belongs to another scan.
    """
    if path.suffix.lower() in _IMAGES:
        if scan.grid is None:
            raise ScanError(
                f"{path} is a mask, but {scan.source or scan.name} lies on no grid", "Give a list of points"
            )
        labels = np.empty(len(scan), bool)
        on_grid = scan.grid >= 0
        labels[scan.grid[on_grid]] = read_mask(path, scan.grid.shape)[on_grid]
        return scan.replaced(labels=labels)
    if path.suffix.lower() in _LISTS:
        points, listed = read_labelled_points(path)
        return scan.replaced(labels=_matched(scan, points, listed, path))
    raise ScanError(
        f"{path} is no ground truth that Nominal reads",
        f"Give a mask ({', '.join(_IMAGES)}) or a list of points with labels ({', '.join(_LISTS)})",
    )


def read_labelled_points(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Points (N, 3) and labels (N,) of a list x, y, z, label, separated by blanks or commas.

    Raises
    ------
    ScanError
        If it is no such list.
    """
    file_size(path)
    with path.open("rb") as file:
        delimiter = "," if b"," in file.readline(4096) else None
    table = read_table(path, columns=4, delimiter=delimiter)
    check_points(path, len(table))
    if not np.isfinite(table).all():
        raise ScanError(f"{path} holds values that are not finite", "Export the ground truth again")
    return table[:, :3], table[:, 3] != 0


def _matched(scan: Scan, points: NDArray[np.float64], listed: NDArray[np.bool_], path: Path) -> NDArray[np.bool_]:
    if len(points) == scan.file_points:
        rows = scan.rows if scan.rows is not None else np.arange(len(scan))
        if len(rows) == len(scan) and np.abs(points[rows] - scan.points).max() <= 1e-3 * scan.diagonal:
            return listed[rows]
    distances, nearest = cKDTree(points).query(scan.points, workers=-1)
    if np.median(distances) > 0.05 * scan.diagonal:
        raise ScanError(
            f"{path} does not lie on {scan.source or scan.name}: its points are {np.median(distances):.3g} {scan.unit} "
            "away from the scan's",
            "Give the ground truth of this scan",
        )
    return listed[nearest]
