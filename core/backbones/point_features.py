"""Features of point clouds by name: what a config names, a model stores and a pipeline is given.

A name is one part or several joined by ``+``. A part is ``fpfh`` (needs no weights), the name of a Point-MAE weight set
(see ``core.backbones.weights``), ``random:point_mae``, or ``auto``, which is resolved at once to the best that this
computer has, see ``core.backbones.defaults``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.backbones.defaults import POINT_PREFERENCES
from core.backbones.feature_names import (
    AUTO,
    RANDOM,
    FeatureChoice,
    concrete_parts,
    find_weights,
    first_usable,
    weight_choices,
)
from core.backbones.point_mae import DEPTH, WIDTH, PointMAE
from core.backbones.point_tokens import cut_groups, extractor, point_tokens, random_extractor
from core.errors import ConfigError, WeightsError
from core.geometry.fpfh import fpfh
from core.geometry.interpolation import interpolate
from core.geometry.normals import estimate_normals
from core.geometry.patches import Patches
from core.runtime import Runtime

Floats = NDArray[np.float32]
Normalisation = Literal["unit_sphere", "cloud_statistics"]

POINT_ARCHITECTURES = ("point_mae",)
FPFH = "fpfh"
FPFH_CHANNELS = 33
_BUILT_IN = (FPFH,)
_NORMAL_NEIGHBORS = 30
"""As BTF and CPMF have them; without their radius of 0.1 m, which no part of theirs reaches."""


@dataclass(frozen=True, eq=False)
class PointTokens:
    """What patches of one cloud look like.

    Attributes
    ----------
    tokens : (G, C) float32 tensor
        On the runtime's device, without gradient.
    centers : (G, 3) float32
        Where they are, as the points were given.
    """

    tokens: Tensor
    centers: Floats


class PointFeatures(ABC):
    """A frozen, deterministic description of patches of a cloud.

    Attributes
    ----------
    name : str
        What a config and a model store; concrete, never ``auto``.
    channels : int
    weights : mapping of str to str
        SHA-256 of every weight set that it uses, by the set's name.
    """

    def __init__(self, name: str, runtime: Runtime, channels: int, weights: Mapping[str, str]) -> None:
        self.name = name
        self.channels = channels
        self.weights = MappingProxyType(dict(weights))
        self.runtime = runtime

    def __call__(
        self, points: Floats, patches: Patches, *, normals: Floats | None = None, scale: float | None = None
    ) -> PointTokens:
        """Describe the patches of a cloud.

        Parameters
        ----------
        points : (N, 3) float32
        patches : Patches
            Cut from ``points``.
        normals : (N, 3) float32, optional
            Unit length and turned alike, for parts that use them (FPFH). If not given they are estimated and turned
            away from the centroid, which is right for closed, roughly convex parts only.
        scale : float, optional
            What the network's coordinates are divided by, in the unit of the points. With ``unit_sphere`` it is the
            radius that stands for 1; the largest distance from the centroid if not given (a model stores it, so that
            a scan of half a part is not blown up). With ``cloud_statistics`` it is the unit of the published
            coordinates, the metre, so 1000 for a scan in mm; 1 if not given.
        """
        return PointTokens(
            self._tokens(np.asarray(points, np.float32), patches, normals, scale),
            np.asarray(points[patches.centers_index], np.float32),
        )

    @abstractmethod
    def _tokens(self, points: Floats, patches: Patches, normals: Floats | None, scale: float | None) -> Tensor:
        """(G, channels) on the runtime's device."""


class PointMaeTokens(PointFeatures):
    """Outputs of some blocks of Point-MAE, each through the final norm, concatenated.

    The two ways to normalise are the deterministic forms of what published detectors do: ``unit_sphere`` centres the
    cloud, divides it and uses the batch norms' running statistics, as in pretraining; ``cloud_statistics`` leaves the
    coordinates raw and lets the batch norms use the cloud's own statistics, as M3DM, CFM and CMDR-IAD do by never
    leaving training mode (here without their DropPath, which made every pass another one).
    """

    def __init__(
        self,
        name: str,
        runtime: Runtime,
        network: PointMAE,
        layers: Sequence[int],
        normalisation: Normalisation,
        weights: Mapping[str, str],
    ) -> None:
        super().__init__(name, runtime, WIDTH * max(1, len(layers)), weights)
        self._network = network
        self._layers = tuple(layers)
        self._normalisation = normalisation

    def _tokens(self, points: Floats, patches: Patches, normals: Floats | None, scale: float | None) -> Tensor:
        if self._normalisation == "unit_sphere":
            points = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
            scale = float(np.linalg.norm(points, axis=1).max()) if scale is None else scale
        divided = points / np.float32(max(1.0 if scale is None else scale, 1e-12))
        groups, centers = cut_groups(divided, patches.centers_index, patches.neighbors)
        return point_tokens(self._network, groups, centers, self.runtime, layers=self._layers)


class FpfhTokens(PointFeatures):
    """The fast point feature histogram at each centre; each of its three blocks sums to 200."""

    def __init__(self, runtime: Runtime, radius: float) -> None:
        super().__init__(FPFH, runtime, FPFH_CHANNELS, {})
        self._radius = radius

    def _tokens(self, points: Floats, patches: Patches, normals: Floats | None, scale: float | None) -> Tensor:
        if normals is None:
            normals = estimate_normals(points, k=_NORMAL_NEIGHBORS, runtime=self.runtime)
            inwards = np.einsum("ij,ij->i", normals, points - points.mean(axis=0)) < 0
            normals = np.where(inwards[:, None], -normals, normals)
        raw = fpfh(points, normals, patches.centers_index, self._radius, runtime=self.runtime)
        return torch.from_numpy(np.nan_to_num(raw)).to(self.runtime.device)


