from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from core.backbones.point_features import PointTokens
from core.datasets.category import recognise
from core.errors import CategoryError, WeightsError
from core.evaluation import feature_probe
from core.evaluation import probe_scans as probe_scans_module
from core.evaluation.feature_probe import FeatureRow, probe_images, probe_points
from core.evaluation.probe_scans import ProbeScan, ProbeScans, probe_scans
from core.evaluation.probe_table import mean_table, probe_table
from core.formats.ply_writer import write_ply
from core.geometry.thinned_parts import thin, voxel_for
from core.progress import Cancelled, Progress
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
AXES = np.array([10.0, 6.0, 4.0], np.float32)


class Brightness:
    """Stands for an image network: the mean colour of 8 x 8 pixels."""

    name, stride, channels = "brightness", 8, 3

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(images, 8)


class Constant(Brightness):
    """Features that say nothing."""

    name = "constant"

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(super().__call__(images))


class Height:
    """Stands for a point network: how far out of the egg the middle of a patch is."""

    name, channels = "height", 1
    scales: ClassVar[list[float | None]] = []

    def __call__(self, points, patches, *, normals=None, scale=None) -> PointTokens:
        self.scales.append(scale)
        middle = points[patches.neighbors].mean(axis=1)
        return PointTokens(
            torch.from_numpy(np.linalg.norm(middle / AXES, axis=1, keepdims=True)), points[patches.centers_index]
        )


@pytest.fixture
def fakes(monkeypatch):
    images = {"brightness": Brightness, "constant": Constant}

    def image_features(name, runtime, *, layers=()):
        if name not in images:
            raise WeightsError(f"no {name}", "Use others")
        return images[name]()

    monkeypatch.setattr(feature_probe, "image_features", image_features)
    monkeypatch.setattr(feature_probe, "point_features", lambda name, runtime, **settings: Height())


def plate(name: str, spot: tuple[int, int] | None, seed: int) -> ProbeScan:
    """A flat organised part; a dark spot in its photograph is the defect."""
    rng = np.random.default_rng(seed)
    r, c = np.divmod(np.arange(4900), 70)
    part = (np.abs(r - 35) < 25) & (np.abs(c - 35) < 25)
    points = np.stack([c, -r, rng.normal(0, 0.01, 4900)], axis=1).astype(np.float32)
    labels = np.zeros(4900, bool) if spot is None else (np.abs(r - spot[0]) < 4) & (np.abs(c - spot[1]) < 4)
    grey = np.where(labels, 60, 160 + rng.integers(-3, 4, 4900)).astype(np.uint8)
    image = np.repeat(grey.reshape(70, 70, 1), 3, axis=2)
    grid = np.arange(4900, dtype=np.int32).reshape(70, 70)
    normals = np.tile(np.array([0, 0, 1], np.float32), (part.sum(), 1))
    return ProbeScan(name, spot is not None, part, points[part], normals, labels, None, grid, image)


