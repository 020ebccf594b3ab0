"""The demo parts: what they promise to whoever trains, tests or looks at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from core.datasets.demo import demo_categories, demo_defects, demo_folder, folder, make_demo, make_part, plate, scanner
from core.datasets.demo.bracket import BRACKET
from core.datasets.demo.gear import GEAR
from core.datasets.demo.housing import HOUSING
from core.datasets.demo.solids import Solid
from core.errors import CategoryError, OutputError
from core.formats.ply_header import read_header
from core.progress import CallbackProgress, Cancelled, Progress
from core.scan import Scan

SOLIDS = (BRACKET, HOUSING, GEAR)
KINDS = [(name, kind) for name in demo_categories() for kind in demo_defects(name)]
COUNT = 12_000


def foreground(scan: Scan) -> np.ndarray:
    """Where the plate is, not the table: above the table's plane."""
    if scan.grid is None:
        return np.ones(len(scan), bool)
    low = scan.points[scan.points[:, 2] < np.quantile(scan.points[:, 2], 0.2)]
    plane = np.linalg.lstsq(np.c_[low[:, :2], np.ones(len(low))], low[:, 2], rcond=None)[0]
    return scan.points[:, 2] - np.c_[scan.points[:, :2], np.ones(len(scan))] @ plane > 1.0


def test_there_are_four_categories_and_one_is_organised() -> None:
    assert len(demo_categories()) >= 4
    assert [make_part(name, 0, points=4000).organised for name in demo_categories()].count(True) == 1


@pytest.mark.parametrize("name", demo_categories())
def test_a_good_scan_is_sound(name: str) -> None:
    scan = make_part(name, 1, points=COUNT)
    assert scan.unit == "mm"
    assert scan.labels is not None
    assert not scan.labels.any()
    assert 60 < scan.diagonal < 250
    if scan.grid is None:
        assert len(scan) == COUNT
        assert scan.normals is not None
        np.testing.assert_allclose(np.linalg.norm(scan.normals, axis=1), 1, atol=1e-5)
    else:
        assert scan.grid.size == pytest.approx(COUNT, rel=0.02)
        assert 0.85 * scan.grid.size < len(scan) < scan.grid.size
        assert scan.image is not None


@pytest.mark.parametrize("name", demo_categories())
def test_the_same_seed_gives_the_same_scan_and_another_seed_another(name: str) -> None:
    first, again, other = (make_part(name, seed, points=3000) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.points, again.points)
    assert len(first) != len(other) or not np.array_equal(first.points, other.points)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_defect_is_labelled_at_one_place(name: str, kind: str) -> None:
    scan = make_part(name, 2, kind, points=COUNT)
    assert scan.labels is not None
    assert 3 <= scan.labels.sum() < 0.06 * len(scan)
    marked = scan.points[scan.labels]
    assert np.linalg.norm(marked - np.median(marked, axis=0), axis=1).max() < 0.35 * scan.diagonal


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda s: s.name)
def test_the_stored_surface_lies_on_the_solid_and_its_normals_point_out(solid: Solid) -> None:
    part = scanner.good_surface(solid)
    assert np.abs(solid.distance(*part.points.T)).max() < 0.05
    step = np.float32(0.3)
    outside = solid.distance(*(part.points + step * part.normals).T)
    inside = solid.distance(*(part.points - step * part.normals).T)
    assert (outside > 0).mean() > 0.999
    assert (inside < 0).mean() > 0.999
    assert (part.seen.max(axis=1) > 0).all()


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda s: s.name)
@pytest.mark.parametrize("kind", demo_defects("bracket"))
def test_labels_name_what_left_the_good_surface_and_nothing_else(solid: Solid, kind: str) -> None:
    """Before pose and noise, a point is labelled where it is farther from the solid than noise explains."""
    rng = np.random.default_rng(11)
    part = scanner.good_surface(solid)
    exposure = np.ones(part.seen.shape[1], np.float32)
    draw, labels = scanner._drawn(solid, part, exposure, kind, COUNT, rng)
    away = np.abs(solid.distance(*draw.points.T))
    np.testing.assert_array_equal(labels, away > scanner.VISIBLE)
    assert scanner.VISIBLE >= 4 * scanner.NOISE
    assert (away[~draw.fresh] < 0.03).all()