class SummedPointFeatures(PointFeatures):
    """Several extractors side by side, each token of unit length."""

    def __init__(self, parts: Sequence[PointFeatures], runtime: Runtime) -> None:
        weights: dict[str, str] = {}
        for part in parts:
            weights |= part.weights
        super().__init__("+".join(part.name for part in parts), runtime, sum(part.channels for part in parts), weights)
        self._parts = tuple(parts)

    def _tokens(self, points: Floats, patches: Patches, normals: Floats | None, scale: float | None) -> Tensor:
        own = [part._tokens(points, patches, normals, scale) for part in self._parts]
        return torch.cat([functional.normalize(tokens, dim=1) for tokens in own], dim=1)


def point_features(
    name: str,
    runtime: Runtime,
    *,
    layers: Sequence[int] = (3, 7, 11),
    normalisation: Normalisation = "unit_sphere",
    fpfh_radius: float,
) -> PointFeatures:
    """The extractor of that name.

    Parameters
    ----------
    name : str
        See the module. Of several parts each token is brought to unit length, and all are concatenated in the order of
        the name.
    runtime : Runtime
    layers : sequence of int
        Point-MAE's blocks, 0 to 11, each 384 channels; M3DM, CFM and CMDR-IAD take 3, 7 and 11. Empty: the last alone.
    normalisation : str
        ``unit_sphere`` or ``cloud_statistics``, see ``PointMaeTokens``. Store it with the model: features of the two
        have nothing in common.
    fpfh_radius : float
        Of the FPFH's neighbourhood, in the unit of the points; at most 100 neighbours are taken.

    Raises
    ------
    WeightsError
        If a part is unknown, or its weights are missing or of no point network.
    ConfigError
        If a layer, the normalisation or the radius is out of range.
    """
    if not all(0 <= layer < DEPTH for layer in layers) or list(layers) != sorted(set(layers)):
        raise ConfigError(f"{tuple(layers)} are no layers of Point-MAE", f"Use ascending numbers from 0 to {DEPTH - 1}")
    if normalisation not in ("unit_sphere", "cloud_statistics"):
        raise ConfigError(f"{normalisation!r} is no normalisation", "Use unit_sphere or cloud_statistics")
    parts: list[PointFeatures] = []
    for part in concrete_parts(name, _resolved):
        if part == FPFH:
            if not fpfh_radius > 0:
                raise ConfigError(f"The FPFH radius {fpfh_radius} is not above 0", "Give a length above 0")
            parts.append(FpfhTokens(runtime, fpfh_radius))
        else:
            parts.append(_point_mae(part, runtime, layers, normalisation))
    return parts[0] if len(parts) == 1 else SummedPointFeatures(parts, runtime)


def default_point_features() -> str:
    """What ``auto`` means on this computer now."""
    return first_usable(POINT_PREFERENCES, POINT_ARCHITECTURES, _BUILT_IN)


def point_feature_choices() -> tuple[FeatureChoice, ...]:
    """What can be chosen, for lists in the window: automatic, weight-free, every known weight set (here or missing),
    each that is here beside the weight-free, and a random network to compare with."""
    plain = FeatureChoice(FPFH, "FPFH", "A formula, no weights: works everywhere", True)
    sets = weight_choices(POINT_ARCHITECTURES)
    beside = tuple(
        FeatureChoice(f"{one.name}+{plain.name}", f"{one.title}, and {plain.title}", one.note, True)
        for one in sets
        if one.available
    )
    random = tuple(
        FeatureChoice(f"{RANDOM}{architecture}", f"Random {architecture}", "Never trained: only to compare with", True)
        for architecture in POINT_ARCHITECTURES
    )
    automatic = FeatureChoice(AUTO, "Automatic", f"Now: {default_point_features()}", True)
    return (automatic, plain, *sets, *beside, *random)


def token_values_at(tokens: PointTokens, queries: Floats) -> Floats:
    """Tokens carried to points: (Q, C) for queries (Q, 3).

    The mean of the three nearest centres' tokens, weighted by 1 / (d^2 + 1e-8), as M3DM, CFM and CMDR-IAD do.
    """
    values: Floats = tokens.tokens.detach().cpu().numpy()
    return interpolate(values, tokens.centers, queries, runtime=Runtime(tokens.tokens.device))


def _resolved(part: str) -> str:
    if part != AUTO:
        raise WeightsError(f"There are no features named {part!r}", f"Use {AUTO!r} for point clouds")
    return default_point_features()


def _point_mae(part: str, runtime: Runtime, layers: Sequence[int], normalisation: Normalisation) -> PointFeatures:
    own = normalisation == "cloud_statistics"
    if part.startswith(RANDOM):
        if part.removeprefix(RANDOM) not in POINT_ARCHITECTURES:
            choices = ", ".join(f"{RANDOM}{one}" for one in POINT_ARCHITECTURES)
            raise WeightsError(f"There is no {part!r}", f"Use one of: {choices}")
        return PointMaeTokens(part, runtime, random_extractor(runtime.device, own), layers, normalisation, {})
    found = find_weights(part, POINT_ARCHITECTURES, _BUILT_IN)
    network = extractor(found, runtime.device, own)
    return PointMaeTokens(found.name, runtime, network, layers, normalisation, {found.name: found.sha256})
