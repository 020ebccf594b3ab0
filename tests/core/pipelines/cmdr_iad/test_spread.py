from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from torch.nn import functional

from core.backbones.feature_maps import smoothed
from core.pipelines.cmdr_iad.spread import Spread, bilinear, by_distance, pooled
from core.runtime import Runtime

CPU = torch.device("cpu")
CENTERS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 5]], np.float32)


@pytest.mark.parametrize(
    ("place", "weights"),
    [
        ((0.5, 0, 0), [0.485714, 0.485714, 0.028571, 0]),
        ((0, 1, 0), [0.4, 0.2, 0.4, 0]),
        ((0, 0, 0), [1, 0, 0, 0]),
    ],
)
def test_tokens_are_weighted_by_inverse_squared_distances(place, weights):
    matrix = by_distance(CENTERS, np.array([place], np.float32), 1.0, Runtime(CPU))
    assert matrix.toarray()[0] == pytest.approx(weights, abs=2e-6)


def test_pooling_is_the_papers():
    values = np.arange(36, dtype=np.float64)
    found = (pooled((6, 6)) @ values).reshape(6, 6)
    assert found[0] == pytest.approx([7, 7.5, 8, 9, 9.5, 10])
    assert found[1] == pytest.approx([10, 10.5, 11, 12, 12.5, 13])
    assert found[-1] == pytest.approx([25, 25.5, 26, 27, 27.5, 28])
    maps = torch.randn(1, 1, 56, 40, dtype=torch.float64)
    ours = pooled((56, 40)) @ maps.numpy().ravel()
    assert ours == pytest.approx(smoothed(maps).numpy().ravel(), abs=1e-12)


def test_between_the_cells_of_a_map_it_is_bilinear():
    maps = torch.randn(1, 3, 28, 28, dtype=torch.float64)
    asked = np.stack(np.divmod(np.arange(224 * 224), 224), axis=1)
    ours = bilinear(asked, (224, 224), (28, 28)) @ maps[0].reshape(3, -1).T.numpy()
    theirs = functional.interpolate(maps, size=(224, 224), mode="bilinear", align_corners=False)
    assert np.abs(ours.T.reshape(3, 224, 224) - theirs[0].numpy()).max() < 1e-12


def test_a_linear_layer_commutes_with_it():
    rng = np.random.default_rng(0)
    matrix = bilinear(np.stack(np.divmod(np.arange(48 * 48), 48), axis=1), (48, 48), (6, 6))
    values, weight = rng.normal(size=(36, 20)), rng.normal(size=(7, 20))
    assert np.abs((matrix @ values) @ weight.T - matrix @ (values @ weight.T)).max() < 1e-12


def test_gradients_pass_through_it():
    rng = np.random.default_rng(1)
    dense = rng.random((9, 5)) * (rng.random((9, 5)) < 0.6)
    spread = Spread(sparse.csr_matrix(dense), CPU)
    one, other = (torch.randn(5, 4, generator=torch.Generator().manual_seed(3)).requires_grad_() for _ in range(2))
    (spread(one) ** 2).sum().backward()
    ((torch.from_numpy(dense.astype(np.float32)) @ other) ** 2).sum().backward()
    assert torch.allclose(one.grad, other.grad, atol=1e-5)
    assert spread.condenses
