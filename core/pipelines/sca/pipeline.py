"""SCA as a pipeline: fitted on good scans, it judges every point of a new one in a single pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from core.backbones.weights import WeightSet, default_weights, find, verify
from core.errors import ModelError, ScanError
from core.geometry.neighbors import nearest
from core.pipelines.base import Pipeline
from core.pipelines.part_score import top_mean
from core.pipelines.sca.anchors import SurfaceAnchors
from core.pipelines.sca.config import ScaConfig
from core.pipelines.sca.feature_space import FeatureSpace
from core.pipelines.sca.frame import Frame, Placed
from core.pipelines.sca.patch_features import PatchSet, patch_set
from core.pipelines.sca.projection import between_centers, highest_of_patches, median_filter
from core.pipelines.sca.training import Detector, train_detector
from core.pipelines.state import below, joined, packed, reading, text
from core.progress import Progress
from core.runtime import Runtime, deterministic
from core.scan import Scan
from core.scores import ScoreMap, Scores

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything that a fit learns."""

    frame: Frame
    scale: float
    weights: WeightSet
    surface: SurfaceAnchors | None
    space: FeatureSpace
    detector: Detector


class ScaPipeline(Pipeline):
    """Spatial context aggregation and selective anomalous feature generation (see README.md of this folder)."""

    id: ClassVar[str] = "sca"
    title: ClassVar[str] = "SCA"
    paper: ClassVar[str] = (
        "D.-C. Hoang et al.: Efficient industrial point cloud anomaly detection via spatial context aggregation and "
        "selective anomalous feature generation, Scientific Reports 2026"
    )
    summary: ClassVar[str] = (
        "Looks at many small patches of the surface, each in the light of the whole part; for parts whose shape "
        "alone tells good from bad"
    )
    Config: ClassVar[type[ScaConfig]] = ScaConfig

    def __init__(self, config: ScaConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._fitted: _Fitted | None = None

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        self._fitted = None
        config: ScaConfig = self.config
        if not scans:
            raise ScanError("There are no good scans to train on", "Choose a folder with scans of good parts")
        weights = self._weights()
        with deterministic():
            frame, placed = Frame.learn(scans, config, self.runtime.seed, progress.part(0.0, 0.35))
            scale = self._scale(placed)
            surface = None
            if config.placed_weight > 0 and frame.pose.reference is not None:
                progress.update(0.35, "averaging the good surfaces")
                surface = SurfaceAnchors.learn([one.points for one in placed], frame.step)
            sets = []
            for i, one in enumerate(progress.part(0.36, 0.8).over(placed, "looking at scan {i} of {n}")):
                # A training scan is described without its own share of the mean surface, as a new one will be.
                own = surface.without(one.points) if surface is not None else None
                for copy in range(config.copies):
                    points = self._augmented(one.whole, i, copy)
                    start = None if copy == 0 else self._start(points, i, copy)
                    sets.append(patch_set(points, frame.step, start, scale, weights, own, config, self.runtime))
            progress.update(0.8, "learning what is usual at each place")
            if config.align == "auto" and frame.pose.reference is None:
                # Without a common pose a place means nothing, so all places are judged alike.
                config = dataclasses.replace(config, anchors=0)
            space, features = FeatureSpace.learn(
                sets, config, owners=[i for i in range(len(placed)) for _ in range(config.copies)]
            )
            detector = train_detector(
                features, [one.centers for one in sets], config, self.runtime, progress.part(0.82, 1.0)
            )
        self._fitted = _Fitted(frame, scale, weights, surface, space, detector)

    def score(self, scan: Scan, progress: Progress) -> Scores:
        fitted = self._require()
        config: ScaConfig = self.config
        with deterministic():
            progress.update(0.0, "preparing the scan")
            placed = fitted.frame.place(scan)
            whole = placed.whole
            total = np.zeros(len(whole))
            first: PatchSet | None = None
            for start in range(config.starts):
                progress.update(0.3 + 0.6 * start / config.starts, "looking at patches")
                chosen = None if start == 0 else self._start(whole, start)
                one = patch_set(
                    whole,
                    fitted.frame.step,
                    chosen,
                    fitted.scale,
                    fitted.weights,
                    fitted.surface,
                    config,
                    self.runtime,
                )
                logits = self._logits(fitted, one)
                if config.projection == "max":
                    total += highest_of_patches(logits, one.patches.neighbors, whole, one.centers)
                else:
                    total += between_centers(logits, whole, one.centers)
                first = first or one
            progress.update(0.9, "drawing the heatmap")
            raw = (total / config.starts).astype(np.float32)
            filtered = median_filter(raw, whole, config.median_radius * fitted.frame.step)
        assert first is not None
        points = placed.to_scan(filtered)
        progress.update(1.0, "scored")
        return Scores(points, top_mean(points, config.object_share), self._maps(fitted, placed, raw, first))

    def state(self) -> dict[str, NDArray[Any]]:
        fitted = self._require()
        groups = {
            "frame": fitted.frame.state(),
            "space": fitted.space.state(),
            "detector": {key: value.cpu().numpy() for key, value in fitted.detector.state_dict().items()},
            "surface": {} if fitted.surface is None else fitted.surface.state(),
        }
        state = joined(groups)
        state["scale"] = np.array(fitted.scale)
        state["weights/name"] = packed(fitted.weights.name)
        state["weights/sha256"] = packed(fitted.weights.sha256)
        return state

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._fitted = None
        with reading():
            weights = find(text(state["weights/name"]))
            verify(weights, text(state["weights/sha256"]))
            space = FeatureSpace.from_state(below(state, "space"))
            detector = Detector(len(space.weights), self.config)
            detector.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in below(state, "detector").items()})
            surface = below(state, "surface")
            self._fitted = _Fitted(
                Frame.from_state(below(state, "frame")),
                float(state["scale"]),
                weights,
                SurfaceAnchors.from_state(surface) if surface else None,
                space,
                detector.to(self.runtime.device).eval(),
            )

    @property
    def weights(self) -> Mapping[str, str]:
        chosen = self._fitted.weights if self._fitted is not None else self._weights()
        return {chosen.name: chosen.sha256}

    def _require(self) -> _Fitted:
        if self._fitted is None:
            raise ModelError("SCA has not been trained", "Train it on good scans, or load a model")
        return self._fitted

    def _weights(self) -> WeightSet:
        return default_weights("point_mae") if self.config.weights == "auto" else find(self.config.weights)

    def _scale(self, placed: Sequence[Placed]) -> float:
        """What brings patches to the radius that the backbone was trained on; 1 where they stay as they are."""
        config: ScaConfig = self.config
        if config.patch_scale == 0:
            return 1.0
        radii = []
        for one in placed[:5]:
            some = one.points[np.linspace(0, len(one.points) - 1, min(200, len(one.points))).astype(np.int64)]
            k = min(config.patch_points, len(one.points))
            radii.append(nearest(one.points, some, k)[0][:, -1].mean())
        return config.patch_scale / max(float(np.mean(radii)), 1e-12)

    def _start(self, points: Floats, *salt: int) -> int:
        return int(self.runtime.rng(2, *salt).integers(len(points)))

    def _augmented(self, points: Floats, scan: int, copy: int) -> Floats:
        """A copy turned about the vertical, jittered and scaled (paper, "Implementation details").

        The first copy is the scan as it was measured.
        """
        config: ScaConfig = self.config
        if copy == 0:
            return points
        rng = self.runtime.rng(3, scan, copy)
        angle = np.radians(rng.uniform(-config.yaw, config.yaw))
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        turned = points @ turn.T * (1.0 + rng.uniform(-config.scaling, config.scaling))
        return (turned + rng.normal(0.0, config.jitter, points.shape)).astype(np.float32)

    def _logits(self, fitted: _Fitted, one: PatchSet) -> Floats:
        device = self.runtime.device
        features = torch.from_numpy(fitted.space.features(one, self.config)).to(device)
        with torch.inference_mode():
            logits = fitted.detector(features[None], torch.from_numpy(one.centers).to(device)[None])[0]
        result: Floats = logits.cpu().numpy()
        return result

    def _maps(self, fitted: _Fitted, placed: Placed, raw: Floats, one: PatchSet) -> dict[str, ScoreMap]:
        owner = nearest(one.centers, placed.points, 1)[1][:, 0]
        maps = {
            "patch": ScoreMap(
                placed.to_scan(raw),
                "Patch score",
                "score",
                "The discriminator's answer before smoothing; high is unusual",
            )
        }
        if self.config.aggregation:
            maps["prototype"] = ScoreMap(
                placed.to_scan(one.prototype[owner].astype(np.float32)),
                "Prototype",
                "label",
                "Which region of the part each patch was assigned to by optimal transport",
            )
            maps["context_shift"] = ScoreMap(
                placed.to_scan(one.shift[owner]),
                "Context shift",
                "score",
                "How far a patch's feature moved towards the rest of the part; high is unlike its surroundings",
            )
        if one.heights is not None:
            maps["height"] = ScoreMap(
                placed.to_scan(one.heights * np.float32(fitted.frame.radius)),
                "Height",
                "height",
                "Distance from the good parts' mean surface, outwards positive",
            )
        return maps
