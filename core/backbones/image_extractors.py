"""The extractors behind ``core.backbones.image_features``: one class for each kind of network or formula."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from core.backbones import oriented_energy as energy
from core.backbones import vit
from core.backbones.feature_maps import joined
from core.backbones.resnet import DEVIATION, MEAN, RESNETS, STAGES, STEM_STRIDE, ResNet, load_resnet, random_resnet
from core.backbones.weights import WeightSet
from core.errors import ConfigError, WeightsError
from core.runtime import Runtime, in_chunks

RANDOM_SEED = 0
"""Of every random network: its name must always mean the same numbers."""

_NONE: Mapping[str, str] = MappingProxyType({})


class ImageFeatures(ABC):
    """A frozen, deterministic description of images, without gradient.

    Attributes
    ----------
    name : str
        What a config and a model store; concrete, never ``auto``.
    stride : int
        Pixels between neighbouring cells.
    channels : int
    weights : mapping of str to str
        SHA-256 of every weight set that it uses, by the set's name.
    """

    def __init__(
        self, name: str, runtime: Runtime, *, stride: int, channels: int, held: int, weights: Mapping[str, str] = _NONE
    ) -> None:
        """``held``: floats for each pixel that the computation holds at once, without its result."""
        self.name = name
        self.stride = stride
        self.channels = channels
        self.weights = MappingProxyType(dict(weights))
        self.runtime = runtime
        self._held = held

    def __call__(self, images: Tensor) -> Tensor:
        """Describe images.

        Parameters
        ----------
        images : (B, 3, H, W) floating tensor
            RGB in [0, 1]; every normalisation beyond that is the extractor's own business. Sides at least ``stride``.

        Returns
        -------
        (B, channels, H // stride, W // stride) float32 tensor
            On the runtime's device, in memory channels last: the numbers of one location lie together, so that
            ``permute(0, 2, 3, 1).reshape(-1, channels)`` copies nothing. Images are taken in chunks within the
            memory budget.

        Raises
        ------
        ValueError
            If the images are of another shape or kind.
        DeviceError
            If a single image does not fit the GPU.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(f"images of shape {tuple(images.shape)} and type {images.dtype}")
        height, width = images.shape[-2:]
        if min(height, width) < self.stride:
            raise ValueError(f"images of {height} x {width} pixels are smaller than the stride {self.stride}")
        size = (height // self.stride, width // self.stride)
        shape = (len(images), self.channels, *size)
        result = torch.empty(shape, device=self.runtime.device, memory_format=torch.channels_last)

        def work(part: slice) -> None:
            result[part] = self._described(images[part].to(self.runtime.device, torch.float32), size)

        one = 4 * (self._held * height * width + 3 * self.channels * size[0] * size[1])
        with torch.no_grad():  # not inference mode: what is trained on top of the maps must be able to keep them
            in_chunks(len(images), self.runtime.rows_per_chunk(one), work)
        return result

    @abstractmethod
    def _described(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, channels, *size) of images on the device."""


class OrientedEnergy(ImageFeatures):
    """See ``core.backbones.oriented_energy``."""

    NAME = "oriented_energy"

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(self.NAME, runtime, stride=energy.STRIDE, channels=energy.CHANNELS, held=48)

    def _described(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        return energy.oriented_energy(images)


class ResNetMaps(ImageFeatures):
    """Some stages of a residual network, brought to the finest one's stride and joined."""

    def __init__(
        self, name: str, runtime: Runtime, network: ResNet, layers: Sequence[str], weights: Mapping[str, str] = _NONE
    ) -> None:
        strange = [layer for layer in layers if layer not in STAGES]
        if strange:
            raise ConfigError(f"{strange[0]!r} is no layer to take features from", "Use " + ", ".join(STAGES))
        lacking = [layer for layer in layers if layer not in network.stages]
        if lacking:
            raise WeightsError(
                f"{name!r} ends with {network.stages[-1]} and has no {lacking[0]}",
                "Choose other weights, or layers of " + ", ".join(network.stages),
            )
        self._layers = tuple(layer for layer in network.stages if not layers or layer in layers)
        self._strides = [STEM_STRIDE * 2 ** STAGES.index(layer) for layer in self._layers]
        channels = sum(network.channels[layer] for layer in self._layers)
        super().__init__(name, runtime, stride=min(self._strides), channels=channels, held=160, weights=weights)
        self._network = network

    def _described(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        maps = self._network(normalised(images), self._layers)
        return joined([maps[layer] for layer in self._layers], self._strides, size)


class VitMaps(ImageFeatures):
    """The patch tokens of a vision transformer's last block."""

    def __init__(self, name: str, runtime: Runtime, network: vit.VitBase8, weights: Mapping[str, str]) -> None:
        super().__init__(name, runtime, stride=vit.PATCH, channels=vit.WIDTH, held=256, weights=weights)
        self._network = network

    def _described(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        tokens: Tensor = self._network(normalised(images))
        return tokens


class SummedImageFeatures(ImageFeatures):
    """Several extractors side by side: each of unit length at each location, brought to the finest stride, joined."""

    def __init__(self, parts: Sequence[ImageFeatures], runtime: Runtime) -> None:
        weights: dict[str, str] = {}
        for part in parts:
            weights |= part.weights
        super().__init__(
            "+".join(part.name for part in parts),
            runtime,
            stride=min(part.stride for part in parts),
            channels=sum(part.channels for part in parts),
            held=max(part._held for part in parts),
            weights=weights,
        )
        self._parts = tuple(parts)

    def _described(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        # Sides below a coarser part's stride have no cell of it; the last rows and columns are repeated.
        coarsest = max(part.stride for part in self._parts)
        height, width = images.shape[-2:]
        if min(height, width) < coarsest:
            missing = (0, max(0, coarsest - width), 0, max(0, coarsest - height))
            images = functional.pad(images, missing, mode="replicate")
        own = [(images.shape[-2] // part.stride, images.shape[-1] // part.stride) for part in self._parts]
        maps = [
            functional.normalize(part._described(images, at), dim=1) for part, at in zip(self._parts, own, strict=True)
        ]
        return joined(maps, [part.stride for part in self._parts], size)


def normalised(images: Tensor) -> Tensor:
    """RGB in [0, 1] brought to ImageNet's mean and deviation."""
    mean, deviation = (images.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return (images - mean) / deviation


def extractor_of(weights: WeightSet, runtime: Runtime, layers: Sequence[str]) -> ImageFeatures:
    """The extractor of a set; its network is read once for each set and device, and kept."""
    sha256 = weights.sha256
    held = {weights.name: sha256}
    if weights.architecture in RESNETS:
        return ResNetMaps(weights.name, runtime, _resnet(weights, sha256, str(runtime.device)), layers, held)
    return VitMaps(weights.name, runtime, _vit(weights, sha256, str(runtime.device)), held)


def random_extractor(architecture: str, name: str, runtime: Runtime, layers: Sequence[str]) -> ImageFeatures:
    """A residual network before any training."""
    return ResNetMaps(name, runtime, _random(architecture, str(runtime.device)), layers)


@lru_cache(maxsize=2)
def _resnet(weights: WeightSet, sha256: str, device: str) -> ResNet:
    """``sha256`` is in the key so that a replaced file is read again."""
    return load_resnet(weights, device=device)


@lru_cache(maxsize=1)
def _vit(weights: WeightSet, sha256: str, device: str) -> vit.VitBase8:
    return vit.load_vit(weights, device=device)


@lru_cache(maxsize=2)
def _random(architecture: str, device: str) -> ResNet:
    return random_resnet(architecture, RANDOM_SEED, device=device)
