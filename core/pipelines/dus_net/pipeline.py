"""DUS-Net as a pipeline: it rebuilds the part as it should have been, and judges what the scan departs from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from core.backbones.down_up.network import DusNet, sizes_from
from core.backbones.down_up.remembered import GoodSurface
from core.errors import ModelError, ScanError
from core.geometry.discs import Smoothing, smoothed
from core.geometry.interpolation import interpolate
from core.geometry.neighbors import nearest, spacing
from core.pipelines.base import Pipeline
from core.pipelines.dus_net.config import DusNetConfig
from core.pipelines.dus_net.frame import Frame, Placed
from core.pipelines.dus_net.good_parts import common_surface, hinted, without_each
from core.pipelines.dus_net.reconstruction import Reconstruction, reconstruct
from core.pipelines.dus_net.scoring import Measured, measured
from core.pipelines.dus_net.training import Example, started, train
from core.pipelines.dus_net.usual import Usual
from core.pipelines.part_score import top_mean
from core.pipelines.state import below, joined, packed, reading, text
from core.progress import Progress
from core.runtime import Runtime, deterministic
from core.scan import Scan
from core.scores import ScoreMap, Scores

Floats = NDArray[np.float32]

_SPREAD_SCANS = 12
"""At most this many good scans, evenly chosen, say what is usual at a place."""


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything that a fit learns."""

    frame: Frame
    model: DusNet
    surface: GoodSurface | None
    usual: Usual | None
    smoothing: Smoothing


