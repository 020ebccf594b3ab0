from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from core.backbones.pictures import SIZE, Pictures, blurred
from core.errors import CategoryError
from core.evaluation.photographer import Photographer
from core.evaluation.probe_scans import ProbeScan, ProbeScans


def organised(name: str = "a", rows: int = 60, columns: int = 80, image: bool = True) -> ProbeScan:
    """A flat part in the middle of a grid, seen by its sensor; brightness of the image grows to the right."""
    r, c = np.divmod(np.arange(rows * columns), columns)
    part = (r >= 15) & (r < 45) & (c >= 20) & (c < 60)
    points = np.stack([c, -r, np.zeros_like(c)], axis=1).astype(np.float32)
    grid = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    picture = np.repeat((2 * c).reshape(rows, columns)[..., None], 3, axis=2).astype(np.uint8) if image else None
    normals = np.tile(np.array([0, 0, 1], np.float32), (part.sum(), 1))
    return ProbeScan(name, False, part, points[part], normals, np.zeros(len(part), bool), None, grid, picture)


def closed(name: str = "b", count: int = 6000) -> ProbeScan:
    """A ball."""
    points = np.random.default_rng(0).standard_normal((count, 3))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    truth = np.full(count, -1, np.int64)
    return ProbeScan(name, False, np.ones(count, bool), points, points, truth >= 0, truth, None, None)


def scans(*made: ProbeScan) -> ProbeScans:
    return ProbeScans("made", "mm", made, made)


def test_the_blur_is_a_gaussian_with_edges_held():
    maps = torch.rand(1, 2, 50, 60, dtype=torch.float64)
    expected = [gaussian_filter(m.numpy(), 4.0, mode="nearest", truncate=4.0) for m in maps[0]]
    assert np.allclose(blurred(maps, 4.0)[0].numpy(), expected, atol=1e-9)


def test_a_photograph_is_squared_and_its_points_find_their_pixels():
    scan = organised()
    taken = Photographer(scans(scan), "rgb").take(scan)
    assert taken.images.shape == (1, 3, SIZE, SIZE)
    # 60 rows get 10 rows of edge above and below: pixel r, c of the grid lies at (r + 10.5, c + .5) * 2.8 - .5.
    assert taken.pixels[0][0] == pytest.approx([(15 + 10.5) * 2.8 - 0.5, (20 + 0.5) * 2.8 - 0.5])
    rows, columns = np.round(taken.pixels[0]).astype(int).T
    brightness = taken.images[0, 0].numpy()[rows, columns].astype(float)
    assert np.abs(brightness - 2 * scan.points[:, 0]).max() <= 2
    assert taken.part[0].numpy()[rows, columns].all()
    assert taken.part.float().mean() == pytest.approx(30 * 40 / 6400, abs=0.02)
    assert taken.network_input().max() <= 1


def test_a_scan_without_an_image_cannot_be_photographed():
    with pytest.raises(CategoryError, match="RGB"):
        Photographer(scans(organised(image=False)), "rgb")


def test_an_organised_part_is_rendered_once_from_its_sensor():
    scan = organised()
    photographer = Photographer(scans(scan), "rendered")
    assert photographer.views == 1
    taken = photographer.take(scan)
    assert taken.images.shape == (1, 1, SIZE, SIZE)
    assert taken.network_input().shape == (1, 3, SIZE, SIZE)
    assert taken.seen.all()
    # 39 steps span 160 pixels; seen straight from above it is bright
    assert np.ptp(taken.pixels[0][:, 1]) == pytest.approx(160, abs=1)
    assert taken.images[taken.part[:, None]].min() > 100
    assert (taken.images[~taken.part[:, None]] == 255).all()


def test_a_closed_part_is_rendered_from_all_sides():
    ball = closed()
    photographer = Photographer(scans(ball), "rendered")
    assert photographer.views > 2
    assert photographer.take(ball).seen.any(axis=1).mean() > 0.97


@pytest.mark.parametrize("make", [organised, closed])
def test_scores_come_back_to_the_points(make):
    scan = make()
    taken = Photographer(scans(scan), "rendered").take(scan)
    cells = taken.cells((28, 28))
    flat = taken.to_points(torch.full(cells.shape, 3.0), cells)
    assert flat.shape == (len(scan.points),)
    assert flat == pytest.approx(3.0, abs=1e-4)
    # only cells of the part count, whatever stands in the others
    noisy = torch.where(cells, 3.0, 1000.0)
    assert taken.to_points(noisy, cells) == pytest.approx(3.0, abs=1e-4)


def test_a_hot_cell_heats_the_points_below_it():
    scan = organised()
    taken = Photographer(scans(scan), "rgb").take(scan)
    cells = taken.cells((28, 28))
    maps = torch.zeros(cells.shape)
    maps[0, 14, 12] = 1.0  # its middle is at pixel (115.5, 99.5)
    scores = taken.to_points(maps, cells)
    assert np.abs(taken.pixels[0][scores.argmax()] - [115.5, 99.5]).max() < 3
    assert scores.min() == pytest.approx(0, abs=1e-6)


def test_a_point_that_no_picture_shows_has_its_neighbours_score():
    points = np.array([[0, 0, 0], [10, 0, 0], [9, 0, 0]], np.float32)
    pixels = np.array([[20, 20], [200, 200], [20, 20]], np.float32)
    seen = np.array([[True], [True], [False]])
    part = torch.ones(1, SIZE, SIZE, dtype=torch.bool)
    taken = Pictures(torch.zeros(1, 1, SIZE, SIZE, dtype=torch.uint8), part, (pixels,), seen, points)
    maps = torch.zeros(1, 28, 28)
    maps[0, 14:, 14:] = 5.0
    scores = taken.to_points(maps, taken.cells((28, 28)))
    assert scores == pytest.approx([0, 5, 5], abs=1e-4)
