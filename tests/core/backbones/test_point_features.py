"""The one interface of point features: what names mean, and what every extractor promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones import point_features as module
from core.backbones.checkpoints import save_weights
from core.backbones.point_features import (
    PointTokens,
    default_point_features,
    point_feature_choices,
    point_features,
    token_values_at,
)
from core.backbones.point_mae import load_point_mae
from core.backbones.weights import find
from core.errors import ConfigError, WeightsError
from core.geometry.fpfh import fpfh
from core.geometry.patches import Patches, make_patches
from core.runtime import Runtime

CPU = Runtime(torch.device("cpu"))
Cloud = tuple[NDArray[np.float32], NDArray[np.float32], Patches]


@pytest.fixture
def made_name(weights_home: Path, made_tensors: Mapping[str, Tensor]) -> str:
    save_weights(weights_home / "made.safetensors", made_tensors, {"architecture": "point_mae"})
    return "made"


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    """A bumpy sphere of 40 mm away from the origin, its normals, and 12 patches of 16."""
    rng = np.random.default_rng(2)
    directions = rng.normal(size=(600, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    heights = 40 + 4 * np.sin(5 * directions[:, :1])
    points = (heights * directions + [100, -20, 300]).astype(np.float32)
    return points, directions.astype(np.float32), make_patches(points, 12, 16)


@pytest.mark.parametrize("name", ["fpfh", "made", "random:point_mae", "made+fpfh", "auto"])
@pytest.mark.parametrize("normalisation", ["unit_sphere", "cloud_statistics"])
def test_every_extractor_keeps_the_promises(made_name: str, cloud: Cloud, name: str, normalisation: str) -> None:
    points, normals, patches = cloud
    features = point_features(name, CPU, normalisation=normalisation, fpfh_radius=15.0)  # type: ignore[arg-type]
    assert "auto" not in features.name
    found = features(points, patches, normals=normals)
    assert found.tokens.shape == (12, features.channels)
    assert found.tokens.dtype == torch.float32
    assert not found.tokens.requires_grad
    assert bool(torch.isfinite(found.tokens).all())
    np.testing.assert_array_equal(found.centers, points[patches.centers_index])
    assert torch.equal(features(points, patches, normals=normals).tokens, found.tokens), "the same on every run"
    small = dataclasses.replace(CPU, memory_budget=1)
    chunked = point_features(features.name, small, normalisation=normalisation, fpfh_radius=15.0)  # type: ignore[arg-type]
    torch.testing.assert_close(chunked(points, patches, normals=normals).tokens, found.tokens, rtol=1e-4, atol=1e-4)


def test_unit_sphere_is_the_network_on_the_centred_and_divided_cloud(made_name: str, cloud: Cloud) -> None:
    points, _, patches = cloud
    features = point_features(made_name, CPU, fpfh_radius=1.0)
    assert features.channels == 1152
    network = load_point_mae(find(made_name))
    centred = points - points.mean(0)
    for scale in (None, 60.0):
        unit = torch.from_numpy(centred / (np.linalg.norm(centred, axis=1).max() if scale is None else scale))
        centers = unit[patches.centers_index]
        groups = unit[patches.neighbors] - centers[:, None]
        expected = network(groups[None].float(), centers[None].float(), (3, 7, 11))[0]
        found = features(points, patches, scale=scale).tokens
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    moved = features(3 * points + np.float32(50), patches).tokens
    torch.testing.assert_close(moved, features(points, patches).tokens, rtol=2e-2, atol=2e-2)


def test_cloud_statistics_take_raw_coordinates(made_name: str, cloud: Cloud) -> None:
    points, _, patches = cloud
    features = point_features(made_name, CPU, normalisation="cloud_statistics", fpfh_radius=1.0)
    network = load_point_mae(find(made_name), cloud_statistics=True)
    metres = torch.from_numpy(points / 1000)
    centers = metres[patches.centers_index]
    groups = metres[patches.neighbors] - centers[:, None]
    expected = network(groups[None], centers[None], (3, 7, 11))[0]
    torch.testing.assert_close(features(points, patches, scale=1000.0).tokens, expected, rtol=1e-3, atol=1e-3)
    in_metres = features(points / np.float32(1000), patches).tokens
    torch.testing.assert_close(in_metres, expected, rtol=1e-3, atol=1e-3)


def test_layers_are_those_of_the_network(made_name: str, cloud: Cloud) -> None:
    points, _, patches = cloud
    three = point_features(made_name, CPU, fpfh_radius=1.0)(points, patches).tokens
    last = point_features(made_name, CPU, layers=(), fpfh_radius=1.0)
    assert last.channels == 384
    torch.testing.assert_close(last(points, patches).tokens, three[:, 768:])


def test_fpfh_is_that_of_the_centres(cloud: Cloud) -> None:
    points, normals, patches = cloud
    features = point_features("fpfh", CPU, fpfh_radius=15.0)
    found = features(points, patches, normals=normals).tokens
    np.testing.assert_array_equal(found.numpy(), fpfh(points, normals, patches.centers_index, 15.0))
    torch.testing.assert_close(found.view(12, 3, 11).sum(2), torch.full((12, 3), 200.0))
    sphere = (40 * normals + np.float32(100)).astype(np.float32)
    outwards = features(sphere, patches, normals=normals).tokens
    estimated = features(sphere, patches).tokens
    assert float(torch.nn.functional.cosine_similarity(estimated, outwards).min()) > 0.7
    inwards = features(sphere, patches, normals=-normals).tokens
    assert float(torch.nn.functional.cosine_similarity(estimated, inwards).max()) < 0.7


def test_parts_of_a_sum_are_of_unit_length(made_name: str, cloud: Cloud) -> None:
    points, normals, patches = cloud
    both = point_features("made+fpfh", CPU, fpfh_radius=15.0)
    assert both.channels == 1152 + 33
    tokens = both(points, patches, normals=normals).tokens
    for part in (tokens[:, :1152], tokens[:, 1152:]):
        torch.testing.assert_close(part.norm(dim=1), torch.ones(12))
    assert dict(both.weights) == {"made": find("made").sha256}


def test_values_between_centres() -> None:
    centers = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 5]], np.float32)
    tokens = PointTokens(torch.tensor([[1.0, 10], [2, 20], [3, 30], [100, 1000]]), centers)
    found = token_values_at(tokens, np.array([[0.5, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(found[:, 0], [1.542857, 2.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], 10 * found[:, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_set", "no features named 'no_such_set'"),
        ("point_mae-shapenet", "not on this computer"),
        ("random:resnet18", "no 'random:resnet18'"),
        ("auto:rgb", "no features named 'auto:rgb'"),
        ("+", "names no features"),
    ],
)
def test_a_wrong_name_is_refused_with_a_remedy(name: str, said: str) -> None:
    with pytest.raises(WeightsError, match=said) as refused:
        point_features(name, CPU, fpfh_radius=1.0)
    assert refused.value.remedy


def test_wrong_settings_are_refused(made_name: str) -> None:
    with pytest.raises(ConfigError, match="no layers of Point-MAE"):
        point_features(made_name, CPU, layers=(3, 12), fpfh_radius=1.0)
    with pytest.raises(ConfigError, match="no layers of Point-MAE"):
        point_features(made_name, CPU, layers=(7, 3), fpfh_radius=1.0)
    with pytest.raises(ConfigError, match="no normalisation"):
        point_features(made_name, CPU, normalisation="none", fpfh_radius=1.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="radius 0"):
        point_features("fpfh", CPU, fpfh_radius=0)


def test_automatic_is_the_first_that_is_here(made_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POINT_PREFERENCES", ("absent", "made+fpfh", "fpfh"))
    assert default_point_features() == point_features("auto", CPU, fpfh_radius=1.0).name == "made+fpfh"
    monkeypatch.setattr(module, "POINT_PREFERENCES", ("absent", "fpfh"))
    assert point_features("made+auto", CPU, fpfh_radius=1.0).name == "made+fpfh"


def test_choices_can_be_used_if_they_say_so(made_name: str) -> None:
    choices = {choice.name: choice for choice in point_feature_choices()}
    assert {"auto", "fpfh", "made", "made+fpfh", "random:point_mae", "point_mae-shapenet"} <= set(choices)
    assert not choices["point_mae-shapenet"].available
    for choice in choices.values():
        if choice.available:
            point_features(choice.name, CPU, fpfh_radius=1.0)
