"""Which named field of a file means what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.raw import RawScan

_NAMES: dict[str, tuple[str, ...]] = {
    "x": ("x", "coordx", "xcoord", "xcoordinate", "pointx", "points0", "px", "posx"),
    "y": ("y", "coordy", "ycoord", "ycoordinate", "pointy", "points1", "py", "posy"),
    "z": ("z", "coordz", "zcoord", "zcoordinate", "pointz", "points2", "pz", "posz"),
    "nx": ("nx", "normalx", "xnormal", "normals0"),
    "ny": ("ny", "normaly", "ynormal", "normals1"),
    "nz": ("nz", "normalz", "znormal", "normals2"),
    "red": ("red", "r", "diffusered", "colorr", "rf"),
    "green": ("green", "g", "diffusegreen", "colorg", "gf"),
    "blue": ("blue", "b", "diffuseblue", "colorb", "bf"),
    "rgb": ("rgb", "rgba"),
    "label": ("label", "labels", "gt", "groundtruth", "scalarlabel", "scalargroundtruth"),
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names}


def role_of(name: str) -> str | None:
    """The meaning of a field by its name: "x", "nx", "red", "rgb", "label", ...; None for any other field.

    Case, blanks, underscores and a unit in brackets do not matter: ``X [mm]``, ``normal_x`` and ``Red`` are known.
    """
    plain = re.sub(r"[\[(].*?[\])]", "", name).lower()
    plain = re.sub(r"[^a-z0-9]", "", plain)
    return _ROLES.get(plain)


def roles_of(names: Sequence[str], path: Path) -> dict[str, str]:
    """Field name of each meaning found.

    Raises
    ------
    ScanError
        If x, y or z is missing, or two fields mean the same.
    """
    roles: dict[str, str] = {}
    for name in names:
        role = role_of(name)
        if role is None:
            continue
        if role in roles:
            raise ScanError(
                f"{path} has two fields for {role}: {roles[role]} and {name}", "Rename or remove one of them"
            )
        roles[role] = name
    lacking = [axis for axis in "xyz" if axis not in roles]
    if lacking:
        raise ScanError(
            f"{path} has no field {' or '.join(lacking)}; it has {', '.join(names[:20]) or 'none'}",
            "Export the scan with its coordinates in fields named x, y and z",
        )
    return roles


def scan_of_fields(
    fields: Mapping[str, NDArray[Any]], path: Path, *, grid_shape: tuple[int, int] | None = None
) -> RawScan:
    """What named per-point fields, each (N,), say together.

    Parameters
    ----------
    grid_shape : (H, W), or None
        For organised files, whose N = H * W fields lie row by row.
    """
    roles = roles_of(list(fields), path)

    def stacked(*wanted: str) -> NDArray[Any] | None:
        if not all(role in roles for role in wanted):
            return None
        columns = [fields[roles[role]] for role in wanted]
        result = np.empty((len(columns[0]), len(columns)), np.result_type(*(column.dtype for column in columns)))
        for i, column in enumerate(columns):
            result[:, i] = column
        return result

    points = stacked("x", "y", "z")
    assert points is not None
    if points.dtype.kind != "f":
        points = points.astype(np.float64)
    colors = stacked("red", "green", "blue")
    if colors is None and "rgb" in roles:
        colors = _unpacked(fields[roles["rgb"]])
    labels = fields[roles["label"]] if "label" in roles else None
    raw = RawScan(points, stacked("nx", "ny", "nz"), colors, labels)
    if grid_shape is not None:
        raw.points = raw.points.reshape(*grid_shape, 3)
        raw.normals = None if raw.normals is None else raw.normals.reshape(*grid_shape, 3)
        raw.colors = None if raw.colors is None else raw.colors.reshape(*grid_shape, 3)
        raw.labels = None if raw.labels is None else raw.labels.reshape(grid_shape)
    return raw


def _unpacked(packed: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours (N, 3) of PCL's packed fields: 0xAARRGGBB, its bits often stored as those of a float32."""
    if packed.dtype.kind == "f":
        with np.errstate(all="ignore"):
            bits = packed.astype("=f4").view(np.uint32)
    else:
        bits = packed.astype(np.uint32)
    return np.stack([(bits >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)], axis=1)
