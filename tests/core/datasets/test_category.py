"""Folders of parts in every layout, made of tiny scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from core.datasets.category import Category, recognise, scan_paths
from core.errors import CategoryError, ScanError
from core.formats.ply_writer import write_ply

RNG = np.random.default_rng(8)
POINTS = RNG.uniform(0, 50, (40, 3)).astype(np.float32)
DEFECT = POINTS[:, 0] > 40


def ply(path: Path, *, labels: bool = False, scale: float = 1.0) -> Path:
    fields = {"scalar_label": DEFECT} if labels else {}
    write_ply(path, POINTS * scale, fields=fields)
    return path


def pcd(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = (
        "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 40\nHEIGHT 1\nPOINTS 40\nDATA binary\n"
    )
    path.write_bytes(head.encode() + POINTS.tobytes())
    return path


def organised(folder: Path, name: str, *, mask: bool) -> None:
    for part in ("xyz", "rgb", "gt") if mask else ("xyz", "rgb"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / "xyz" / f"{name}.tiff", POINTS.reshape(5, 8, 3), photometric="rgb")
    Image.new("RGB", (8, 5), (1, 2, 3)).save(folder / "rgb" / f"{name}.png")
    if mask:
        Image.fromarray((DEFECT.reshape(5, 8) * 255).astype(np.uint8)).save(folder / "gt" / f"{name}.png")


def keys(category: Category, split: str) -> list[str]:
    return [entry.key for entry in category.entries if entry.split == split]


def test_flat_folder_in_natural_order(tmp_path: Path) -> None:
    for name in ("part10.ply", "part2.ply", "Part1.PLY", "part3.xyz.ply"):
        ply(tmp_path / name)
    (tmp_path / "readme.txt").write_text("Scanned on Monday\n")
    category = recognise(tmp_path, unit="mm", name="flange")
    assert (category.name, category.layout, category.unit) == ("flange", "flat", "mm")
    assert [entry.path.name for entry in category.good_train()] == [
        "Part1.PLY",
        "part2.ply",
        "part3.xyz.ply",
        "part10.ply",
    ]
    assert keys(category, "train") == ["Part1", "part2", "part3.xyz", "part10"]
    assert category.warnings == ()
    assert not category.labelled
    scan = category.load(category.entries[0])
    assert (scan.name, scan.unit, scan.labels) == ("Part1", "mm", None)


def test_own_layout_with_labels_inside(tmp_path: Path) -> None:
    for i in range(4):
        ply(tmp_path / "train" / "good" / f"{i:03}.ply")
    ply(tmp_path / "validation" / "good" / "000.ply")
    ply(tmp_path / "test" / "good" / "000.ply")
    ply(tmp_path / "test" / "dent" / "000.ply", labels=True)
    category = recognise(tmp_path)
    assert category.layout == "nominal"
    assert category.name == tmp_path.name
    assert [len(category.split(s)) for s in ("train", "validation", "test")] == [4, 1, 2]
    assert keys(category, "test") == ["dent/000", "good/000"]
    dent, good = category.split("test")
    assert (dent.defect, good.defect) == ("dent", "")
    assert category.labelled
    np.testing.assert_array_equal(category.load(dent).labels, DEFECT)
    labels = category.load(good).labels
    assert labels is not None
    assert not labels.any()


def test_defective_validation_parts_are_kept_and_defective_training_parts_are_not(tmp_path: Path) -> None:
    for i in range(4):
        ply(tmp_path / "train" / "good" / f"{i:03}.ply")
    for place in ("train/dent", "validation/good", "validation/dent"):
        ply(tmp_path / place / "000.ply")
    category = recognise(tmp_path)
    assert [entry.defect for entry in category.split("validation")] == ["dent", ""]
    assert len(category.good_train()) == len(category.split("train")) == 4
    assert any("train/dent were left out" in warning for warning in category.warnings)


def test_mvtec_layout(tmp_path: Path) -> None:
    root = tmp_path / "bagel"
    for i in range(4):
        organised(root / "train" / "good", f"{i:03}", mask=False)
    organised(root / "validation" / "good", "000", mask=False)
    organised(root / "test" / "good", "000", mask=False)
    organised(root / "test" / "hole", "000", mask=True)
    (root / "calibration").mkdir()
    category = recognise(root)
    assert category.layout == "mvtec3d"
    assert keys(category, "test") == ["good/000", "hole/000"]
    hole = category.split("test")[1]
    assert hole.image == root / "test" / "hole" / "rgb" / "000.png"
    assert hole.ground_truth == root / "test" / "hole" / "gt" / "000.png"
    scan = category.load(hole)
    assert scan.image is not None
    np.testing.assert_array_equal(scan.labels, DEFECT)
    with pytest.raises(CategoryError, match="is no category") as error:
        recognise(tmp_path)
    assert "bagel" in error.value.remedy


@pytest.mark.parametrize("root", ["airplane", "good_airplanes"])
def test_real3d_layout(tmp_path: Path, root: str) -> None:
    folder = tmp_path / root
    for i in range(4):
        pcd(folder / "train" / f"{i}_template.pcd")
    pcd(folder / "train" / "spare.pcd")
    for name in ("1_good", "2_good_cut", "3_bulge_cut", "4_sink", "5_template"):
        pcd(folder / "test" / f"{name}.pcd")
    for name in ("3_bulge_cut", "4_sink"):
        (folder / "gt").mkdir(exist_ok=True)
        np.savetxt(folder / "gt" / f"{name}.txt", np.column_stack([POINTS, DEFECT]), fmt="%.6f")
    category = recognise(folder)
    assert category.layout == "real3d_ad"
    assert len(category.good_train()) == 4
    assert [(e.key, e.defect) for e in category.split("test")] == [
        ("1_good", ""), ("2_good_cut", ""), ("3_bulge_cut", "bulge"), ("4_sink", "sink"),
    ]  # fmt: skip
    np.testing.assert_array_equal(category.load(category.split("test")[2]).labels, DEFECT)
    assert any("1 train scan left out" in warning for warning in category.warnings)


def test_anomaly_shapenet_layout(tmp_path: Path) -> None:
    folder = tmp_path / "ashtray0"
    for i in range(4):
        pcd(folder / "train" / f"ashtray0_template{i}.pcd")
    for name in ("ashtray0_positive1", "ashtray0_bulge0", "ashtray0_concavity2"):
        pcd(folder / "test" / f"{name}.pcd")
    (folder / "GT").mkdir()
    np.savetxt(folder / "GT" / "ashtray0_bulge0.txt", np.column_stack([POINTS, DEFECT]), fmt="%.6f", delimiter=",")
    category = recognise(folder)
    assert category.layout == "anomaly_shapenet"
    assert [e.defect for e in category.split("test")] == ["bulge", "concavity", ""]
    np.testing.assert_array_equal(category.load(category.split("test")[0]).labels, DEFECT)
    assert any("Only 1 of 2 defective scans" in warning for warning in category.warnings)


def test_good_folder_beside_bad_ones(tmp_path: Path) -> None:
    for i in range(5):
        ply(tmp_path / "good" / f"{i}.ply")
    ply(tmp_path / "scratched" / "0.ply")
    category = recognise(tmp_path)
    assert category.layout == "good folder"
    assert len(category.good_train()) == 5
    assert [(e.defect, e.key) for e in category.split("test")] == [("scratched", "scratched/0")]


def test_broken_files_are_left_out_and_named(tmp_path: Path) -> None:
    for i in range(4):
        ply(tmp_path / f"{i}.ply")
    whole = (tmp_path / "0.ply").read_bytes()
    (tmp_path / "cut.ply").write_bytes(whole[:-5])
    (tmp_path / "empty.ply").write_bytes(b"")
    (tmp_path / "words.ply").write_text("hello")
    category = recognise(tmp_path)
    assert len(category.entries) == 4
    assert [w for w in category.warnings if "cut.ply" in w or "empty.ply" in w or "words.ply" in w] == list(
        category.warnings
    )
    assert len(category.warnings) == 3


def test_warnings_of_what_looks_wrong(tmp_path: Path) -> None:
    ply(tmp_path / "a.ply", scale=1e-3)
    pcd(tmp_path / "a.pcd")
    (tmp_path / "more").mkdir()
    ply(tmp_path / "more" / "b.ply")
    category = recognise(tmp_path, unit="um")
    text = " ".join(category.warnings)
    assert "only 2 good scans" in text
    assert "different formats" in text
    assert "is um its unit?" in text
    assert "left out: more" in text
    assert keys(category, "train") == ["a.pcd", "a.ply"]


def test_stray_test_scans_are_left_out(tmp_path: Path) -> None:
    for i in range(4):
        ply(tmp_path / "train" / f"{i}.ply")
    ply(tmp_path / "train" / "dented" / "0.ply")
    ply(tmp_path / "test" / "0.ply")
    category = recognise(tmp_path)
    assert len(category.entries) == 4
    assert any("1 test scan " in w for w in category.warnings)
    assert any("train/dented" in w for w in category.warnings)


def test_what_is_no_category(tmp_path: Path) -> None:
    with pytest.raises(CategoryError, match="holds no scans") as error:
        recognise(tmp_path)
    assert ".ply" in error.value.remedy
    with pytest.raises(CategoryError, match="not there"):
        recognise(tmp_path / "missing")
    with pytest.raises(CategoryError, match="no folder"):
        recognise(ply(tmp_path / "sub" / "a.ply"))
    with pytest.raises(CategoryError, match="unit 'parsec'"):
        recognise(tmp_path / "sub", unit="parsec")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.ply").write_text("nothing")
    with pytest.raises(CategoryError, match=r"No good scan.*a\.ply"):
        recognise(tmp_path / "broken")


def test_scan_paths_searches_through(tmp_path: Path) -> None:
    organised(tmp_path / "bent", "000", mask=True)
    ply(tmp_path / "loose" / "deep" / "a.ply")
    ply(tmp_path / "twice" / "b.ply")
    pcd(tmp_path / "twice" / "b.pcd")
    pcd(tmp_path / "gt" / "c.pcd")
    (tmp_path / "gt" / "c.txt").write_text("1 2 3 0\n")
    (tmp_path / "notes.txt").write_text("no numbers")
    (tmp_path / ".hidden").mkdir()
    ply(tmp_path / ".hidden" / "d.ply")
    assert [key for _, key in scan_paths(tmp_path)] == ["bent/000", "loose/deep/a", "twice/b.pcd", "twice/b.ply"]
    assert scan_paths(tmp_path / "twice" / "b.ply") == [(tmp_path / "twice" / "b.ply", "b")]


def test_scan_paths_passes_results_over(tmp_path: Path) -> None:
    ply(tmp_path / "a.ply")
    write_ply(tmp_path / "out" / "a.ply", POINTS, fields={"scalar_anomaly_score": POINTS[:, 0]})
    np.savez(tmp_path / "out" / "a.npz", scores=POINTS[:, 0], object_score=1.0, seconds=0.1)
    (tmp_path / "out" / "a.csv").write_text("scan,verdict,defect,x,y,z\nbent/000,reject,1,3,4,5\n")
    (tmp_path / "marked.csv").write_text("x,y,z,defect\n1,2,3,0\n")
    assert [key for _, key in scan_paths(tmp_path)] == ["a", "marked"]


def test_scan_paths_without_scans(tmp_path: Path) -> None:
    with pytest.raises(CategoryError, match="holds no scans"):
        scan_paths(tmp_path)
    with pytest.raises(ScanError, match="does not exist"):
        scan_paths(tmp_path / "missing")
