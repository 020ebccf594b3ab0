"""Maps brought to other sizes, against the values of the reference facts."""

from __future__ import annotations

import torch
from torch.nn import functional

from core.backbones.feature_maps import joined, refined, smoothed


def test_smoothing_of_a_ramp() -> None:
    ramp = torch.arange(36.0).view(1, 1, 6, 6)
    pooled = functional.avg_pool2d(ramp, 3, 1)[0, 0]
    assert pooled.tolist() == [[7 + 6 * i + j for j in range(4)] for i in range(4)]
    found = smoothed(ramp)[0, 0]
    assert found[0].tolist() == [7, 7.5, 8, 9, 9.5, 10]
    assert found[1].tolist() == [10, 10.5, 11, 12, 12.5, 13]
    assert found[5].tolist() == [25, 25.5, 26, 27, 27.5, 28]


def test_windows_of_smoothing_at_224() -> None:
    found = smoothed(torch.arange(224.0).expand(1, 1, 224, -1))[0, 0, 100]
    # Means of two neighbouring whole numbers end in one half; only four windows hold a single one.
    assert int((found % 1 == 0.5).sum()) == 220
    assert int((found % 1 == 0).sum()) == 4


def test_linear_commutes_with_bilinear() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 5, 28, 28, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 5, 1, 1, generator=generator, dtype=torch.float64)
    first = refined(functional.conv2d(maps, weight), 8, (224, 224))
    last = functional.conv2d(refined(maps, 8, (224, 224)), weight)
    assert float((first - last).abs().max()) < 1e-12


def test_refining_is_bilinear_with_half_pixel_centres() -> None:
    found = refined(torch.tensor([[[[0.0, 4.0]]]]), 2, (2, 4))
    assert found[0, 0].tolist() == [[0, 1, 3, 4], [0, 1, 3, 4]]


def test_cells_keep_their_places_where_sizes_do_not_fit() -> None:
    maps = torch.arange(3.0).view(1, 1, 1, 3)
    whole = refined(maps, 2, (2, 6))
    assert torch.equal(refined(maps, 2, (2, 5)), whole[..., :5])
    longer = refined(maps, 2, (3, 7))
    assert torch.equal(longer[..., :2, :6], whole)
    assert longer[0, 0, 2].tolist() == [*whole[0, 0, 1].tolist(), 2.0]


def test_joining_brings_all_to_the_finest() -> None:
    fine, coarse = torch.rand(2, 3, 4, 6), torch.rand(2, 5, 2, 3)
    found = joined([coarse, fine], [8, 4], (4, 6))
    assert found.shape == (2, 8, 4, 6)
    assert torch.equal(found[:, 5:], fine)
    assert torch.equal(found[:, :5], refined(coarse, 2, (4, 6)))
