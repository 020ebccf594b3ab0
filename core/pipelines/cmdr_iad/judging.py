"""From a part's features to its maps: distances, fusion, smoothing, in the published order (P3 3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from core.pipelines.cmdr_iad.config import CmdrIadConfig, Mode
from core.pipelines.cmdr_iad.described import Described
from core.pipelines.cmdr_iad.fusion import Fused, Fusing, distance, divisor, fused, means
from core.pipelines.cmdr_iad.levels import Levels
from core.pipelines.cmdr_iad.networks import Networks, Task, told


@dataclass(frozen=True, eq=False)
class Judged:
    """What the networks say of a part; maps are (K, H, W) on the CPU, 0 where nothing is valid.

    Attributes
    ----------
    valid : bool Tensor
    distances : dict of Task to Tensor
        As they count: smoothed, and relative to good parts where the settings say so.
    fused : Fused, or None where only one modality is looked at
    score : Tensor
        Psi, smoothed, not divided by anything.
    points_over, part_over : float
        What the scores of points and of the part are divided by.
    """

    valid: Tensor
    distances: dict[Task, Tensor]
    fused: Fused | None
    score: Tensor
    points_over: float
    part_over: float

    @property
    def part(self) -> float:
        """The part's score."""
        return float(self.score.max()) / self.part_over


def distances(described: Described, networks: Networks) -> dict[Task, Tensor]:
    """(K, H, W) how far each network is off, 0 where nothing is valid."""
    maps: dict[Task, Tensor] = {}
    with torch.no_grad():
        for task, module in networks.modules.items():
            flat = torch.zeros(described.length)
            flat[described.cells.cpu()] = distance(*told(task, module, described)).cpu()
            maps[task] = flat.view(described.shape)
    return maps


def valid_cells(described: Described) -> Tensor:
    """(K, H, W) bool on the CPU."""
    valid = torch.zeros(described.length, dtype=torch.bool)
    valid[described.cells.cpu()] = True
    return valid.view(described.shape)


def smoothed(found: Mapping[Task, Tensor], config: CmdrIadConfig) -> dict[Task, Tensor]:
    """Distances after the means that precede the fusion; of the paper's, only those of the 2D decoder are any."""
    maps = {task: means(one, (config.smoothing_errors, 0, 0)) for task, one in found.items()}
    if "rec_2d" in maps:
        maps["rec_2d"] = means(maps["rec_2d"], (0, config.smoothing2d_5, config.smoothing2d_7))
    return maps


def judge(
    described: Described, found: Mapping[Task, Tensor], levels: Levels, mode: Mode, config: CmdrIadConfig
) -> Judged:
    """The maps of a part from its distances."""
    valid = valid_cells(described)
    maps = levels(smoothed(found, config), valid, config.relative_scale)
    steps = None
    if mode == "2d+3d":
        how = Fusing(config.gate_base, config.gate_slope, config.temperature, config.case)
        steps = fused(maps["map_2d"], maps["map_3d"], maps["rec_2d"], maps["rec_3d"], how)
        raw = steps.score
    else:
        raw = maps["rec_3d" if mode == "3d" else "rec_2d"]
    score = means(raw * valid, (config.smoothing_3, config.smoothing_5, config.smoothing_7))
    over = divisor(score, config.normalise)
    part_over = divisor(score, "root_mean_nonzero" if config.normalise_part else "none")
    return Judged(valid, maps, steps, score, over, part_over)
