"""The one door for scans: any file that Nominal reads becomes a Scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.errors import ScanError
from core.formats import arrays, depth_image, e57, hdf5, las, obj, pcd, ply, ply_header, stl, text, tiff
from core.formats.fields import role_of
from core.formats.ground_truth import with_ground_truth
from core.formats.images import read_image
from core.formats.limits import file_size
from core.formats.mesh import MeshSampling
from core.formats.raw import RawScan, to_scan
from core.formats.sniff import sniff
from core.scan import Scan

_KINDS = {
    ".ply": "PLY",
    ".pcd": "PCD",
    ".xyz": "text", ".xyzn": "text", ".xyzrgb": "text", ".asc": "text", ".txt": "text", ".csv": "text", ".pts": "text",
    ".tif": "TIFF", ".tiff": "TIFF",
    ".npy": "NPY", ".npz": "NPZ",
    ".h5": "HDF5", ".hdf5": "HDF5",
    ".stl": "STL", ".obj": "OBJ",
    ".las": "LAS", ".laz": "LAS",
    ".e57": "E57",
}  # fmt: skip
_SUFFIX_OF_KIND = {
    "PLY": ".ply", "PCD": ".pcd", "text": ".xyz", "TIFF": ".tiff", "NPY": ".npy", "NPZ": ".npz", "HDF5": ".h5",
    "STL": ".stl", "OBJ": ".obj", "LAS": ".las", "E57": ".e57",
}  # fmt: skip

SUFFIXES: tuple[str, ...] = tuple(_KINDS)
"""Endings of the files that ``read_scan`` reads, in lower case."""


def is_scan_file(path: Path) -> bool:
    """Whether the name of ``path`` is that of a scan. Whether it can be read shows only on reading it."""
    if path.name.startswith("."):
        return False
    return path.suffix.lower() in _KINDS or depth_image.is_depth_image(path)


def check_scan(path: Path) -> None:
    """Raise what ``read_scan`` would of a file that its first bytes and its header show to be unusable. Quick."""
    try:
        kind = _kind(path)
        if kind == "PLY":
            ply.check(path)
        elif kind == "PCD":
            pcd.check(path)
        elif kind == "text":
            text.detect(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def has_labels(path: Path) -> bool:
    """Whether a scan file holds ground truth itself, as far as its header tells."""
    try:
        kind = _kind(path)
        names: tuple[str, ...] = ()
        if kind == "PLY":
            vertex = ply_header.read_header(path).element("vertex")
            names = tuple(p.name for p in vertex.properties) if vertex is not None else ()
        elif kind == "PCD":
            names = pcd.read_header(path).dtype.names or ()
        elif kind == "NPZ":
            names = arrays.npz_names(path)
        elif kind == "text":
            names = text.detect(path).names or ()
    except (ScanError, OSError):
        return False
    return any(role_of(name) == "label" for name in names)


def read_scan(
    path: Path,
    *,
    unit: str = "mm",
    image: Path | None = None,
    ground_truth: Path | None = None,
    mesh_points: int = 200_000,
    seed: int = 0,
) -> Scan:
    """Read a scan of any known format.

    Parameters
    ----------
    unit : str
        Unit of the coordinates: "um", "mm", "cm", "m" or "inch". Files do not say it, but for an .npz with its own.
    image : Path, or None
        RGB image registered to an organised scan. For ``.../xyz/NAME.tiff``, ``.../rgb/NAME.png`` is found by itself.
    ground_truth : Path, or None
        A mask, or a list of points with labels. For ``.../xyz/NAME.tiff``, ``.../gt/NAME.png`` is found by itself.
    mesh_points : int
        How many points to draw from a mesh.
    seed : int
        Seed of these draws.

    Raises
    ------
    ScanError
        If the file is missing, damaged, of another format than its name says, or ambiguous.
    """
    path = Path(path)
    try:
        # Damaged bytes are numbers too: values are checked by what they are, not by NumPy's warnings.
        with np.errstate(all="ignore"):
            return _read(path, unit, image, ground_truth, MeshSampling(mesh_points, seed))
    except MemoryError as error:
        raise ScanError(f"{path} does not fit into this computer's memory", "Thin the scan") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ScanError:
    return ScanError(
        f"{path} cannot be read ({error.strerror or error})", "Check the disk or the network that it lies on"
    )


def _kind(path: Path) -> str:
    """The format of a file by its name, once its first bytes agree."""
    if depth_image.is_depth_image(path):
        return "depth image"
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise ScanError(
            f"{path} has the ending {path.suffix or '(none)'}, which is no scan's",
            f"Give a file of these: {', '.join(SUFFIXES)}",
        )
    file_size(path)
    _check_kind(path, kind)
    return kind


def _read(path: Path, unit: str, image: Path | None, ground_truth: Path | None, sampling: MeshSampling) -> Scan:
    kind = _kind(path)
    scan = to_scan(_raw(path, kind, unit, sampling), path, unit=unit)
    if kind == "TIFF":
        beside_image, beside_truth = tiff.siblings(path)
        image, ground_truth = image or beside_image, ground_truth or beside_truth
    if image is not None:
        if scan.grid is None:
            raise ScanError(f"{image} cannot be registered to {path}, whose points lie on no grid", "Leave it out")
        pixels = read_image(image, scan.grid.shape)
        colors = scan.colors
        if colors is None:
            colors = pixels[scan.grid >= 0]  # points lie in the grid's order
        scan = scan.replaced(image=pixels, colors=colors)
    if ground_truth is not None:
        scan = with_ground_truth(scan, ground_truth)
    return scan


def _check_kind(path: Path, kind: str) -> None:
    """Raise if the content is clearly of another format than the name says."""
    found = sniff(path)
    if found == kind:
        return
    # Truncated headers look like text or bytes of no kind: there the format's own reader says best what is wrong.
    if found == "binary" and kind != "text":
        return
    if found == "text" and kind in ("PCD", "STL", "OBJ") and not text.holds_numbers(path):
        return
    suffix = _SUFFIX_OF_KIND.get(found)
    what = f"{found} content"
    if found == "text":
        if text.holds_numbers(path):
            what = "rows of numbers"
        else:
            suffix, what = None, "text"
    raise ScanError(
        f"{path} is named {path.suffix} but holds {what}",
        f"Rename it to {path.stem}{suffix}, or export it again" if suffix else "Export the scan again",
    )


def _raw(path: Path, kind: str, unit: str, sampling: MeshSampling) -> RawScan:
    match kind:
        case "PLY":
            return ply.read(path, sampling)
        case "PCD":
            return pcd.read(path)
        case "TIFF":
            return tiff.read(path)
        case "depth image":
            return depth_image.read(path)
        case "NPY":
            return arrays.read_npy(path)
        case "NPZ":
            return arrays.read_npz(path)
        case "HDF5":
            return hdf5.read(path)
        case "STL":
            return stl.read(path, sampling)
        case "OBJ":
            return obj.read(path, sampling)
        case "LAS":
            return las.read(path)
        case "E57":
            return e57.read(path, unit)
    return text.read(path)
