"""CMDR-IAD as a pipeline: fitted on good scans, it judges by what image and surface say of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.errors import ModelError, ScanError
from core.pipelines.base import Pipeline
from core.pipelines.cmdr_iad.config import CmdrIadConfig, Mode
from core.pipelines.cmdr_iad.described import Described, Describer
from core.pipelines.cmdr_iad.frame import NO_IMAGE, Frame, Part
from core.pipelines.cmdr_iad.judging import distances, judge, smoothed, valid_cells
from core.pipelines.cmdr_iad.levels import Level, Levels
from core.pipelines.cmdr_iad.networks import TASKS, Networks, Task
from core.pipelines.cmdr_iad.shown import shown_maps
from core.pipelines.cmdr_iad.standard import Standards
from core.pipelines.cmdr_iad.training import seeds, train
from core.pipelines.state import below, joined, packed, packed_weights, reading, text, verify_weights
from core.progress import Progress
from core.runtime import Runtime, deterministic
from core.scan import Scan
from core.scores import ScoreMap, Scores

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Look:
    """A scan's part, its features, and how far each network is off, (K, H, W) by task."""

    part: Part
    described: Described
    distances: Mapping[Task, Tensor]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything that a fit leaves.

    ``mode`` is the one it judges in, which needs no more than the frame's.
    """

    mode: Mode
    frame: Frame
    describer: Describer
    standards: Standards
    networks: Networks
    levels: Levels
    length: int


class CmdrIadPipeline(Pipeline):
    """Two maps between image and surface, and a decoder of each (see README.md of this folder)."""

    id: ClassVar[str] = "cmdr_iad"
    title: ClassVar[str] = "CMDR-IAD"
    paper: ClassVar[str] = (
        "R. Daci et al.: Cross-modal mapping and dual-branch reconstruction for 2D-3D multimodal industrial anomaly "
        "detection, arXiv 2603.03939"
    )
    summary: ClassVar[str] = (
        "Learns what the photograph of a good part says of its surface and the surface of its photograph, and rebuilds "
        "both from little; of clouds without photographs it draws some, and it judges by one of both where asked"
    )
    min_scans: ClassVar[int] = 2
    Config: ClassVar[type[CmdrIadConfig]] = CmdrIadConfig

    def __init__(self, config: CmdrIadConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._fitted: _Fitted | None = None

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        """See ``Pipeline.fit``."""
        self._fitted = None
        if len(scans) < self.min_scans:
            raise ScanError(
                f"CMDR-IAD was given {len(scans)} good scans and needs {self.min_scans}", "Add scans of good parts"
            )
        config, runtime = self.config, self.runtime
        with deterministic():
            frame, transforms = Frame.learn(scans, config, runtime, progress.part(0.0, 0.1))
            describer = Describer(frame, config, runtime)
            described = []
            for i in progress.part(0.1, 0.3).over(range(len(scans)), "describing good scan {i} of {n}"):
                part = frame.part(scans[i], config, mode=frame.mode, transform=transforms[i])
                described.append(describer(part, frame.mode))
            standards = Standards.learn(described, config)
            described = [standards(one) for one in described]
            length = described[0].length
            networks = self._networks(frame, standards, length)
            train(networks, described, config, runtime, progress.part(0.3, 0.95))
            progress.update(0.95, "measuring good parts")
            levels = self._levels(described, networks)
        progress.update(1.0, "fitted")
        self._fitted = _Fitted(frame.mode, frame, describer, standards, networks, levels, length)

    def score(self, scan: Scan, progress: Progress) -> Scores:
        """See ``Pipeline.score``."""
        look = self.look(scan, progress.part(0.0, 0.9))
        progress.update(0.9, "weighing")
        scores = self.weigh(look, self._require().mode, self.config)
        progress.update(1.0, "scored")
        return scores

    @property
    def networks(self) -> Networks:
        """What was trained."""
        return self._require().networks

    def look(self, scan: Scan, progress: Progress) -> Look:
        """How far every network is off on a scan: all that costs time.

        Raises
        ------
        ScanError, RegistrationError
        Cancelled
        """
        fitted = self._require()
        with deterministic():
            progress.update(0.0, "finding the part")
            part = fitted.frame.part(scan, self.config, mode=fitted.mode)
            progress.update(0.3, "describing it")
            described = fitted.standards(fitted.describer(part, fitted.mode))
            progress.update(0.7, "comparing it with what is told and rebuilt")
            return Look(part, described, distances(described, fitted.networks))

    def weigh(self, look: Look, mode: Mode, config: CmdrIadConfig, *, maps: bool = True) -> Scores:
        """The scores of a scan that was looked at.

        Parameters
        ----------
        look : Look
        mode : str
            Needs no more than the model was fitted with.
        config : CmdrIadConfig
            Its settings of fusion, smoothing and normalisation count.
        maps : bool
            Whether the maps of the inner working are wanted too.
        """
        part = look.part
        found = {task: look.distances[task] for task in TASKS[mode]}
        levels = self._require().levels if config.relative else Levels({})
        judged = judge(look.described, found, levels, mode, config)
        held = judged.valid.numpy()

        shown = shown_maps(judged) if maps else {}
        layers = np.stack(
            [(judged.score / judged.points_over).numpy(), *(one.values.numpy() for one in shown.values())]
        )
        points, *others = (part.to_scan(own) for own in part.raster.to_points(layers, held, part.points).T)
        titled = {
            key: ScoreMap(values, one.title, one.kind, one.help, one.ends)
            for (key, one), values in zip(shown.items(), others, strict=True)
        }
        return Scores(points, judged.part, titled)

    def lacks(self, scan: Scan) -> str | None:
        """See ``Pipeline.lacks``."""
        fitted = self._fitted
        if fitted is None or fitted.mode == "3d" or fitted.frame.drawing is not None or scan.image is not None:
            return None
        return NO_IMAGE

    def reduced(self) -> CmdrIadPipeline | None:
        """See ``Pipeline.reduced``: by the surface alone, where surface and photograph were looked at."""
        fitted = self._fitted
        if fitted is None or fitted.mode != "2d+3d" or fitted.frame.drawing is not None:
            return None
        less = CmdrIadPipeline(self.config, self.runtime)
        less._fitted = replace(fitted, mode="3d", networks=fitted.networks.of("3d"))
        return less

    def state(self) -> dict[str, NDArray[Any]]:
        """See ``Pipeline.state``."""
        fitted = self._require()
        groups: dict[str, Mapping[str, NDArray[Any]]] = {
            "frame": fitted.frame.state(),
            "standards": fitted.standards.state(),
            "networks": fitted.networks.state(),
            "levels": fitted.levels.state(),
        }
        state = joined(groups) | packed_weights(self.weights)
        state["mode"] = packed(fitted.mode)
        state["length"] = np.array(fitted.length, np.int64)
        points, images = fitted.describer.points, fitted.describer.images
        state["features/points"] = packed("" if points is None else points.name)
        state["features/images"] = packed("" if images is None else images.name)
        return state

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Pipeline.load_state``."""
        self._fitted = None
        with reading():
            verify_weights(state)
            frame = Frame.from_state(below(state, "frame"))
            mode = text(state["mode"])
            if mode not in ("2d+3d", "3d", "2d"):
                raise ValueError(f"mode {mode!r}")
            names = text(state["features/points"]), text(state["features/images"])
            describer = Describer(frame, self.config, self.runtime, *names)
            standards = Standards.from_state(below(state, "standards"), self.runtime.device)
            length = int(state["length"])
            networks = self._networks(frame, standards, length).of(mode)  # type: ignore[arg-type]
            networks.load(below(state, "networks"))
            networks = networks.to(self.runtime.device)
            levels = Levels.from_state(below(state, "levels"), tuple(networks.modules))
            if self.config.relative and not levels.levels:
                raise KeyError("levels")
        self._fitted = _Fitted(mode, frame, describer, standards, networks, levels, length)  # type: ignore[arg-type]

    @property
    def weights(self) -> Mapping[str, str]:
        """See ``Pipeline.weights``."""
        if self._fitted is None:
            return {}
        used = (self._fitted.describer.points, self._fitted.describer.images)
        return {name: sha256 for one in used if one is not None for name, sha256 in one.weights.items()}

    def _networks(self, frame: Frame, standards: Standards, length: int) -> Networks:
        sizes = standards.channels
        return Networks.made(frame.mode, *sizes, length, self.config, seeds(self.runtime))

    def _levels(self, described: Sequence[Described], networks: Networks) -> Levels:
        """How far off the networks are on the good parts, if errors are to be relative to that."""
        if not self.config.relative:
            return Levels({})
        found = [smoothed(distances(one, networks), self.config) for one in described]
        valid = [valid_cells(one) for one in described]
        return Levels(
            {
                task: Level.learn([one[task] for one in found], valid, self.config.relative_reach)
                for task in networks.modules
            }
        )

    def _require(self) -> _Fitted:
        if self._fitted is None:
            raise ModelError("CMDR-IAD has not been trained", "Train it on good scans, or load a model")
        return self._fitted
