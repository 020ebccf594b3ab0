"""The loss on a field that is known, and the mechanics of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from core.geometry.normals import estimate_normals
from core.pipelines.iaenet.sdf import PatchEncoder, PatchSdf
from core.pipelines.iaenet.sdf_patches import cut_patches
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.pipelines.iaenet.sdf_training import decayed, pull_loss, pulled, settle, train_sdf
from core.progress import CallbackProgress, Cancelled, Progress
from core.runtime import Runtime


def test_an_exact_field_pulls_onto_the_surface() -> None:
    queries = torch.tensor([[[2.0, 0, 0], [0, 0.5, 0], [0, 3, 4]]])
    found = pulled(lambda at: at.norm(dim=-1) - 1.0, queries)
    torch.testing.assert_close(found, torch.tensor([[[1.0, 0, 0], [0, 1, 0], [0, 0.6, 0.8]]]))


def test_the_length_of_the_gradient_does_not_matter_its_sign_does_not_either() -> None:
    queries = torch.tensor([[[0.3, -2.0, 1.0]]])
    for scale in (1.0, -1.0):

        def plane(at: torch.Tensor, scale: float = scale) -> torch.Tensor:
            return scale * (at[..., 2] - 0.25)

        found = pulled(plane, queries)
        torch.testing.assert_close(found, torch.tensor([[[0.3, -2.0, 0.25]]]))


def test_a_field_without_gradient_pulls_nowhere() -> None:
    queries = torch.ones(1, 1, 3)
    assert torch.equal(pulled(lambda at: (0.0 * at).sum(dim=-1), queries), queries)


def test_the_loss_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    model = PatchSdf().train()
    patches, queries = torch.randn(4, 20, 3), torch.randn(4, 6, 3)
    pull_loss(model.decoder, model.encoder(patches), queries, patches[:, :6]).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def training_patches(cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime) -> torch.Tensor:
    return torch.cat(
        [cut_patches(cloud(seed), small, runtime, overlap=small.train_overlap).points for seed in range(2)]
    )


def test_training_lowers_the_loss_and_reports_it(
    cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime
) -> None:
    curve: list[float] = []
    progress = CallbackProgress(lambda share, what: None, lambda name, step, value: curve.append(value))
    patches = training_patches(cloud, small, runtime)
    settings = replace(small, epochs=100, steps=40, learning_rate=1e-3)
    model = train_sdf(patches, settings, runtime, progress)
    assert len(curve) == 2
    assert curve[-1] < 0.5 * curve[0]
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_the_same_seed_gives_the_same_network_another_seed_another(
    cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime
) -> None:
    patches = training_patches(cloud, small, runtime)
    settings = replace(small, steps=3)
    one, same = (train_sdf(patches, settings, runtime, Progress()).state_dict() for _ in range(2))
    other = train_sdf(patches, settings, Runtime.choose("cpu", seed=1), Progress()).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_training_goes_on_from_given_weights_and_leaves_them_alone(
    cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime
) -> None:
    patches = training_patches(cloud, small, runtime)
    torch.manual_seed(5)
    start = PatchSdf()
    before = {name: value.clone() for name, value in start.state_dict().items()}
    trained = train_sdf(patches, replace(small, steps=1, learning_rate=1e-6), runtime, Progress(), start=start)
    for name, value in start.state_dict().items():
        assert torch.equal(value, before[name])
        if name.endswith("weight") and "norm" not in name:
            torch.testing.assert_close(trained.state_dict()[name], value, atol=1e-5, rtol=0)


def test_signed_distances_can_be_learned_instead(
    cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime
) -> None:
    cut = cut_patches(cloud(0), small, runtime, normals=estimate_normals(cloud(0)))
    settings = replace(small, steps=2, loss="distance")
    model = train_sdf(cut.points, settings, runtime, Progress(), normals=cut.normals)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    with pytest.raises(ValueError, match="normals"):
        train_sdf(cut.points, settings, runtime, Progress())


def test_the_decoder_alone_can_be_trained(
    cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime
) -> None:
    patches = training_patches(cloud, small, runtime)
    torch.manual_seed(5)
    start = PatchSdf()
    trained = train_sdf(patches, replace(small, steps=2, trained="decoder"), runtime, Progress(), start=start)
    for name, value in trained.state_dict().items():
        assert torch.equal(value, start.state_dict()[name]) == name.startswith("encoder."), name


def test_an_untrained_encoder_that_is_settled_tells_patches_apart(
    cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime
) -> None:
    patches = training_patches(cloud, small, runtime)
    torch.manual_seed(0)
    encoder = PatchEncoder()
    with torch.no_grad():
        before = encoder.eval()(patches).std(dim=0).mean()
        settle(encoder, patches, torch.Generator().manual_seed(0))
        after = encoder.eval()(patches).std(dim=0).mean()
    assert float(after) > 0.4 > 4 * float(before)
    assert all(norm.momentum == 0.1 for norm in encoder.modules() if isinstance(norm, nn.BatchNorm1d))


def test_a_cancelled_training_stops(
    cloud: Callable[..., NDArray[np.float32]], small: SdfSettings, runtime: Runtime
) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        train_sdf(training_patches(cloud, small, runtime), small, runtime, progress)


def test_the_cosine_falls_to_a_hundredth() -> None:
    assert decayed(0.0) == 1.0
    assert decayed(0.5) == pytest.approx(0.5)
    assert decayed(1.0) == 0.01