class DusNetPipeline(Pipeline):
    """Down-Up Sampling Networks (see README.md of this folder)."""

    id: ClassVar[str] = "dus_net"
    title: ClassVar[str] = "DUS-Net"
    paper: ClassVar[str] = (
        "H. Liang et al.: Taming anomalies with Down-Up Sampling Networks: group center preserving reconstruction for "
        "3D anomaly detection, 2025"
    )
    summary: ClassVar[str] = (
        "Rebuilds the part as it should have been and measures how far the scan departs from that, in excess or "
        "missing; a few good scans are enough. Choose it for rigid parts, and to see the repaired part"
    )
    min_scans: ClassVar[int] = 2
    Config: ClassVar[type[DusNetConfig]] = DusNetConfig

    def __init__(self, config: DusNetConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._fitted: _Fitted | None = None

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        self._fitted = None
        config: DusNetConfig = self.config
        if len(scans) < self.min_scans:
            raise ScanError(
                f"DUS-Net was given {len(scans)} good scans and needs {self.min_scans}: each is rebuilt by the others",
                "Add scans of good parts",
            )
        with deterministic():
            model = started(config, self.runtime)
            frame, placed = Frame.learn(scans, config, self.runtime.seed, progress.part(0.0, 0.25))
            step = frame.posing / frame.radius
            surface = common_surface(placed, step) if frame.aligned else None
            others: Sequence[GoodSurface | None] = [None] * len(placed)
            if surface is not None and config.memory:
                progress.update(0.25, "remembering the good surface")
                others = without_each(placed, step)
            examples = [
                Example.of(one, known, config, self.runtime)
                for one, known in zip(
                    progress.part(0.27, 0.35).over(placed, "cutting patches of scan {i} of {n}"), others, strict=True
                )
            ]
            train(model, examples, config, self.runtime, progress.part(0.35, 0.8))
            density = float(np.median([spacing(one.points) for one in placed]))
            fitted = _Fitted(frame, model, surface, None, Smoothing.over(config.smoothing, density))
            if surface is not None and config.relative:
                usual = self._usual(fitted, placed, others, progress.part(0.8, 1.0))
                fitted = _Fitted(frame, model, surface, usual, fitted.smoothing)
        progress.update(1.0, "fitted")
        self._fitted = fitted

    def score(self, scan: Scan, progress: Progress) -> Scores:
        fitted = self._require()
        config: DusNetConfig = self.config
        with deterministic():
            progress.update(0.0, "laying the scan on the good parts")
            placed = fitted.frame.place(scan)
            surface = fitted.surface if config.memory else None
            made = self._rebuilt(fitted, placed, surface, progress.part(0.3, 0.7))
            progress.update(0.7, "measuring what the scan departs by")
            found = self._measured(fitted, placed, made)
            scores = self._scores(fitted, placed, made, found)
        progress.update(1.0, "scored")
        return scores

    def state(self) -> dict[str, NDArray[Any]]:
        fitted = self._require()
        state = joined(
            {
                "frame": fitted.frame.state(),
                "networks": {key: value.cpu().numpy() for key, value in fitted.model.state_dict().items()},
                "sizes": {key: packed(str(value)) for key, value in fitted.model.sizes().items()},
                "surface": {} if fitted.surface is None else fitted.surface.state(),
                "usual": {} if fitted.usual is None else fitted.usual.state(),
            }
        )
        state["smoothing/count"] = np.array(fitted.smoothing.count)
        state["smoothing/radius"] = np.array(fitted.smoothing.radius)
        return state

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._fitted = None
        with reading():
            model = DusNet(*sizes_from({key: text(value) for key, value in below(state, "sizes").items()}))
            model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in below(state, "networks").items()})
            surface, usual = below(state, "surface"), below(state, "usual")
            self._fitted = _Fitted(
                Frame.from_state(below(state, "frame")),
                model.to(self.runtime.device).eval().requires_grad_(False),
                GoodSurface.from_state(surface) if surface else None,
                Usual.from_state(usual) if usual else None,
                Smoothing(int(state["smoothing/count"]), float(state["smoothing/radius"])),
            )

    def _require(self) -> _Fitted:
        if self._fitted is None:
            raise ModelError("DUS-Net has not been trained", "Train it on good scans, or load a model")
        return self._fitted

    def _rebuilt(
        self, fitted: _Fitted, placed: Placed, surface: GoodSurface | None, progress: Progress
    ) -> Reconstruction:
        return reconstruct(
            placed.cloud, fitted.model, surface, self.config, self.runtime, 1.0 / placed.length, progress
        )

    def _measured(self, fitted: _Fitted, placed: Placed, made: Reconstruction) -> Measured:
        if fitted.surface is None:
            hints = hinted([placed], made.points)
        else:
            hints = fitted.surface.normals[nearest(fitted.surface.points, made.points, 1)[1][:, 0]]
        return measured(placed.points, made.points, hints, self.config.border)

    def _usual(
        self, fitted: _Fitted, placed: Sequence[Placed], others: Sequence[GoodSurface | None], progress: Progress
    ) -> Usual:
        """How far good scans depart from what they are rebuilt to."""
        assert fitted.surface is not None
        some = np.unique(np.linspace(0, len(placed) - 1, min(len(placed), _SPREAD_SCANS)).astype(np.int64))
        seen = []
        for i in progress.over(some.tolist(), "rebuilding good scan {i} of {n}"):
            made = self._rebuilt(fitted, placed[i], others[i], Progress())
            found = self._measured(fitted, placed[i], made)
            disc = fitted.smoothing.neighbours(placed[i].points)
            seen.append((placed[i].points, smoothed(found.height, disc), smoothed(found.aside, disc)))
        return Usual.learn(fitted.surface.points, fitted.surface.step, seen, self.config.shrink)

    def _scores(self, fitted: _Fitted, placed: Placed, made: Reconstruction, found: Measured) -> Scores:
        config: DusNetConfig = self.config
        length = np.float32(placed.length)
        disc = fitted.smoothing.neighbours(placed.points)
        height, spread = found.height, None
        if fitted.usual is not None:
            offset, spread = fitted.usual.at(placed.points)
            height = height - offset
        steady = smoothed(height, disc)
        if config.score == "distance":
            values = found.weighted if config.weighting else found.distance
        else:
            values = np.hypot(steady, smoothed(found.aside, disc))
            values = values / spread if spread is not None else values * length
        judged = values if config.score == "distance" or config.object_share == 0 else smoothed(values, disc)
        displaced = np.linalg.norm(made.moved - made.centers, axis=1).astype(np.float32)
        shown = interpolate(displaced, made.centers, placed.points, power=1)
        unit = placed.scan.unit
        maps = {
            "height": ScoreMap(
                placed.to_scan(steady * length),
                "Height over the reconstruction",
                "height",
                f"Distance in {unit} from the part as it should have been: positive in excess, negative missing",
            ),
            "distance": ScoreMap(
                placed.to_scan(found.distance * length),
                "Distance",
                "score",
                f"Distance in {unit} to the nearest point of the part as it should have been",
            ),
            "displacement": ScoreMap(
                placed.to_scan(shown * length),
                "Centre displacement",
                "score",
                f"How far Down-Net moved the centre of the patch here, in {unit}: high where it repaired",
            ),
        }
        if spread is not None:
            maps["usual"] = ScoreMap(
                placed.to_scan(spread * length),
                "Usual departure",
                "score",
                f"How far good parts depart from their own reconstruction here, one standard deviation in {unit}: "
                "high forgives more",
            )
        return Scores(
            placed.to_scan(values),
            top_mean(judged, config.object_share),
            maps,
            placed.to_scan_frame(made.points),
        )