@pytest.mark.parametrize("kind", ["hole", "break"])
def test_missing_material_shows_as_surface_inside_the_good_part(kind: str) -> None:
    rng = np.random.default_rng(3)
    part = scanner.good_surface(BRACKET)
    draw, labels = scanner._drawn(BRACKET, part, np.ones(part.seen.shape[1], np.float32), kind, 45_000, rng)
    assert labels.sum() > 20
    assert (BRACKET.distance(*draw.points[labels].T) < 0).all()


def test_a_burr_and_a_bulge_stand_outside_the_good_part() -> None:
    part = scanner.good_surface(GEAR)
    for kind in ("burr", "bulge"):
        draw, labels = scanner._drawn(
            GEAR, part, np.ones(part.seen.shape[1], np.float32), kind, 45_000, np.random.default_rng(6)
        )
        assert (GEAR.distance(*draw.points[labels].T) > 0).all()


@pytest.mark.parametrize("solid", SOLIDS, ids=lambda s: s.name)
def test_nothing_but_the_defect_gives_its_place_away(solid: Solid) -> None:
    """Around a defect the good surface is sampled as densely as elsewhere."""
    part = scanner.good_surface(solid)
    exposure = np.ones(part.seen.shape[1], np.float32)
    counts, spacings = [], []
    for seed in range(4):
        flawed, _ = scanner._drawn(solid, part, exposure, "scratch", 45_000, np.random.default_rng(seed))
        plain, _ = scanner._drawn(solid, part, exposure, None, 45_000, np.random.default_rng(seed + 50))
        center = flawed.points[flawed.fresh].mean(axis=0)
        reach = np.linalg.norm(flawed.points[flawed.fresh] - center, axis=1).max()
        there = [d.points[np.linalg.norm(d.points - center, axis=1) < reach] for d in (flawed, plain)]
        counts.append(len(there[0]) / len(there[1]))
        nearest = [np.median(cKDTree(p).query(p, k=2)[0][:, 1]) for p in there]
        spacings.append(nearest[0] / nearest[1])
    assert np.mean(counts) == pytest.approx(1.0, abs=0.12)
    assert np.mean(spacings) == pytest.approx(1.0, abs=0.08)


def test_good_scans_differ_by_pose_noise_and_gaps_but_lie_on_one_part() -> None:
    first, second = (make_part("bracket", seed, points=COUNT) for seed in (1, 2))
    distance, _ = cKDTree(first.points).query(second.points)
    assert 0.05 < np.median(distance) < 2.0
    assert np.quantile(distance, 0.999) < 12.0


def test_a_gear_lies_at_any_angle() -> None:
    def yaw(seed: int) -> float:
        scan = make_part("gear", seed, points=30_000)
        bore = scan.points - np.array([*np.median(scan.points[:, :2], axis=0), 0], np.float32)
        key = bore[(np.hypot(*bore[:, :2].T) > 11.2) & (np.hypot(*bore[:, :2].T) < 13.2) & (bore[:, 2] < 22)]
        return float(np.arctan2(key[:, 1].mean(), key[:, 0].mean()))

    yaws = np.array([yaw(seed) for seed in range(4)])
    assert np.ptp(yaws) > 0.5


def test_contamination_changes_colour_alone() -> None:
    stained = make_part("plate", 3, "contamination", points=60_000)
    assert stained.colors is not None
    assert stained.labels is not None
    colors = stained.colors.astype(int)
    yellowness = colors[:, 0] - colors[:, 2]
    on_plate = foreground(stained)
    assert yellowness[stained.labels].mean() > 20 + yellowness[on_plate & ~stained.labels].mean()
    assert on_plate[stained.labels].mean() > 0.95
    # its surface is as smooth as the sheet around it
    z = np.where(np.asarray(stained.grid) >= 0, stained.points[:, 2][stained.grid], np.nan)
    curvature = np.abs(z[:, 2:] - 2 * z[:, 1:-1] + z[:, :-2])
    mask = np.where(np.asarray(stained.grid) >= 0, stained.labels[stained.grid], False)[:, 1:-1]
    assert np.nanmedian(curvature[mask]) < 0.25


