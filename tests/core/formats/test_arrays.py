"""NPY, NPZ and HDF5."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from core.errors import ScanError
from core.formats.reader import read_scan

POINTS = np.random.default_rng(1).normal(size=(12, 3))


class Exploding:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


EXPLODING = pickle.dumps(Exploding())


def test_npy(tmp_path: Path) -> None:
    for array in (POINTS, POINTS.astype(">f4"), np.asfortranarray(POINTS), POINTS.astype(np.float16)):
        np.save(tmp_path / "a.npy", array)
        np.testing.assert_array_equal(read_scan(tmp_path / "a.npy").points, np.asarray(array, np.float32))
    np.save(tmp_path / "a.npy", POINTS.reshape(3, 4, 3))
    assert read_scan(tmp_path / "a.npy").grid is not None


def test_npz_with_everything(tmp_path: Path) -> None:
    grid = np.arange(12, dtype=np.int32)[::-1].reshape(3, 4)
    image = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    np.savez_compressed(
        tmp_path / "a.npz",
        points=POINTS,
        normals=np.tile([0, 0, 1.0], (12, 1)),
        labels=np.arange(12) > 9,
        grid=grid,
        image=image,
        unit=np.array("cm"),
    )
    scan = read_scan(tmp_path / "a.npz", unit="cm")
    np.testing.assert_array_equal(scan.points, POINTS.astype(np.float32))
    np.testing.assert_array_equal(scan.grid, grid)
    np.testing.assert_array_equal(scan.image, image)
    np.testing.assert_array_equal(scan.colors[grid], image)
    assert scan.labels is not None
    assert scan.labels.sum() == 2
    with pytest.raises(ScanError, match="in cm, but it is read as mm"):
        read_scan(tmp_path / "a.npz")


def npy_bytes(header: str, data: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000000, 3)}"), "claims the shape"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1000, 3)}", b"\0" * 99), "claims 24,000 bytes"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (-3, 3)}", b"\0" * 99), "claims the shape"),
        (npy_bytes("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", EXPLODING), "Python obj"),
        (npy_bytes("{'descr': '<f8'"), "NumPy file"),
        (npy_bytes("[" * 5000), "NumPy file"),
        (b"\x93NUMPY", "NumPy file"),
    ],
)  # fmt: skip
def test_bad_npy(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(ScanError, match=words):
        read_scan(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"scores": POINTS}, None),  # a single array is the points
        ({"scores": POINTS, "other": POINTS}, "no array named points; it holds scores, other"),
        ({"points": POINTS, "xyz": POINTS}, "points and xyz"),
        ({"points": POINTS[:, :2]}, "2 columns"),
        ({"points": np.hstack([POINTS, POINTS])}, "6 columns"),
        ({"points": POINTS.astype(complex)}, "complex"),
        ({"points": POINTS, "normals": POINTS[:5]}, "normals of shape"),
        ({"points": POINTS, "image": np.zeros((2, 2, 3))}, "image of type float64"),
        ({"points": POINTS, "unit": np.array(3)}, "no text"),
        ({"points": np.empty((0, 3))}, "no points"),
        ({"points": POINTS.reshape(3, 4, 3), "grid": np.arange(12).reshape(3, 4)}, "both a grid"),
    ],
)
def test_npz_content(tmp_path: Path, arrays: dict[str, np.ndarray], words: str | None) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    if words is None:
        assert len(read_scan(tmp_path / "a.npz")) == 12
        return
    with pytest.raises(ScanError, match=words):
        read_scan(tmp_path / "a.npz")


def test_zip_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    header = npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (100000000, 3)}")
    member = io.BytesIO()
    with zipfile.ZipFile(member, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("points.npy", header + bytes(10_000_000))
    (tmp_path / "a.npz").write_bytes(member.getvalue())
    with pytest.raises(ScanError, match="claims the shape"):
        read_scan(tmp_path / "a.npz")


def test_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("part/points", data=POINTS, compression="gzip")
        file["part/label"] = np.arange(12) % 2
        file["part/unit"] = "mm"
        file["unrelated"] = [1, 2, 3]
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.points, POINTS.astype(np.float32))
    assert scan.labels is not None
    assert scan.labels.sum() == 6


def test_hdf5_organised_and_single_chunk(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["xyz"] = POINTS.reshape(3, 4, 3)
    assert read_scan(tmp_path / "a.h5").grid is not None
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        file["data"] = POINTS[None]
    scan = read_scan(tmp_path / "b.hdf5")
    assert len(scan) == 12
    assert scan.grid is None


def test_hdf5_that_is_ambiguous_lists_its_datasets(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros((5, 12, 3))
    with pytest.raises(ScanError, match=r"5 clouds or one organised scan"):
        read_scan(path)
    with h5py.File(path, "w") as file:
        file["one/points"] = POINTS
        file["two/points"] = POINTS
    with pytest.raises(ScanError, match=r"one/points, two/points"):
        read_scan(path)
    with h5py.File(path, "w") as file:
        file["values"] = POINTS
    with pytest.raises(ScanError, match=r"values \(12, 3\)"):
        read_scan(path)


def test_hdf5_that_claims_terabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("points", shape=(1 << 40, 3), chunks=(1024, 3), dtype="f4")
    with pytest.raises(ScanError, match="more than Nominal takes"):
        read_scan(path)
