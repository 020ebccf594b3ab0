"""HDF5 sets of chunks: long scans as stretches of equally many points, in one file.

Layout, the one that sets of point clouds are published in, and that CMDR-IAD's polyurethane set has in three files:

``data`` (K, P, 3) float32
    Coordinates, chunk after chunk in the order of measuring.
``label`` (K,) uint8
    1 for a chunk that is defective.
``mask`` (K, P) uint8
    1 for a point that is.
``scan`` (K,) int32, ``names`` (S,) text
    Which scan each chunk is of, and what the scans are called. Without them every chunk is a scan of its own.
``own`` (K,) int64
    How many points at the end of each chunk are its own; those before them are the last ones of the chunk before,
    repeated. Without it all are.

The file's attribute ``unit`` names the unit of the coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.files import written_whole
from core.formats.limits import POINT_LIMIT, file_size
from core.scan import Scan

_DATA = ("data", "points", "clouds")
_LABEL = ("label", "labels")
_MASK = ("mask", "masks", "point_labels", "seg")


@dataclass(frozen=True, eq=False)
class ChunkSet:
    """Chunks of one or more scans; see the module for the arrays.

    Attributes
    ----------
    data : (K, P, 3) float32
    label : (K,) bool
    mask : (K, P) bool
    scan : (K,) int32
        Index into ``names``.
    own : (K,) int64
    names : tuple of str
    unit : str
    """

    data: NDArray[np.float32]
    label: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    scan: NDArray[np.int32]
    own: NDArray[np.int64]
    names: tuple[str, ...]
    unit: str = "mm"

    def scans(self) -> list[Scan]:
        """The scans that the chunks are of, each whole, with labels."""
        found = []
        for number, name in enumerate(self.names):
            mine = np.flatnonzero(self.scan == number)
            points = np.concatenate([self.data[k, self.data.shape[1] - self.own[k] :] for k in mine])
            labels = np.concatenate([self.mask[k, self.mask.shape[1] - self.own[k] :] for k in mine])
            found.append(Scan(points, labels=labels, unit=self.unit, name=name))
        return found

    def defective(self, number: int) -> bool:
        """Whether a scan has a defective chunk."""
        return bool(self.label[self.scan == number].any())


def chunk_set(scans: list[Scan], size: int, least: float = 0.0025) -> ChunkSet:
    """Scans cut into chunks.

    Parameters
    ----------
    scans : list of Scan
        Of one unit. Where a scan has no labels no point of it is taken for defective.
    size : int
        Points of a chunk. A last chunk of fewer points is filled up in front with those measured before it.
    least : float
        Share of defective points from which on a chunk is defective.

    Raises
    ------
    ScanError
        If the scans differ in their unit, or one has fewer points than a chunk.
    """
    data, masks, owner, own = [], [], [], []
    for number, scan in enumerate(scans):
        if scan.unit != scans[0].unit:
            raise ScanError(f"{scan.name} is in {scan.unit}, the scans before it in {scans[0].unit}", "Use one unit")
        if len(scan) < size:
            raise ScanError(
                f"{scan.name} has {len(scan):,} points, a chunk {size:,}",
                "Choose a smaller size, or leave the scan out",
            )
        labels = np.zeros(len(scan), bool) if scan.labels is None else scan.labels
        for start in range(0, len(scan), size):
            first = min(start, len(scan) - size)
            data.append(scan.points[first : first + size])
            masks.append(labels[first : first + size])
            owner.append(number)
            own.append(size - (start - first))
    mask = np.stack(masks)
    kept = np.arange(size)[None, :] >= size - np.array(own)[:, None]
    return ChunkSet(
        data=np.stack(data).astype(np.float32),
        label=(mask & kept).sum(axis=1) >= np.maximum(least * kept.sum(axis=1), 1),
        mask=mask,
        scan=np.array(owner, np.int32),
        own=np.array(own, np.int64),
        names=tuple(scan.name for scan in scans),
        unit=scans[0].unit if scans else "mm",
    )


def write_chunk_set(path: Path, chunks: ChunkSet) -> None:
    """Write a set, whole or not at all.

    Raises
    ------
    OutputError
    """
    packed: dict[str, Any] = {"compression": "gzip", "compression_opts": 1}
    with written_whole(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["unit"] = chunks.unit
        file.create_dataset("data", data=chunks.data, chunks=(1, *chunks.data.shape[1:]), **packed)
        file.create_dataset("label", data=chunks.label.astype(np.uint8))
        file.create_dataset("mask", data=chunks.mask.astype(np.uint8), **packed)
        file.create_dataset("scan", data=chunks.scan)
        file.create_dataset("own", data=chunks.own)
        file.create_dataset("names", data=np.array(chunks.names, dtype=object), dtype=h5py.string_dtype())


def read_chunk_set(path: Path, *, unit: str = "mm") -> ChunkSet:
    """Read a set, written by Nominal or published.

    Parameters
    ----------
    unit : str
        Of the coordinates, where the file does not say it.

    Raises
    ------
    ScanError
        If the file is missing or damaged, or holds no set.
    """
    file_size(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file, unit)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise ScanError(
            f"{path} cannot be read as a set of chunks ({str(error)[:120]})",
            "The file is cut short or damaged: copy or export it again",
        ) from error


def _read(path: Path, file: h5py.File, unit: str) -> ChunkSet:
    def named(names: tuple[str, ...], shape: tuple[int, ...]) -> h5py.Dataset | None:
        node = next((file[name] for name in names if isinstance(file.get(name), h5py.Dataset)), None)
        if node is not None and shape and node.shape not in (shape, (*shape, 1)):
            raise ScanError(
                f"{path}: its dataset {node.name} is {node.shape}, not {shape}", "Export the set again, or rename it"
            )
        return node

    data = named(_DATA, ())
    if data is None or data.ndim != 3 or data.shape[2] < 3 or data.dtype.kind not in "fiu":
        held = ", ".join(f"{name} {getattr(node, 'shape', '')}" for name, node in list(file.items())[:20]) or "nothing"
        raise ScanError(f"{path} holds no chunks but {held}", "Name the clouds data: (chunks, points, 3)")
    count, size = data.shape[:2]
    if count * size > POINT_LIMIT or count == 0 or size == 0:
        raise ScanError(f"{path} holds {count:,} chunks of {size:,} points", f"Store 1 to {POINT_LIMIT:,} points")
    label, mask = named(_LABEL, (count,)), named(_MASK, (count, size))
    marked = np.zeros((count, size), bool) if mask is None else np.asarray(mask[()]).reshape(count, size) != 0
    bad = np.asarray(marked.any(axis=1) if label is None else np.asarray(label[()]).reshape(count) != 0)
    owner, names = named(("scan",), (count,)), named(("names",), ())
    own = named(("own",), (count,))
    if owner is not None and names is not None:
        titles = tuple(text.decode() if isinstance(text, bytes) else str(text) for text in names[()])
        numbers = np.asarray(owner[()], np.int32)
    else:
        titles, numbers = tuple(f"{i:05}" for i in range(count)), np.arange(count, dtype=np.int32)
    kept = np.full(count, size, np.int64) if own is None else np.asarray(own[()], np.int64)
    if set(numbers.tolist()) != set(range(len(titles))) or kept.min() < 1 or kept.max() > size:
        raise ScanError(f"{path} says of its chunks what cannot be", "Export the set again")
    points = np.asarray(data[..., :3], np.float32)
    if not np.isfinite(points).all():
        raise ScanError(f"{path} holds points that are not finite", "Export the set again")
    return ChunkSet(points, bad, marked, numbers, kept, titles, str(file.attrs.get("unit", unit)))
