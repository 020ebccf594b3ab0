"""Pooling to cells as matrices, against the layers that they stand for; the blur."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from core.pipelines.iaenet.expert_2d import blurred
from core.pipelines.iaenet.vectors_2d import SIDE, cell_vectors, pooling_matrix, upsampling_matrix


def test_pooling_there_and_back_on_a_small_image() -> None:
    image = np.arange(36.0)
    result = (pooling_matrix(6, 6) @ image).reshape(6, 6)
    assert result[0] == pytest.approx([7, 7.5, 8, 9, 9.5, 10])
    assert result[1] == pytest.approx([10, 10.5, 11, 12, 12.5, 13])
    assert result[5] == pytest.approx([25, 25.5, 26, 27, 27.5, 28])


def test_pooling_is_that_of_the_layers() -> None:
    image = torch.rand(1, 1, 224, 224, dtype=torch.float64)
    expected = functional.adaptive_avg_pool2d(functional.avg_pool2d(image, 3, stride=1), SIDE)
    assert pooling_matrix(224, SIDE) @ image.numpy().ravel() == pytest.approx(expected.numpy().ravel(), abs=1e-12)


@pytest.mark.parametrize("size", [(28, 28), (56, 56), (7, 9)])
def test_upsampling_is_bilinear(size: tuple[int, int]) -> None:
    image = torch.rand(1, 1, *size, dtype=torch.float64)
    expected = functional.interpolate(image, size=(224, 224), mode="bilinear", align_corners=False)
    assert upsampling_matrix(*size, 224) @ image.numpy().ravel() == pytest.approx(expected.numpy().ravel(), abs=1e-12)


def test_linear_then_bilinear_is_bilinear_then_linear() -> None:
    rng = np.random.default_rng(0)
    features, layer = rng.normal(size=(784, 12)), rng.normal(size=(12, 5))
    up = upsampling_matrix(28, 28, 224)
    assert np.abs(up @ (features @ layer) - (up @ features) @ layer).max() < 1e-12


def test_vectors_are_those_of_the_masked_image() -> None:
    """The long way: features brought to 224 x 224, zeros off the part, pooled, each block of unit length."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(5, 28, 28)).astype(np.float32)
    descriptors = rng.random((40, 33)).astype(np.float32)
    index = np.full((224, 224), -1, np.int32)
    index[60:150, 30:190] = rng.integers(40, size=(90, 160))
    found = cell_vectors(features, descriptors, index)
    mask = torch.from_numpy(index >= 0)

    def pooled(image: torch.Tensor) -> np.ndarray:
        own = functional.adaptive_avg_pool2d(functional.avg_pool2d((image * mask)[None], 3, stride=1), SIDE)[0]
        own = own.reshape(len(image), -1).T
        return functional.normalize(own, dim=1).numpy()

    up = functional.interpolate(torch.from_numpy(features).double()[None], size=(224, 224), mode="bilinear")[0]
    points = torch.from_numpy(descriptors[np.maximum(index, 0)].astype(np.float64)).permute(2, 0, 1)
    expected = np.concatenate([pooled(up), pooled(points)], axis=1)
    assert found.values == pytest.approx(expected[found.cells], abs=1e-6)
    norms = np.linalg.norm(found.values.astype(np.float64), axis=1)
    assert norms == pytest.approx(np.full(len(norms), np.sqrt(2.0)), abs=1e-5)


def test_cells_off_the_part_give_no_vector() -> None:
    index = np.full((224, 224), -1, np.int32)
    index[:112] = 0
    found = cell_vectors(np.ones((2, 28, 28), np.float32), np.ones((1, 33), np.float32), index)
    assert found.cells.max() < 15 * SIDE
    assert len(found.cells) >= 14 * SIDE
    nothing = cell_vectors(np.ones((2, 28, 28), np.float32), np.ones((1, 33), np.float32), np.full_like(index, -1))
    assert nothing.values.shape == (0, 35)


def test_the_blur_is_pillows_without_its_rounding() -> None:
    """8-bit values of PIL's blur of radius 4 on a 21 x 21 block of 255; the float Gaussian is within 2.5 of them."""
    block = np.zeros((101, 101))
    block[40:61, 40:61] = 255.0
    found = blurred(block, np.ones_like(block), 4.0, held=False)
    for column, level in ((50, 253), (60, 139), (65, 35), (70, 1)):
        assert found[50, column] == pytest.approx(level, abs=2.5)


def test_held_maps_do_not_fade_towards_the_outline() -> None:
    part = np.zeros((60, 60))
    part[10:50, 10:50] = 1.0
    held, faded = (blurred(3.0 * part, part, 4.0, held=h) for h in (True, False))
    assert held[10:50, 10:50] == pytest.approx(np.full((40, 40), 3.0), abs=1e-4)
    assert faded[10, 30] < 2.0
    assert np.array_equal(blurred(part, part, 0.0, held=False), part.astype(np.float32))
