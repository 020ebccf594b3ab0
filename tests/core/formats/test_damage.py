"""Whatever happens to a file, reading it gives a scan or a ScanError, and takes little memory."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from core.errors import ScanError
from core.formats.reader import SUFFIXES, is_scan_file, read_scan

POINTS = (np.random.default_rng(6).normal(size=(60, 3)) * 10).astype(np.float32)


def ply(form: str) -> bytes:
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    head = f"ply\nformat {form} 1.0\nelement vertex 60\n{axes}property list uchar int views\n"
    head += "element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    if form == "ascii":
        return (head + "".join("{} {} {} 1 7\n".format(*p) for p in POINTS) + "3 0 1 2\n4 3 4 5 6\n").encode()
    body = b"".join(struct.pack("<fffBii", *p, 2, 5, 6) for p in POINTS)
    return head.encode() + body + struct.pack("<BiiiBiiii", 3, 0, 1, 2, 4, 3, 4, 5, 6)


def pcd(data: str) -> bytes:
    head = "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 10\nHEIGHT 6\nPOINTS 60\n"
    head += f"DATA {data}\n"
    if data == "binary":
        return head.encode() + POINTS.tobytes()
    body = POINTS.T.tobytes()
    stream = b"".join(bytes([len(body[i : i + 32]) - 1]) + body[i : i + 32] for i in range(0, len(body), 32))
    return head.encode() + struct.pack("<II", len(stream), len(body)) + stream


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def hdf5(buffer: io.BytesIO) -> None:
    with h5py.File(buffer, "w") as file:
        file.create_dataset("points", data=POINTS, compression="gzip")


FILES = {
    "ascii.ply": ply("ascii"),
    "binary.ply": ply("binary_little_endian"),
    "binary.pcd": pcd("binary"),
    "compressed.pcd": pcd("binary_compressed"),
    "a.xyz": "".join("{} {} {} 0 0 1\n".format(*p) for p in POINTS).encode(),
    "a.csv": ("x;y;z\n" + "".join("{};{};{}\n".format(*p) for p in POINTS)).replace(".", ",").encode(),
    "a.tiff": saved(lambda f: tifffile.imwrite(f, POINTS.reshape(6, 10, 3), compression="zlib", photometric="rgb")),
    "a.npy": saved(lambda f: np.save(f, POINTS)),
    "a.npz": saved(lambda f: np.savez_compressed(f, points=POINTS)),
    "a.h5": saved(hdf5),
    "a.stl": bytes(80) + b"\x14\0\0\0" + b"".join(bytes(12) + t.tobytes() + bytes(2) for t in POINTS.reshape(20, 9)),
    "a.obj": ("".join("v {} {} {}\n".format(*p) for p in POINTS) + "f 1/2/3 2 3\nf 4//1 5 6 7\n").encode(),
}  # fmt: skip


def peak_megabytes() -> float:
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@pytest.mark.parametrize("name", FILES)
def test_damage_gives_a_scan_or_a_scan_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert len(read_scan(path, mesh_points=60)) == 60
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    before = peak_megabytes()
    for step in range(120):
        data = bytearray(FILES[name])
        if step % 3 == 0:
            del data[rng.integers(len(data)) :]
        elif step % 3 == 1:
            for at in rng.integers(0, len(data), 3):
                data[at] = rng.integers(256)
        else:  # in the header, where the counts are
            at = rng.integers(min(len(data), 300))
            data[at : at + rng.integers(1, 6)] = rng.integers(0, 256, rng.integers(6), dtype=np.uint8).tobytes()
        path.write_bytes(data)
        try:
            scan = read_scan(path, mesh_points=60)
        except ScanError:
            continue
        assert np.isfinite(scan.points).all()
    assert peak_megabytes() - before < 1000


@pytest.mark.parametrize("suffix", sorted(set(SUFFIXES)))
def test_empty_random_and_wrong_content_of_every_ending(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    for data in (
        b"",
        b"\n",
        bytes(1000),
        np.random.default_rng(0).bytes(5000),
        b"Not a scan at all.\n" * 20,
        b"PK\x03\x04",
    ):
        path.write_bytes(data)
        with pytest.raises(ScanError, match=f"a{suffix}"):
            read_scan(path)


def test_what_is_no_scan(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.ply", tmp_path, tmp_path / "a.docx"):
        with pytest.raises(ScanError):
            read_scan(path)
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(ScanError, match="is a folder"):
        read_scan(tmp_path / "folder.ply")


def test_content_of_another_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pcd"
    path.write_bytes(FILES["binary.ply"])
    with pytest.raises(ScanError, match=r"named \.pcd but holds PLY content") as error:
        read_scan(path)
    assert "a.ply" in error.value.remedy


def test_scan_files_are_known_by_name() -> None:
    assert is_scan_file(Path("A.PLY"))
    assert not is_scan_file(Path(".hidden.ply"))
    assert not is_scan_file(Path("a.png"))
