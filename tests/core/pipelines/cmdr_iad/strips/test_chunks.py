"""Chunks, their labels and boxes, and the scores of a chunk: by the numbers of facts 8.4.7, 8.4.8 and the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from core.backbones.feature_maps import smoothed
from core.errors import ConfigError
from core.geometry.interpolation import interpolate
from core.pipelines.cmdr_iad.strips.chunks import common_boxes, cut, is_anomalous, unit_boxes
from core.pipelines.cmdr_iad.strips.config import StripsConfig
from core.pipelines.cmdr_iad.strips.describing import ChunkDescriber
from core.pipelines.cmdr_iad.strips.prelabel import isolation_forest, outliers
from core.pipelines.cmdr_iad.strips.scoring import distances, scaled, smoothed_maps
from core.pipelines.cmdr_iad.strips.training import cosine_loss
from core.runtime import Runtime
from core.synthesis.strips import KINDS, VISIBLE, make_strip


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 500), size=st.integers(1, 120))
def test_every_point_is_one_chunks_own(count: int, size: int) -> None:
    chunks = cut(count, size)
    assert len(chunks) == -(-count // size), "the tail is kept"
    assert np.array_equal(np.sort(chunks.rows[chunks.own]), np.arange(count))
    assert np.array_equal(chunks.to_points(chunks.rows, count), np.arange(count))
    assert chunks.rows.min() >= 0
    assert chunks.rows.max() < count


def test_the_tail_is_filled_up_with_what_was_measured_before_it() -> None:
    chunks = cut(25, 10)
    assert chunks.rows[2].tolist() == list(range(15, 25))
    assert chunks.own[2].tolist() == [False] * 5 + [True] * 5
    assert cut(3, 8).rows[0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1], "a short scan goes there and back"


def test_chunk_labels_of_the_facts() -> None:
    mask = np.zeros((2, 9216), bool)
    mask[0, :23] = mask[1, :24] = True
    assert is_anomalous(mask, np.ones_like(mask), 0.0025).tolist() == [False, True]


def test_boxes_of_the_facts() -> None:
    columns = np.array([[0, 1, 0.5], [0, 10, 5], [5, 5, 5]], np.float32)
    expected = np.array([[-1, 1, 0], [-1, 1, 0], [-1, -1, -1]], np.float32)
    assert np.allclose(unit_boxes(columns.T[None])[0].T, expected)
    common = common_boxes(columns.T[None], 10.0)[0]
    assert np.allclose(common[:, 0], [-0.1, 0.1, 0.0])
    assert np.allclose(common[:, 1], [-1, 1, 0])
    assert np.allclose(common[:, 2], 0)


def test_the_score_of_the_facts() -> None:
    assert float(scaled(torch.tensor([[0.0, 0.2, 0.4]])).max()) == pytest.approx(0.730295, abs=2e-6)
    assert not scaled(torch.zeros(1, 4)).any(), "nothing known, no score"


def test_one_mean_of_5_by_5_is_the_published_smoothing() -> None:
    image = torch.zeros(1, 21 * 21)
    image[0, 10 * 21 + 10] = 1.0
    once = smoothed_maps(image, 21, 1, 0).reshape(21, 21)
    assert float(once.max()) == pytest.approx(0.04)
    assert int((once > 0).sum()) == 25
    wide = torch.zeros(1, 45 * 45)
    wide[0, 22 * 45 + 22] = 1.0
    text = smoothed_maps(wide, 45, 5, 3)
    assert float(text.max()) == pytest.approx(0.00690936, abs=1e-7)
    assert float(text.sum()) == pytest.approx(1.0, abs=1e-5)


def test_distances_and_loss() -> None:
    a, b = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]), torch.tensor([[[4.0, 3.0], [1.0, 0.0]]])
    assert distances(a, b)[0].tolist() == pytest.approx([0.282843, 0.0], abs=1e-6)
    vector = torch.randn(1, 5, 7)
    assert float(cosine_loss(vector, vector)) == pytest.approx(0.0, abs=1e-6)
    assert float(cosine_loss(-vector, vector)) == pytest.approx(2.0, abs=1e-6)
    hidden = torch.cat([vector, torch.zeros(1, 2, 7)], dim=1)
    rebuilt = torch.cat([vector, torch.randn(1, 2, 7)], dim=1)
    assert float(cosine_loss(rebuilt, hidden)) == pytest.approx(0.0, abs=1e-6)


def test_averaging_shares_is_averaging_features() -> None:
    """The plain form: interpolate 3 tokens to every point, then the mean over 3 x 3 places of the pseudo-image."""
    config = StripsConfig.preset("paper", chunk_side=16, patches=20, patch_points=8, features="fpfh")
    runtime = Runtime(torch.device("cpu"))
    describer = ChunkDescriber(config, runtime)
    points = np.random.default_rng(0).uniform(-1, 1, (256, 3)).astype(np.float32)
    described = describer.describe(points)
    tokens = described.tokens.numpy()
    assert describer.maps([described]).shape == (1, 256, tokens.shape[1])
    from core.geometry.patches import make_patches

    centers = points[make_patches(points, 20, 8, start=0).centers_index]
    plain = interpolate(tokens, centers, points)
    image = torch.from_numpy(plain).T.reshape(1, -1, 16, 16)
    expected = smoothed(image).reshape(-1, 256).T
    assert torch.allclose(describer.maps([described])[0], expected, rtol=1e-4, atol=1e-3)


def test_the_isolation_forest_is_scikit_learns() -> None:
    points = np.random.default_rng(1).normal(size=(4000, 3)).astype(np.float32)
    own = isolation_forest(points, 0.01, 20, 0)
    reference = IsolationForest(n_estimators=20, max_samples="auto", contamination=0.01, random_state=42)
    assert np.array_equal(own, reference.fit_predict(points) == -1)


def test_far_points_are_outliers_by_either_detector() -> None:
    points = np.random.default_rng(2).normal(size=(2000, 3)).astype(np.float32)
    points[:4] = 30 + points[:4] * 0.1
    settings_of = {"trees": 50, "neighbors": 30, "seed": 0}
    for detector in ("isolation_forest", "lof", "hybrid"):
        assert outliers(points, detector, 0.003, **settings_of)[:4].all(), detector
    assert not outliers(points, "none", 0.003, **settings_of).any()


def test_a_side_that_the_decoder_cannot_halve_is_refused() -> None:
    with pytest.raises(ConfigError, match="chunk_side"):
        StripsConfig(chunk_side=100)


def test_made_strips_are_good_but_for_their_defects() -> None:
    good = make_strip(3, lines=300)
    assert not good.labels.any()
    for kind in KINDS:
        bad = make_strip(3, [kind], lines=300)
        assert bad.points.shape == good.points.shape
        moved = np.abs(bad.points[:, 2] - good.points[:, 2])
        assert bad.labels.any(), kind
        assert moved[bad.labels].min() > VISIBLE - 1e-3
        assert moved[~bad.labels].max() < VISIBLE + 1e-3
    with pytest.raises(ValueError, match="no defect"):
        make_strip(0, ["dent"])