def test_the_plate_lies_on_a_table_and_its_image_fits_its_grid() -> None:
    scan = make_part("plate", 0, points=60_000)
    assert scan.image is not None
    assert scan.grid is not None
    assert scan.colors is not None
    part = foreground(scan)
    assert 0.4 < part.mean() < 0.7
    measured = scan.grid >= 0
    np.testing.assert_array_equal(scan.image[measured], scan.colors[scan.grid[measured]])
    bright = scan.colors.mean(axis=1)
    assert np.median(bright[part]) > np.median(bright[~part]) + 40
    border = np.concatenate([scan.grid[:5].ravel(), scan.grid[-5:].ravel()])
    assert not part[border[border >= 0]].any()


def test_plate_labels_name_changed_heights_only() -> None:
    assert plate.VISIBLE >= 4 * plate.NOISE
    for kind in ("bulge", "dent", "hole", "break", "burr"):
        scan = make_part("plate", 5, kind, points=30_000)
        assert foreground(scan)[scan.labels].mean() > 0.9, kind


def test_a_folder_holds_the_splits_and_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small(monkeypatch)
    said: list[tuple[float, str]] = []
    made = make_demo("bracket", tmp_path, progress=CallbackProgress(lambda f, w: said.append((f, w))))
    assert made == tmp_path / "bracket"
    counts = {p.relative_to(made).as_posix(): len(list(p.glob("*.ply"))) for p in made.glob("*/*")}
    assert counts == {
        "train/good": 2,
        "validation/good": 1,
        "test/good": 1,
        **{f"test/{kind}": 1 for kind in demo_defects("bracket")},
    }
    assert "scalar_label" in [p.name for p in read_header(made / "train/good/000.ply").elements[0].properties]
    fractions = [f for f, _ in said]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    written = {p: p.stat().st_mtime_ns for p in made.rglob("*.ply")}
    assert make_demo("bracket", tmp_path) == made
    assert {p: p.stat().st_mtime_ns for p in made.rglob("*.ply")} == written
    assert [p.name for p in tmp_path.iterdir()] == ["bracket"]


def test_a_folder_of_an_older_version_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small(monkeypatch)
    made = make_demo("plate", tmp_path)
    (made / "train" / "good" / "old.npz").write_bytes(b"")
    monkeypatch.setattr(folder, "VERSION", folder.VERSION + 1)
    make_demo("plate", tmp_path)
    assert not (made / "train" / "good" / "old.npz").exists()
    assert len(list((made / "train" / "good").iterdir())) == 2


def test_the_plates_file_holds_what_the_scan_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small(monkeypatch)
    made = make_demo("plate", tmp_path)
    scan = make_part("plate", 3000, "dent", points=4000)
    with np.load(made / "test/dent/000.npz") as file:
        for key in ("points", "labels", "grid", "image"):
            np.testing.assert_array_equal(file[key], getattr(scan, key))
        assert file["unit"] == "mm"


def test_cancelling_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _small(monkeypatch)
    progress: Progress

    def stop(fraction: float, what: str) -> None:
        if fraction > 0.3:
            progress.cancel()

    progress = CallbackProgress(stop)
    with pytest.raises(Cancelled):
        make_demo("gear", tmp_path, progress=progress)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_root_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OutputError, match="NOMINAL_DATA"):
        make_demo("bracket", file)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(CategoryError, match="bracket"):
        make_part("teapot", 0)
    with pytest.raises(CategoryError, match="scratch"):
        make_part("bracket", 0, "contamination")
    with pytest.raises(CategoryError, match="coarse"):
        make_part("bracket", 0, points=10)
    with pytest.raises(CategoryError):
        make_demo("teapot")


def test_the_default_root_is_the_users_data_folder(own_data_folder: Path) -> None:
    assert demo_folder() == own_data_folder / "demo"


def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few and coarse scans: the folder's logic does not depend on their number."""
    for name, value in (("_TRAIN", 2), ("_VALIDATION", 1), ("_GOOD", 1), ("_EACH", 1), ("_USUAL_POINTS", 2000)):
        monkeypatch.setattr(folder, name, value)
    monkeypatch.setattr(folder, "_POINTS", {"plate": 4000})