def egg(seed: int, bump: bool, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Points of an ellipsoid, with a bump on its side, and its labels."""
    points = np.random.default_rng(seed).standard_normal((count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    labels = (points[:, 2] > 0.93) & bump
    return (AXES * points * np.where(labels, 1.2, 1.0)[:, None]).astype(np.float32), labels


@pytest.fixture(scope="module")
def plates() -> ProbeScans:
    train = tuple(plate(f"train {i}", None, i) for i in range(3))
    test = [plate(f"good {i}", None, 10 + i) for i in range(3)]
    test += [plate(f"bad {i}", (25 + 5 * i, 40), 20 + i) for i in range(3)]
    return ProbeScans("plates", "mm", train, tuple(test))


@pytest.fixture(scope="module")
def eggs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "eggs"
    places = [("train/good", 3, False), ("validation/good", 1, False), ("test/good", 2, False), ("test/bump", 2, True)]
    for place, count, bump in places:
        (folder / place).mkdir(parents=True)
        for i in range(count):
            points, labels = egg(100 * len(place) + i, bump)
            write_ply(folder / place / f"{i}.ply", points, fields={"scalar_label": labels})
    return folder


@pytest.fixture(scope="module")
def egg_scans(eggs) -> ProbeScans:
    """Four eggs to learn, four to judge, read from files."""
    with pytest.MonkeyPatch.context() as patch:
        # An egg lies on itself in many ways, so that searching any pose takes long; these lie alike.
        patch.setattr(probe_scans_module, "needs_any_pose", lambda parts, reference, seed: False)
        return probe_scans(recognise(eggs, unit="mm"), CPU, train=3, test=4)


def test_features_that_see_the_defect_find_it(fakes, plates):
    sees, blind = probe_images(plates, ["brightness", "constant"], CPU, modality="rgb")
    assert (sees.features, sees.modality, sees.category, sees.channels) == ("brightness", "rgb", "plates", 3)
    assert (sees.train, sees.test) == (3, 6)
    assert sees.o_auroc == 1.0
    assert sees.p_auroc > 0.99
    assert sees.aupro > 0.9
    assert sees.seconds > 0
    assert blind.o_auroc == 0.5
    assert blind.aupro < sees.aupro - 0.1


def test_what_only_the_photograph_shows_is_not_on_the_render(fakes, plates):
    (row,) = probe_images(plates, ["brightness"], CPU, modality="rendered")
    assert row.modality == "rendered"
    assert row.aupro < 0.9


def test_scans_of_a_folder_are_made_ready(egg_scans):
    assert (egg_scans.category, egg_scans.unit, egg_scans.organised, egg_scans.photographed) == (
        "eggs",
        "mm",
        False,
        False,
    )
    assert (len(egg_scans.train), len(egg_scans.test)) == (3, 4)
    assert sum(scan.defective for scan in egg_scans.test) == 2
    bad = next(scan for scan in egg_scans.test if scan.defective)
    assert bad.regions is not None
    assert set(np.unique(bad.regions)) == {-1, 0}
    assert np.array_equal(bad.regions >= 0, bad.labels)
    outwards = np.einsum("ij,ij->i", bad.points - bad.points.mean(axis=0), bad.normals)
    assert (outwards > 0).mean() > 0.99


def test_point_features_find_a_bump(fakes, egg_scans):
    Height.scales.clear()
    (row,) = probe_points(egg_scans, ["height"], CPU)
    assert (row.features, row.modality, row.normalisation) == ("height", "points", "unit_sphere")
    assert (row.train, row.test) == (3, 4)
    assert row.o_auroc == 1.0
    assert row.p_auroc > 0.97
    assert row.aupro > 0.9
    assert len(set(Height.scales)) == 1
    assert Height.scales[0] == pytest.approx(10, rel=0.05)


def test_raw_coordinates_are_given_in_metres(fakes, egg_scans):
    Height.scales.clear()
    probe_points(egg_scans, ["height"], CPU, normalisation="cloud_statistics")
    assert set(Height.scales) == {1000.0}


def test_a_category_is_made_ready_first(fakes, eggs, egg_scans, monkeypatch):
    asked = []
    monkeypatch.setattr(feature_probe, "probe_scans", lambda category, *_, **__: asked.append(category) or egg_scans)
    (row,) = probe_images(recognise(eggs, unit="mm"), ["brightness"], CPU, modality="rendered")
    assert len(asked) == 1
    assert row.category == "eggs"
    assert row.p_auroc is not None


def test_unknown_features_are_refused_before_any_work(fakes, eggs):
    class Never(Progress):
        def report(self, fraction, what):
            raise AssertionError("work was done")

    with pytest.raises(WeightsError, match="no such"):
        probe_images(recognise(eggs, unit="mm"), ["brightness", "such"], CPU, modality="rendered", progress=Never())


def test_it_stops_when_asked(fakes, plates):
    class Stops(Progress):
        def report(self, fraction, what):
            if "judging" in what:
                self.cancel()

    with pytest.raises(Cancelled):
        probe_images(plates, ["brightness"], CPU, modality="rgb", progress=Stops())


def test_progress_runs_from_start_to_end(fakes, plates):
    seen = []

    class Watch(Progress):
        def report(self, fraction, what):
            seen.append(fraction)

    probe_images(plates, ["brightness", "constant"], CPU, modality="rgb", progress=Watch())
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_category_without_defective_test_scans_cannot_be_probed(tmp_path):
    for place in ("train/good", "test/good"):
        (tmp_path / place).mkdir(parents=True)
        write_ply(tmp_path / place / "0.ply", egg(0, False)[0])
    with pytest.raises(CategoryError, match="0 defective"):
        probe_scans(recognise(tmp_path, unit="mm"), CPU)


def test_a_thinned_part_brings_a_linear_field_back():
    points, _ = egg(0, False)
    part = thin(points, points / 10, 0.4)
    assert (np.einsum("ij,ij->i", part.normals, part.points) > 0).all()
    field = part.points[part.patches.centers_index, 0]
    assert np.abs(part.to_points(field) - points[:, 0]).max() < 1.5
    assert np.corrcoef(part.to_points(field), points[:, 0])[0, 1] > 0.99


def test_a_voxel_leaves_about_ten_thousand_points():
    side = np.linspace(0, 100, 300, dtype=np.float32)
    x, y = (a.ravel() for a in np.meshgrid(side, side))
    assert voxel_for(np.stack([x, y, 0 * x], axis=1)) == pytest.approx(1.0, rel=0.1)


def row(features: str, category: str, objects: float | None, regions: float, modality: str = "rgb") -> FeatureRow:
    return FeatureRow(features, modality, category, objects, 0.9, regions, 0.1234, 64)


def test_the_table_says_what_was_measured():
    rows = [row("a", "x", 0.5, 0.75), FeatureRow("b+c", "points", "x", None, 0.9, 0.8, 1.0, 7, 1, 1, "unit_sphere")]
    lines = probe_table(rows).splitlines()
    assert len(lines) == 4
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "a",
        "rgb",
        "x",
        "0.500",
        "0.900",
        "0.750",
        "0.12",
        "64",
    ]
    assert "b+c (unit sphere)" in lines[3]
    assert "–" in lines[3]
    assert len({len(line) for line in lines}) == 1
    assert "|" not in probe_table(rows, markdown=False)


def test_means_are_over_what_all_were_probed_on_best_first():
    rows = [
        row("a", "x", 0.6, 0.6),
        row("a", "y", 1.0, 1.0),
        row("b", "x", 0.7, 0.9),
        row("c", "x", 0.5, 0.2, "points"),
    ]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in mean_table(rows).splitlines()[2:]]
    assert [line[:4] for line in lines] == [
        ["b", "rgb", "1 of 2", "0.700"],
        ["a", "rgb", "1 of 2", "0.600"],
        ["c", "points", "1 of 1", "0.500"],
    ]
