"""A scan's part as it should have been."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from core.backbones.down_up.groups import Groups
from core.backbones.down_up.network import DusNet, following, rebuilt, recalled
from core.backbones.down_up.remembered import GoodSurface
from core.pipelines.dus_net.config import DusNetConfig
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """In the category's frame.

    Attributes
    ----------
    centers : (G, 3) float32
        Of the patches, as measured.
    moved : (G, 3) float32
        Where Down-Net puts them.
    points : (R, 3) float32
        The dense cloud.
    """

    centers: Floats
    moved: Floats
    points: Floats


def reconstruct(
    cloud: Floats,
    model: DusNet,
    surface: GoodSurface | None,
    config: DusNetConfig,
    runtime: Runtime,
    scan_unit: float,
    progress: Progress,
) -> Reconstruction:
    """The part that a cloud should have been.

    Parameters
    ----------
    cloud : (V, 3) float32
        In the category's frame.
    surface : GoodSurface, optional
        What is remembered of good parts.
    scan_unit : float
        Length of the scan's unit in that frame.
    """
    progress.update(0.0, "cutting patches")
    groups = Groups.cut(cloud, config.patches, config.patch_points, runtime)
    centers = np.ascontiguousarray(groups.centers[0].numpy())
    moved = groups.centers.to(runtime.device)
    with torch.inference_mode():
        if config.down_net:
            total, share = torch.zeros_like(moved), torch.zeros_like(moved[..., :1])
            for draw in range(config.noise_draws):
                progress.update(0.2 + 0.5 * draw / config.noise_draws, "predicting the centres")
                noisy = config.noise()(groups, runtime.generator(31, draw), scan_unit).to(runtime.device)
                found, followed = model.down.predict(noisy, None if surface is None else recalled([surface], noisy))
                total, share = total + found, share + followed
            moved, share = total / config.noise_draws, share / config.noise_draws
        progress.update(0.7, "rebuilding the surface")
        points = rebuilt(model, moved) if config.up_net else moved
        if config.follow and config.down_net and config.up_net and surface is not None:
            points = following(points, share, surface)
    progress.update(1.0)
    return Reconstruction(centers, moved[0].cpu().numpy(), points[0].cpu().numpy())
