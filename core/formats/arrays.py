"""NumPy files: one array (.npy) or several by name (.npz)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.limits import POINT_LIMIT, check_fields, check_points, file_size
from core.formats.raw import RawScan

_NAMES = {
    "points": ("points", "xyz", "point_cloud", "pointcloud", "coordinates", "vertices"),
    "normals": ("normals", "normal"),
    "colors": ("colors", "colours", "color", "rgb"),
    "labels": ("labels", "label", "gt", "ground_truth", "mask"),
    "grid": ("grid",),
    "image": ("image",),
    "unit": ("unit",),
}
_DAMAGED = "The file is cut short or damaged: copy or export it again"
_BYTE_LIMIT = 24 * POINT_LIMIT  # three doubles a point


def read_npy(path: Path) -> RawScan:
    """An (N, 3) or (H, W, 3) array.

    Raises
    ------
    ScanError
        If the file is damaged, holds Python objects, or no coordinates.
    """
    size = file_size(path)
    try:
        with path.open("rb") as file:
            array = _array(path, file, size)
    except (ScanError, MemoryError):
        raise
    except Exception as error:  # NumPy parses the header as Python, which fails in many ways
        raise _damaged(path, error) from error
    return raw_of_arrays(path, {"points": array})


def read_npz(path: Path) -> RawScan:
    """Arrays by name: points (or xyz), normals, colors, labels, grid, image, unit.

    Raises
    ------
    ScanError
        If the file is damaged, holds Python objects, or no points.
    """
    file_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {Path(m.filename).stem: m for m in archive.infolist() if m.filename.endswith(".npy")}
            chosen = _chosen(path, list(members))
            arrays = {}
            for role, name in chosen.items():
                with archive.open(members[name]) as file:
                    arrays[role] = _array(path, file, members[name].file_size, name)
    except (ScanError, MemoryError):
        raise
    except Exception as error:  # zipfile and zlib raise many types for damaged files
        raise _damaged(path, error) from error
    return raw_of_arrays(path, arrays)


def npz_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in an .npz; none if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(Path(n).stem for n in archive.namelist() if n.endswith(".npy"))
    except Exception:  # as above; reading it says what is wrong
        return ()


def _chosen(path: Path, names: list[str]) -> dict[str, str]:
    """Which array is what."""
    chosen: dict[str, str] = {}
    for role, accepted in _NAMES.items():
        found = [name for name in names if name.lower() in accepted]
        if len(found) > 1:
            raise ScanError(f"{path} holds {' and '.join(found)}, which both may be its {role}", "Keep one of them")
        if found:
            chosen[role] = found[0]
    if "points" not in chosen and len(names) == 1:
        chosen["points"] = names[0]
    if "points" not in chosen:
        raise ScanError(
            f"{path} holds no array named points; it holds {', '.join(names[:20]) or 'none'}",
            "Store the coordinates as an array named points, (N, 3) or (H, W, 3)",
        )
    return chosen


def _array(path: Path, file: IO[bytes], size: int, name: str = "") -> NDArray[Any]:
    """One array, whose header is held against the bytes that follow before they are read."""
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"its version {version} is not known")
    shape, fortran, dtype = read(file)
    what = f"{path}, array {name}" if name else f"{path}"
    if dtype.hasobject:
        raise ScanError(f"{what} holds Python objects, which Nominal does not load", "Store plain numbers")
    count = 1
    for length in shape:
        count *= length
    needed = count * dtype.itemsize
    if needed > _BYTE_LIMIT or any(length < 0 for length in shape):
        raise ScanError(f"{what} claims the shape {shape}, more than Nominal takes", "Thin the scan or export it again")
    if needed > size:
        raise ScanError(f"{what} claims {needed:,} bytes of numbers but holds only {size:,}", _DAMAGED)
    data = file.read(needed)
    if len(data) < needed:
        raise ScanError(f"{what} claims {needed:,} bytes of numbers but ends after {len(data):,}", _DAMAGED)
    if needed == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _damaged(path: Path, error: Exception) -> ScanError:
    return ScanError(f"{path} cannot be read as NumPy file ({str(error)[:120] or type(error).__name__})", _DAMAGED)


def raw_of_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> RawScan:
    """What arrays named points, normals, colors, labels, grid, image and unit say together.

    Raises
    ------
    ScanError
        If their shapes or types do not fit.
    """
    points = arrays["points"]
    if points.dtype.kind not in "fiu" or points.dtype.itemsize < 2 or points.ndim not in (2, 3):
        raise ScanError(
            f"{path} holds points of shape {points.shape} and type {points.dtype}",
            "Store them as numbers, (N, 3), or (H, W, 3) for organised scans",
        )
    if points.shape[-1] != 3:
        check_fields(path, points.shape[-1])
        raise ScanError(
            f"{path} holds points with {points.shape[-1]} columns: what they mean cannot be known",
            "Store x, y and z alone, and normals, colors or labels in an .npz under these names",
        )
    check_points(path, points.size // 3)
    if points.dtype.kind != "f" or points.dtype.itemsize not in (4, 8) or not points.dtype.isnative:
        points = points.astype(np.float32 if points.dtype.kind == "f" and points.dtype.itemsize == 2 else np.float64)
    raw = RawScan(np.ascontiguousarray(points))
    for role in ("normals", "colors", "labels"):
        array = arrays.get(role)
        if array is not None and array.dtype.kind not in "fiub":
            raise ScanError(f"{path} holds {role} of type {array.dtype}", "Store numbers")
        setattr(raw, role, array)
    raw.grid = arrays.get("grid")
    if raw.grid is not None and points.ndim == 3:
        raise ScanError(f"{path} holds both a grid and points that lie on one", "Keep one of them")
    image = arrays.get("image")
    if image is not None:
        if image.dtype != np.uint8:
            raise ScanError(f"{path} holds an image of type {image.dtype}", "Store it as uint8 (H, W, 3)")
        raw.image = np.ascontiguousarray(image)
    unit = arrays.get("unit")
    if unit is not None:
        if unit.size != 1 or unit.dtype.kind not in "US":
            raise ScanError(f"{path} holds a unit that is no text", 'Store it as a word, such as "mm"')
        value = unit.reshape(-1)[0]
        raw.unit = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return raw
