"""ResNet-18 and Wide-ResNet-50-2 from the stem to layer3, with torchvision's tensor names.

K. He et al.: *Deep Residual Learning for Image Recognition*, CVPR 2016; S. Zagoruyko, N. Komodakis: *Wide Residual
Networks*, BMVC 2016. The detectors take what layer1 to layer3 say and nothing behind them, so layer4 and the
classifier are never built; a published checkpoint's tensors for those are known by name and left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.backbones.checkpoints import read_tensors
from core.backbones.picking import pick_tensors
from core.backbones.weights import WeightSet
from core.errors import WeightsError

STEM_STRIDE = 4
STAGES = ("layer1", "layer2", "layer3")
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's RGB in [0, 1]: what every published checkpoint expects its images normalised by."""

_UNUSED = ("layer4.", "fc.")


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and the residual."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.bn1(self.conv1(x)))
        return torch.relu_(self.bn2(self.conv2(y)) + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 with the stride, 1 x 1, and the residual; twice as wide inside as ResNet-50's."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        width = outputs // 2
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu_(self.bn1(self.conv1(x)))
        y = torch.relu_(self.bn2(self.conv2(y)))
        return torch.relu_(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


@dataclass(frozen=True)
class _Plan:
    title: str
    block: type[BasicBlock] | type[Bottleneck]
    depths: tuple[int, int, int]
    channels: tuple[int, int, int]


_PLANS: Mapping[str, _Plan] = MappingProxyType(
    {
        "resnet18": _Plan("ResNet-18", BasicBlock, (2, 2, 2), (64, 128, 256)),
        "wide_resnet50_2": _Plan("Wide-ResNet-50-2", Bottleneck, (3, 4, 6), (256, 512, 1024)),
    }
)
RESNETS = tuple(_PLANS)
"""The architectures that this module knows."""


class ResNet(nn.Module):
    """A trunk: the stem and the first stages.

    Parameters
    ----------
    architecture : str
        One of ``RESNETS``.
    stages : int
        How many of layer1 to layer3 it has, 1 to 3. Wide-ResNet-50-2 with two, as IAENet takes it, has 4,126,528
        parameters.
    """

    def __init__(self, architecture: str, stages: int = 3) -> None:
        super().__init__()
        plan = _PLANS[architecture]
        self.architecture = architecture
        self.stages = STAGES[:stages]
        self.channels = dict(zip(STAGES, plan.channels, strict=True))
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for i, name in enumerate(self.stages):
            outputs, blocks = plan.channels[i], []
            for j in range(plan.depths[i]):
                blocks.append(plan.block(inputs, outputs, 2 if i > 0 and j == 0 else 1))
                inputs = outputs
            setattr(self, name, nn.Sequential(*blocks))

    def forward(self, images: Tensor, layers: Sequence[str] = STAGES) -> dict[str, Tensor]:
        """The outputs of the stages named.

        Parameters
        ----------
        images : (B, 3, H, W) tensor
            RGB, normalised by ``MEAN`` and ``DEVIATION``.
        layers : sequence of str
            Of ``stages``; what lies behind the last one is not computed.

        Returns
        -------
        dict of str to (B, C, h, w) tensor
            Strides 4, 8 and 16.
        """
        x = self.maxpool(torch.relu_(self.bn1(self.conv1(images))))
        outputs = {}
        for name in self.stages[: max(self.stages.index(layer) for layer in layers) + 1]:
            x = getattr(self, name)(x)
            if name in layers:
                outputs[name] = x
        return outputs

    def initialise(self, generator: torch.Generator) -> None:
        """He's initialisation, as published: normal, by fan-out; batch norms at one and zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)


def resnet_tensors(architecture: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pick the trunk's tensors out of a checkpoint with torchvision's (or timm's, the same) names.

    A file may end after layer1, layer2 or layer3: as many stages are taken as it begins.

    Raises
    ------
    WeightsError
        If the file is not of this network; says what was expected and found.
    """
    plan = _PLANS[architecture]
    stages = max((i + 1 for i, name in enumerate(STAGES) if f"{name}.0.conv1.weight" in tensors), default=1)
    remedy = f"Choose a {plan.title} checkpoint with torchvision's tensor names"
    return pick_tensors(tensors, _expected(architecture, stages), title=plan.title, remedy=remedy, unused=_UNUSED)


def resnet18_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """See ``resnet_tensors``."""
    return resnet_tensors("resnet18", tensors)


def wide_resnet50_2_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """See ``resnet_tensors``."""
    return resnet_tensors("wide_resnet50_2", tensors)


def load_resnet(weights: WeightSet, *, device: torch.device | str = "cpu") -> ResNet:
    """The trunk with weights, for inference: float32, frozen, channels last, batch norms folded into convolutions.

    Raises
    ------
    WeightsError
        If the set is missing or not of its architecture.
    """
    if weights.path is None:
        raise WeightsError(f"The weights {weights.name} are not on this computer", "Import them first")
    try:
        return trunk_of(weights.architecture, read_tensors(weights.path), device=device)
    except WeightsError as error:
        raise WeightsError(f"{weights.path.name}: {error.problem}", error.remedy) from error


def trunk_of(
    architecture: str, tensors: Mapping[str, Tensor], *, device: torch.device | str = "cpu", folded: bool = True
) -> ResNet:
    """The trunk with a checkpoint's tensors, for inference; ``folded`` merges its batch norms into convolutions."""
    picked = resnet_tensors(architecture, tensors)
    with torch.device("meta"):
        model = ResNet(architecture, sum(f"{name}.0.conv1.weight" in picked for name in STAGES))
    model.load_state_dict(picked, assign=True)
    return _frozen(model, device, folded)


def random_resnet(architecture: str, seed: int = 0, *, device: torch.device | str = "cpu") -> ResNet:
    """The trunk before any training: the random network that weights are held against. For inference."""
    model = ResNet(architecture)
    model.initialise(torch.Generator().manual_seed(seed))
    return _frozen(model, device, folded=True)


def _frozen(model: ResNet, device: torch.device | str, folded: bool) -> ResNet:
    model = model.eval().requires_grad_(False)
    if folded:
        _fold(model)
    return cast(ResNet, cast(Any, model).to(device, memory_format=torch.channels_last))


def _fold(module: nn.Module) -> None:
    """Merge every batch norm into the convolution before it; the module stays of the same kind and shape."""
    children = dict(module.named_children())
    names = list(children)
    for name, child in children.items():
        if isinstance(child, nn.BatchNorm2d):
            before = name.replace("bn", "conv") if name.startswith("bn") else names[names.index(name) - 1]
            conv = children[before]
            assert isinstance(conv, nn.Conv2d)
            setattr(module, before, fuse_conv_bn_eval(conv, child))
            setattr(module, name, nn.Identity())
        else:
            _fold(child)


@lru_cache(maxsize=8)
def _expected(architecture: str, stages: int) -> Mapping[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in ResNet(architecture, stages).state_dict().items()}
