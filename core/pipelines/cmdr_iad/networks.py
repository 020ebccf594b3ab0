"""The four networks of a model: what each is given, what it should tell, and how far off it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.pipelines.cmdr_iad.config import CmdrIadConfig, Mode
from core.pipelines.cmdr_iad.decoder_2d import Decoder2d
from core.pipelines.cmdr_iad.decoder_3d import Decoder3d
from core.pipelines.cmdr_iad.described import Described, Features
from core.pipelines.cmdr_iad.mapping import CrossModalMap
from core.pipelines.state import below, joined

Task = Literal["map_2d", "map_3d", "rec_2d", "rec_3d"]

TASKS: Mapping[Mode, tuple[Task, ...]] = {
    "2d+3d": ("map_2d", "map_3d", "rec_2d", "rec_3d"),
    "3d": ("rec_3d",),
    "2d": ("rec_2d",),
}
"""map_2d tells image features from those of the surface, map_3d the other way round."""

TITLES: Mapping[Task, str] = {
    "map_2d": "mapping the surface to the image",
    "map_3d": "mapping the image to the surface",
    "rec_2d": "rebuilding the image",
    "rec_3d": "rebuilding the surface",
}


class Networks:
    """The networks of a mode.

    Attributes
    ----------
    modules : dict of Task to Module
    """

    def __init__(self, modules: dict[Task, nn.Module]) -> None:
        self.modules = modules

    @classmethod
    def made(
        cls, mode: Mode, surface: int, image: int, length: int, config: CmdrIadConfig, seeds: Mapping[Task, int]
    ) -> Networks:
        """Before training.

        Parameters
        ----------
        surface, image : int
            Channels; 0 where the mode has no such features.
        length : int
            Cells of the raster.
        seeds : mapping of Task to int
            Of the weights. One a network, so that a network starts alike in every mode.
        """
        modules: dict[Task, nn.Module] = {}
        for task in TASKS[mode]:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seeds[task])
                modules[task] = _made(task, surface, image, length, config)
        return cls(modules)

    def to(self, device: torch.device) -> Networks:
        """On a device, in evaluation mode."""
        return Networks({task: module.to(device).eval() for task, module in self.modules.items()})

    def of(self, mode: Mode) -> Networks:
        """Those that a mode needs."""
        return Networks({task: self.modules[task] for task in TASKS[mode]})

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return joined(
            {
                task: {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}
                for task, module in self.modules.items()
            }
        )

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take what ``state`` gave.

        Raises
        ------
        RuntimeError
            If it is of other networks.
        """
        for task, module in self.modules.items():
            own = below(state, task)
            module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in own.items()})


def told(
    task: Task, module: nn.Module, described: Described, among: NDArray[np.int64] | None = None
) -> tuple[Tensor, Tensor]:
    """What a network makes of a part at its valid cells, and what it should: (n, C) each.

    Networks run on valid cells only, and first layers where the features are fewest: the numbers are those of the plain
    form over all cells.

    Parameters
    ----------
    among : (m,) int64, optional
        Which of the valid cells are wanted, for networks that see each place alone at their end; the 3D decoder gives
        all.
    """
    surface, image = described.surface, described.image
    if task == "rec_3d":
        target = _needed(surface).at_cells
        return module(target[None], described.cells)[0, described.cells], target
    if task == "rec_2d":
        own = _needed(image)
        assert own.everywhere is not None
        assert isinstance(module, Decoder2d)
        cells = (
            described.cells if among is None else described.cells[torch.from_numpy(among).to(described.cells.device)]
        )
        return module.of_sources(own.sources, own.everywhere, described.shape, cells), own.at(among)
    assert isinstance(module, CrossModalMap)
    given, wanted = (surface, image) if task == "map_2d" else (image, surface)
    given, wanted = _needed(given), _needed(wanted)
    if among is not None:
        return module(given.at(among)), wanted.at(among)
    return module.of_sources(given.sources, given.spread), wanted.at_cells


def _made(task: Task, surface: int, image: int, length: int, config: CmdrIadConfig) -> nn.Module:
    if task == "map_2d":
        return CrossModalMap(surface, image, dropout=config.dropout)
    if task == "map_3d":
        return CrossModalMap(image, surface, dropout=config.dropout)
    if task == "rec_2d":
        width = max(24, config.decoder2d_width // 24 * 24)
        return Decoder2d(image, width=width, window=config.window, dropout=config.dropout)
    return Decoder3d(length, surface, width=config.decoder3d_width, gate=config.gate, dropout=config.dropout)


def _needed(features: Features | None) -> Features:
    assert features is not None
    return features
