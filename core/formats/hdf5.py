"""HDF5 files with one cloud: datasets named as in ``core.formats.arrays``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from core.errors import ScanError
from core.formats.arrays import raw_of_arrays
from core.formats.limits import POINT_LIMIT, file_size
from core.formats.raw import RawScan

_GRIDS = ("xyz", "grid_points", "organised", "organized")
_NAMES = {
    "points": ("points", "point_cloud", "pointcloud", "coordinates", "vertices", "pcd", "data", *_GRIDS),
    "normals": ("normals", "normal"),
    "colors": ("colors", "colours", "color", "rgb"),
    "labels": ("labels", "label", "gt", "ground_truth", "mask"),
    "grid": ("grid",),
    "image": ("image",),
    "unit": ("unit",),
}


def read(path: Path) -> RawScan:
    """A cloud's datasets: points (N, 3), or xyz (H, W, 3) for organised scans, and what else it has of a point.

    Raises
    ------
    ScanError
        If the file is damaged, or which dataset holds the points cannot be known; lists the datasets.
    """
    file_size(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except ScanError:
        raise
    except Exception as error:  # h5py raises many types for damaged files
        raise ScanError(
            f"{path} cannot be read as HDF5 ({str(error)[:120]})",
            "The file is cut short or damaged: copy or export it again",
        ) from error


def _read(path: Path, file: h5py.File) -> RawScan:
    datasets: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            datasets[name] = item

    file.visititems(visit)
    listing = ", ".join(f"{name} {d.shape}" for name, d in list(datasets.items())[:20]) or "none"
    chosen: dict[str, h5py.Dataset] = {}
    for role, accepted in _NAMES.items():
        found = [n for n in datasets if n.rsplit("/", 1)[-1].lower() in accepted]
        if role == "points":  # a flat array called data or rgb is none
            found = [n for n in found if datasets[n].ndim in (2, 3) and datasets[n].shape[-1] == 3]
        if len(found) > 1:
            raise ScanError(
                f"{path} holds {len(found)} datasets that may be its {role}: {', '.join(found[:20])}",
                "Store one cloud a file",
            )
        if found:
            chosen[role] = datasets[found[0]]
        if role == "points" and found:
            _refuse_many(path, chosen["points"])
    if "points" not in chosen:
        raise ScanError(
            f"{path} holds no dataset named points of shape (N, 3); its datasets are: {listing}",
            "Name the dataset of coordinates points, or xyz if it is organised (H, W, 3)",
        )
    stack = _is_stack(chosen["points"])
    arrays = {}
    for role, dataset in chosen.items():
        if role == "unit":
            value = dataset[()]
            arrays[role] = np.array(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
            continue
        if dataset.dtype.kind not in "fiub":
            raise ScanError(f"{path}: its dataset {dataset.name} is of type {dataset.dtype}", "Store plain numbers")
        if dataset.size > 3 * POINT_LIMIT or dataset.size * dataset.dtype.itemsize > 24 * POINT_LIMIT:
            raise ScanError(
                f"{path}: its dataset {dataset.name} claims {dataset.shape}, more than Nominal takes",
                "Thin the scan, or export it again if the shape is wrong",
            )
        if dataset.external is not None or dataset.is_virtual:
            raise ScanError(f"{path}: its dataset {dataset.name} lies in another file", "Store it in this file")
        array = dataset[()]
        arrays[role] = array[0] if stack and array.ndim > 1 and array.shape[0] == 1 else array
    return raw_of_arrays(path, arrays)


def _is_stack(points: h5py.Dataset) -> bool:
    """Whether these are clouds and not one organised scan."""
    return points.ndim == 3 and points.name.rsplit("/", 1)[-1].lower() not in _GRIDS


def _refuse_many(path: Path, points: h5py.Dataset) -> None:
    if _is_stack(points) and points.shape[0] != 1:
        raise ScanError(
            f"{path}: its dataset {points.name} {points.shape} may be {points.shape[0]} clouds or one organised scan",
            "Store one cloud a file, name the dataset xyz if it is one organised scan (H, W, 3), or make scans of a "
            "set of clouds by `nominal chunks unpack`",
        )
