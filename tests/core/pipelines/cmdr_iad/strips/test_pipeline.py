"""The mode for long scans on small made strips: it finds the chunk with the cut, and judges every point."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.pipelines.cmdr_iad.strips.chunks import cut
from core.pipelines.cmdr_iad.strips.config import StripsConfig
from core.pipelines.cmdr_iad.strips.pipeline import StripsPipeline
from core.pipelines.part_score import top_mean
from core.progress import CallbackProgress, Progress
from core.runtime import Runtime
from core.scan import Scan
from core.synthesis.strips import make_strip

CHUNK = 24 * 24


def strip(seed: int, *defects: str) -> Scan:
    made = make_strip(seed, defects, lines=160, columns=60)
    return Scan(made.points, labels=made.labels, name=f"strip {seed}")


@pytest.fixture(scope="module")
def curves() -> list[tuple[str, float, float]]:
    return []


@pytest.fixture(scope="module")
def fitted(curves: list[tuple[str, float, float]]) -> StripsPipeline:
    config = StripsConfig.preset(
        "fast", chunk_side=24, patches=48, patch_points=16, features="fpfh", epochs=16, width=0.05, trees=20,
        training_chunks=40, cuts=1, show_outliers=True, smoothing_5=1, smoothing_7=0, top=0.0, scaling="chunk",
    )  # fmt: skip
    pipeline = StripsPipeline(config, Runtime(torch.device("cpu")))
    progress = CallbackProgress(lambda *_: None, lambda *point: curves.append(point))
    pipeline.fit([strip(seed) for seed in range(3)], progress)
    return pipeline


def test_it_learns(fitted: StripsPipeline, curves: list[tuple[str, float, float]]) -> None:
    for name in ("loss", "loss of held-back chunks"):
        losses = [value for own, _, value in curves if own == name]
        assert len(losses) == 16
        assert losses[-1] < losses[0]


def test_the_chunk_with_the_cut_scores_highest(fitted: StripsPipeline) -> None:
    hits = 0
    for seed in range(50, 54):
        scan = strip(seed, "gap")
        scores = fitted.score(scan, Progress())
        assert scores.chunks is not None
        assert scan.labels is not None
        chunks = cut(len(scan), CHUNK)
        bad = scan.labels[chunks.rows].any(axis=1)
        hits += int(bad[int(scores.chunks.scores.argmax())])
    assert hits >= 3, "a score drawn at random hits one in five"


def test_scores_cover_every_point_and_the_part_is_its_worst_chunk(fitted: StripsPipeline) -> None:
    scan = strip(60)
    scores = fitted.score(scan, Progress())
    assert scores.judged.all(), "the tail too"
    assert scores.chunks is not None
    assert len(scores.chunks) == -(-len(scan) // CHUNK)
    assert scores.object == scores.chunks.scores.max()
    shown = scores.maps["chunk"].values
    assert np.array_equal(shown - 1, scores.chunks.of_point)
    assert (np.diff(shown) >= 0).all(), "chunks follow the order of measuring"
    assert np.array_equal(
        scores.maps["chunk_score"].values, scores.chunks.scores.astype(np.float32)[scores.chunks.of_point]
    )
    worst = [top_mean(scores.points[scores.chunks.of_point == k], 0.0) for k in range(len(scores.chunks))]
    assert np.allclose(worst, scores.chunks.scores), "by the worst of its own points"
    assert set(np.unique(scores.maps["outliers"].values)) <= {0.0, 1.0}


def test_a_chunks_score_does_not_hang_on_what_comes_after(fitted: StripsPipeline) -> None:
    scan = strip(61)
    first = scan.select(np.arange(2 * CHUNK))
    whole, part = fitted.score(scan, Progress()), fitted.score(first, Progress())
    assert whole.chunks is not None
    assert part.chunks is not None
    assert np.allclose(whole.chunks.scores[:2], part.chunks.scores, rtol=1e-4)
