"""What good parts agree on: means and variances against plain numpy, and leaving a scan out."""

from __future__ import annotations

import numpy as np
import pytest

from core.pipelines.sca.anchors import FeatureAnchors, SurfaceAnchors


def sheet(seed: int, lift: float = 0.0, count: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-1, 1, (count, 2))
    return np.column_stack([xy, np.full(count, lift)]).astype(np.float32)


def test_heights_above_the_mean_surface() -> None:
    """Sheets at heights 0 and 0.02: their mean is 0.01, and a third at 0.06 lies 0.05 above it."""
    surface = SurfaceAnchors.learn([sheet(0, 0.0), sheet(1, 0.02)], voxel=0.1)
    points = sheet(2, 0.06)
    inner = np.flatnonzero(np.abs(points[:, :2]).max(axis=1) < 0.8)[:50]
    normals = np.tile(np.float32([0, 0, 1]), (len(points), 1))
    described, heights = surface.describe(points, normals, inner[:, None])
    assert np.abs(heights[inner]) == pytest.approx(0.05, abs=0.004)
    assert described.shape == (50, 6)
    assert described[:, 0] == pytest.approx(described[:, 1])  # patches of one point: mean, highest and lowest agree


def test_a_scan_left_out_is_seen_as_a_stranger_would_be() -> None:
    clouds = [sheet(0, 0.0), sheet(1, 0.0), sheet(2, 0.03)]
    without = SurfaceAnchors.learn(clouds, voxel=0.1).without(clouds[2])
    normals = np.tile(np.float32([0, 0, 1]), (4000, 1))
    inner = np.flatnonzero(np.abs(clouds[2][:, :2]).max(axis=1) < 0.8)[:50]
    heights = without.describe(clouds[2], normals, inner[:, None])[1]
    assert np.abs(heights[inner]) == pytest.approx(0.03, abs=0.004)


def test_features_are_measured_by_what_is_usual_at_their_place() -> None:
    """Left half: values about 0 with sd 1; right half: about 10 with sd 3. Far more scans than the prior's two."""
    rng = np.random.default_rng(0)
    centers = [sheet(i, count=300) for i in range(60)]
    features = []
    for own in centers:
        right = own[:, 0] > 0
        level = np.where(right, 10 + 3 * rng.normal(), rng.normal())
        features.append(level[:, None].astype(np.float32))
    anchors = FeatureAnchors.learn(features, centers, 64, floor=0.0)
    places = np.array([[-0.6, 0, 0], [0.6, 0, 0]], np.float32)
    left, right = (
        np.array([f[(c[:, 0] > 0) == side][0, 0] for f, c in zip(features, centers, strict=True)])
        for side in (False, True)
    )
    found = anchors.normalise(np.array([[2.0], [16.0]], np.float32), places)[:, 0]
    assert found[0] == pytest.approx((2 - left.mean()) / left.std(ddof=1), abs=0.25)
    assert found[1] == pytest.approx((16 - right.mean()) / right.std(ddof=1), abs=0.35)


def test_leaving_out_equals_learning_without() -> None:
    rng = np.random.default_rng(1)
    centers = [sheet(7, count=200)] * 6  # the same places, so that the anchors are the same as well
    features = [rng.normal(size=(200, 2)).astype(np.float32) for _ in centers]
    full = FeatureAnchors.learn(features, centers, 50, floor=0.0)
    fewer = FeatureAnchors.learn(features[1:], centers[1:], 50, floor=0.0)
    a = full.normalise(features[0], centers[0], without=full.contribution(features[0], centers[0]))
    b = fewer.normalise(features[0], centers[0])
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("scans", [1, 2])
def test_few_scans_give_finite_features(scans: int) -> None:
    rng = np.random.default_rng(2)
    centers = [sheet(i, count=100) for i in range(scans)]
    features = [rng.normal(size=(100, 3)).astype(np.float32) for _ in centers]
    anchors = FeatureAnchors.learn(features, centers, 30, floor=0.3)
    own = anchors.contribution(features[0], centers[0])
    assert np.isfinite(anchors.normalise(features[0], centers[0], without=own)).all()


def test_what_a_patch_does_not_show_is_taken_as_expected_and_teaches_nothing() -> None:
    rng = np.random.default_rng(4)
    centers = [sheet(i, count=200) for i in range(8)]
    features = [rng.normal(size=(200, 2)).astype(np.float32) for _ in centers]
    cut = [centers[0][:150], *centers[1:]]
    plain = FeatureAnchors.learn([features[0][:150], *features[1:]], cut, 64, floor=0.3)
    features[0][150:, 1] = np.nan
    anchors = FeatureAnchors.learn(features, centers, 64, floor=0.3)
    values, seen = anchors.contribution(features[0], centers[0])
    assert np.array_equal(values, anchors.contribution(features[0][:150], cut[0])[0])
    assert seen.any()
    assert np.isfinite(anchors.sums).all()
    assert anchors.usual == pytest.approx(plain.usual, rel=0.2)
    found = anchors.normalise(features[0], centers[0])
    assert np.array_equal(found[150:, 1], np.zeros(50))
    assert np.abs(found[150:, 0]).min() > 0
    nothing = anchors.contribution(np.full((10, 2), np.nan, np.float32), centers[0][:10])
    assert not nothing[1].any()


def test_state_round_trip() -> None:
    surface = SurfaceAnchors.learn([sheet(0), sheet(1, 0.02)], voxel=0.1)
    again = SurfaceAnchors.from_state(surface.state())
    normals = np.tile(np.float32([0, 0, 1]), (4000, 1))
    neighbors = np.arange(40).reshape(10, 4)
    for a, b in zip(
        surface.describe(sheet(3), normals, neighbors), again.describe(sheet(3), normals, neighbors), strict=True
    ):
        assert np.array_equal(a, b)
