"""DUS-Net's two networks as one set of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.backbones.checkpoints import read_tensors
from core.backbones.down_up.down_net import DownNet, DownSizes, Recalled
from core.backbones.down_up.groups import Groups
from core.backbones.down_up.pyramid import Pyramid
from core.backbones.down_up.remembered import GoodSurface
from core.backbones.down_up.up_net import UpNet, UpSizes
from core.backbones.weights import WeightSet
from core.errors import WeightsError

ARCHITECTURE = "dus_net"


class DusNet(nn.Module):
    """Down-Net and Up-Net."""

    def __init__(self, down: DownSizes, up: UpSizes) -> None:
        super().__init__()
        self.down, self.up = DownNet(down), UpNet(up)

    @classmethod
    def drawn(cls, down: DownSizes, up: UpSizes, seed: int) -> DusNet:
        """Untrained networks, their parameters drawn from a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(down, up)

    def sizes(self) -> dict[str, Any]:
        """Both networks' sizes, for a card or a state."""
        return {**asdict(self.down.sizes), **{f"up_{key}": value for key, value in asdict(self.up.sizes).items()}}


def sizes_from(plain: Mapping[str, Any]) -> tuple[DownSizes, UpSizes]:
    """What ``DusNet.sizes`` gave.

    Raises
    ------
    KeyError
        If one is missing.
    """
    down = DownSizes(int(plain["width"]), int(plain["depth"]), int(plain["heads"]), plain["output"])
    return down, UpSizes(int(plain["up_rate"]), int(plain["up_neighbors"]), plain["up_output"], plain["up_axes"])


def load_dus_net(weights: WeightSet) -> DusNet:
    """The networks of a weight set, float32, in evaluation.

    Raises
    ------
    WeightsError
        If the set is another network's.
    """
    assert weights.path is not None
    tensors: Mapping[str, Tensor] = read_tensors(weights.path)
    try:
        model = DusNet(*sizes_from((weights.card or {})["sizes"]))
        model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"The weights {weights.name!r} are not those of DUS-Net", "Choose another set") from error
    return model.eval()


def recalled(surfaces: list[GoodSurface], noisy: Groups) -> Recalled:
    """What each cloud's remembered surface tells of its noisy centres."""
    centers = noisy.centers.detach().cpu().numpy()
    radii = noisy.radius.cpu().numpy()
    found = [s.recall(np.ascontiguousarray(c), float(r)) for s, c, r in zip(surfaces, centers, radii, strict=True)]
    steps, told = (torch.from_numpy(np.stack(values)).to(noisy.centers.device) for values in zip(*found, strict=True))
    return Recalled(steps, told)


def rebuilt(model: DusNet, centers: Tensor) -> Tensor:
    """Up-Net's cloud (B, G * rate, 3) over centres (B, G, 3)."""
    points: Tensor = model.up(Pyramid.of(centers, model.up.sizes.neighbors))
    return points


def following(points: Tensor, followed: Tensor, surface: GoodSurface) -> Tensor:
    """Points (1, G * rate, 3) drawn to a remembered surface by the share (1, G, 1) that their centre was."""
    steps, _ = surface.recall(np.ascontiguousarray(points[0].cpu().numpy()), 1.0)
    shares = followed.repeat_interleave(points.shape[1] // followed.shape[1], dim=1)
    return points + shares * torch.from_numpy(steps).to(points.device)
