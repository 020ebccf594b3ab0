"""BTF: PatchCore over FPFH, and beside it over image features where scans have photographs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import ModelError, ScanError
from core.pipelines.base import Pipeline
from core.pipelines.btf.config import BtfConfig
from core.pipelines.btf.describing import Describer
from core.pipelines.btf.parts import Frame, Part
from core.pipelines.btf.recollection import Recollection
from core.pipelines.btf.surface import smoothed
from core.pipelines.part_score import top_mean
from core.pipelines.state import below, joined, packed, packed_weights, reading, text, verify_weights
from core.progress import Progress
from core.runtime import Runtime, deterministic
from core.scan import Scan
from core.scores import ScoreMap, Scores

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything that a fit leaves."""

    frame: Frame
    describer: Describer
    shape: Recollection
    colour: Recollection | None


class BtfPipeline(Pipeline):
    """A memory of good patches (see README.md of this folder)."""

    id: ClassVar[str] = "btf"
    title: ClassVar[str] = "BTF"
    paper: ClassVar[str] = (
        "E. Horwitz, Y. Hoshen: Back to the feature: classical 3D features are (almost) all you need for 3D anomaly "
        "detection, CVPR Workshops 2023"
    )
    summary: ClassVar[str] = (
        "Remembers how the surface bends around every place of good parts, and how photographs of them look, and "
        "measures how unlike all of that a place is. Parts may lie anyhow; it does not know which place should look "
        "like what."
    )
    reference: ClassVar[bool] = True
    min_scans: ClassVar[int] = 1
    Config: ClassVar[type[BtfConfig]] = BtfConfig

    def __init__(self, config: BtfConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._fitted: _Fitted | None = None

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        """See ``Pipeline.fit``."""
        self._fitted = None
        if not scans:
            raise ScanError("There is no good scan to learn from", "Add good scans to the category")
        config, runtime = self.config, self.runtime
        with deterministic():
            frame = Frame.learn(scans, config, runtime.seed, progress.part(0.0, 0.15))
            describer = Describer(frame, config, runtime)
            pictured: list[Tensor] = []

            def shapes() -> Iterator[Tensor]:
                for scan in progress.part(0.15, 0.8).over(scans, "describing good scan {i} of {n}"):
                    part = frame.part(scan, config, runtime)
                    if frame.photographs:
                        pictured.append(describer.colour(part)[0].cpu())
                    yield describer.shape(part)
                progress.update(0.8, "choosing what to remember of the shape")

            shape = Recollection.learn(shapes(), len(scans), config, runtime)
            colour = None
            if frame.photographs:
                progress.update(0.9, "choosing what to remember of the photographs")
                moved = (rows.to(runtime.device) for rows in pictured)
                colour = Recollection.learn(moved, len(scans), config, runtime)
        progress.update(1.0, "fitted")
        self._fitted = _Fitted(frame, describer, shape, colour)

    def score(self, scan: Scan, progress: Progress) -> Scores:
        """See ``Pipeline.score``."""
        fitted, config = self._require(), self.config
        with deterministic():
            progress.update(0.0, "finding the part")
            part = fitted.frame.part(scan, config, self.runtime)
            progress.update(0.3, "comparing its shape with good parts")
            shape, worst = self._shape(fitted, part)
            maps = {"geometry": ScoreMap(part.to_scan(shape), "Geometry", "score", _GEOMETRY)}
            if fitted.colour is not None:
                progress.update(0.7, "comparing its photograph with good parts")
                seen, worst_seen = self._colour(fitted, fitted.colour, part)
                maps["colour"] = ScoreMap(part.to_scan(seen), "Colour", "score", _COLOUR)
                shape, worst = np.hypot(shape, seen), float(np.hypot(worst, worst_seen))
                maps["combined"] = ScoreMap(part.to_scan(shape), "Combined", "score", _COMBINED)
        progress.update(1.0, "scored")
        return Scores(part.to_scan(shape), worst, maps)

    def _shape(self, fitted: _Fitted, part: Part) -> tuple[Floats, float]:
        """(P,) how unlike good parts each point's surroundings are, and the worst of them, in usual distances."""
        config, thinned = self.config, part.thinned
        found = fitted.shape.compare(fitted.describer.shape(part), config)
        values = found.distances / np.float32(fitted.shape.level)
        spacing = fitted.frame.voxel * float(np.sqrt(len(thinned.points) / len(thinned.centers)))
        calm = smoothed(values, thinned.centers, config.smoothing * fitted.frame.voxel, spacing)
        return thinned.to_points(calm, part.points), found.weight * self._worst(values, calm)

    def _colour(self, fitted: _Fitted, memory: Recollection, part: Part) -> tuple[Floats, float]:
        """The same of the photograph."""
        assert part.pictures is not None
        rows, cells = fitted.describer.colour(part)
        found = memory.compare(rows, self.config)
        values = found.distances / np.float32(memory.level)
        maps = torch.zeros(cells.shape)
        maps[cells] = torch.from_numpy(values)
        calm = part.of_picture(part.pictures.to_points(maps, cells, self.config.image_smoothing))
        return calm, found.weight * self._worst(values, calm)

    def _worst(self, values: Floats, calm: Floats) -> float:
        """What counts for the part, of its patches or of its smoothed scores."""
        return top_mean(calm if self.config.top_smoothed else values, self.config.top)

    def state(self) -> dict[str, NDArray[Any]]:
        """See ``Pipeline.state``."""
        fitted = self._require()
        groups: dict[str, Mapping[str, NDArray[Any]]] = {"frame": fitted.frame.state(), "shape": fitted.shape.state()}
        if fitted.colour is not None:
            groups["colour"] = fitted.colour.state()
        state = joined(groups) | packed_weights(self.weights)
        state["features/points"] = packed(fitted.describer.points.name)
        if fitted.describer.images is not None:
            state["features/images"] = packed(fitted.describer.images.name)
        return state

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Pipeline.load_state``."""
        self._fitted = None
        with reading():
            verify_weights(state)
            frame = Frame.from_state(below(state, "frame"))
            images = text(state["features/images"]) if frame.photographs else ""
            describer = Describer(frame, self.config, self.runtime, text(state["features/points"]), images)
            shape = Recollection.from_state(below(state, "shape"), self.runtime)
            colour = Recollection.from_state(below(state, "colour"), self.runtime) if frame.photographs else None
        self._fitted = _Fitted(frame, describer, shape, colour)

    @property
    def weights(self) -> Mapping[str, str]:
        """See ``Pipeline.weights``."""
        if self._fitted is None:
            return {}
        images = self._fitted.describer.images
        return {**self._fitted.describer.points.weights, **({} if images is None else images.weights)}

    def _require(self) -> _Fitted:
        if self._fitted is None:
            raise ModelError("BTF has not been trained", "Train it on good scans, or load a model")
        return self._fitted


_UNIT = "1 is what one good patch in a hundred exceeds"
_GEOMETRY = f"How unlike all good parts the surface bends here: {_UNIT}"
_COLOUR = f"How unlike all good parts the photograph looks here: {_UNIT}"
_COMBINED = "Geometry and colour together: the root of the sum of their squares"
