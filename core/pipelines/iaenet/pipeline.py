"""IAENet as a pipeline: fitted on good scans, it judges points by two experts and weighs one against the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError, ScanError
from core.pipelines.base import Pipeline
from core.pipelines.explanation import Explanation
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.expert_2d import Expert2D, ImageMemory
from core.pipelines.iaenet.expert_3d import Expert3D
from core.pipelines.iaenet.experts import Experts, Look, extractor, of_the_part
from core.pipelines.iaenet.frame import Frame, Prepared
from core.pipelines.iaenet.fusing import fit_fusions, training_maps
from core.pipelines.iaenet.fusion import Fusions
from core.pipelines.iaenet.good_scans import GoodScans
from core.pipelines.iaenet.pictures import Photographer
from core.pipelines.iaenet.scaling import Scaling
from core.pipelines.state import below, joined, packed, packed_weights, reading, text, verify_weights
from core.progress import Progress
from core.runtime import Runtime, deterministic
from core.scan import Scan
from core.scores import ScoreMap, Scores

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything that a fit learns."""

    experts: Experts
    scaling: Scaling
    fusions: Fusions
    good: GoodScans


class IaenetPipeline(Pipeline):
    """Two experts, a dual memory bank and importance-aware fusion (see README.md of this folder)."""

    id: ClassVar[str] = "iaenet"
    title: ClassVar[str] = "IAENet"
    paper: ClassVar[str] = (
        "X. Cao et al.: IAENet: an importance-aware ensemble model for 3D point cloud-based anomaly detection, "
        "Information Fusion 2026"
    )
    summary: ClassVar[str] = (
        "Looks at the surface as pictures and as small pieces of shape, remembers good parts, and learns which of the "
        "two to trust where; it can show the good surface that a place was held against"
    )
    min_scans: ClassVar[int] = 2
    explains: ClassVar[bool] = True
    Config: ClassVar[type[IaenetConfig]] = IaenetConfig

    def __init__(self, config: IaenetConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._fitted: _Fitted | None = None

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        self._fitted = None
        if len(scans) < self.min_scans:
            raise ScanError(
                f"IAENet was given {len(scans)} good scans and needs {self.min_scans}: each is judged by the others",
                "Add scans of good parts",
            )
        with deterministic():
            experts, prepared, coded, described = Experts.fit(scans, self.config, self.runtime, progress.part(0.0, 0.5))
            found = training_maps(
                experts, prepared, coded, described, self.config, self.runtime, progress.part(0.5, 0.9)
            )
            scaling, fusions = fit_fusions(found, self.config, self.runtime, progress.part(0.9, 1.0))
        progress.update(1.0, "fitted")
        self._fitted = _Fitted(experts, scaling, fusions, GoodScans.of(prepared, self.runtime))

    def score(self, scan: Scan, progress: Progress) -> Scores:
        fitted = self._require()
        with deterministic():
            prepared, look = self._look(fitted, scan, progress)
            progress.update(0.9, "weighing the experts")
            scores = self._scores(fitted, prepared, look)
        progress.update(1.0, "scored")
        return scores

    def explain(self, scan: Scan, point: int, progress: Progress) -> Explanation | None:
        fitted = self._require()
        if not 0 <= point < len(scan):
            raise ScanError(f"Scan {scan.name} has no point {point}", f"Pick one of its {len(scan)} points")
        with deterministic():
            prepared = fitted.experts.frame.prepare(scan)
            at = prepared.point_of(point)
            if at is None:
                return None
            progress.update(0.3, "looking at the surface")
            coded = fitted.experts.three.encode(prepared.cloud)
            progress.update(0.6, "looking for good surfaces")
            judged = fitted.experts.judge_shape(coded)
            pictures = fitted.experts.two.photographer.take(prepared)
            shown = float(fitted.experts.two.smoothed(prepared, pictures, judged.points)[at])
            memory = fitted.experts.memory.shape
            found = fitted.good.explain(prepared, coded, judged, memory, at, shown, self.config.sdf_settings())
        progress.update(1.0, "explained")
        return found

    def state(self) -> dict[str, NDArray[Any]]:
        fitted = self._require()
        experts = fitted.experts
        features = experts.two.features
        return joined(
            {
                "frame": experts.frame.state(),
                "photographer": experts.two.photographer.state(),
                "sdf": experts.three.state(),
                "memory": experts.memory.state(),
                "scaling": fitted.scaling.state(),
                "fusion": fitted.fusions.state(),
                "good": fitted.good.state(),
                "features": {"name": packed(features.name), **packed_weights(features.weights)},
            }
        )

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._fitted = None
        config: IaenetConfig = self.config

        with reading():
            features = below(state, "features")
            verify_weights(features)
            photographer = Photographer.from_state(below(state, "photographer"))
            experts = Experts(
                Frame.from_state(below(state, "frame")),
                Expert3D.from_state(below(state, "sdf"), config.sdf_settings(), self.runtime),
                Expert2D(
                    extractor(config, photographer, self.runtime, text(features["name"])),
                    photographer,
                    config.settings_2d(),
                    self.runtime,
                ),
                ImageMemory.from_state(below(state, "memory"), self.runtime),
            )
            fitted = _Fitted(
                experts,
                Scaling.from_state(below(state, "scaling")),
                Fusions.from_state(below(state, "fusion"), self.runtime),
                GoodScans.from_state(below(state, "good")),
            )
        self._fitted = fitted

    @property
    def weights(self) -> Mapping[str, str]:
        if self._fitted is not None:
            return dict(self._fitted.experts.two.features.weights)
        return {}

    def _require(self) -> _Fitted:
        if self._fitted is None:
            raise ModelError("IAENet has not been trained", "Train it on good scans, or load a model")
        return self._fitted

    def _look(self, fitted: _Fitted, scan: Scan, progress: Progress) -> tuple[Prepared, Look]:
        experts = fitted.experts
        progress.update(0.0, "preparing the scan")
        prepared = experts.frame.prepare(scan)
        progress.update(0.3, "looking at the shape of patches")
        coded = experts.three.encode(prepared.cloud)
        progress.update(0.5, "looking at pictures of the surface")
        described = experts.two.describe(prepared)
        progress.update(0.7, "comparing with good parts")
        return prepared, experts.judge(prepared, coded, described)

    def _scores(self, fitted: _Fitted, prepared: Prepared, look: Look) -> Scores:
        config: IaenetConfig = self.config
        scaled = fitted.scaling(look.maps)
        importance, logits = fitted.fusions.iaf.judged(scaled)
        weighted = scaled * importance
        chosen = fitted.fusions.named(config.fusion)
        fused = chosen.points(scaled)
        points = prepared.to_scan(fused)
        if config.object_score == "map":
            part = float(of_the_part(fused[:, None], config.object_share)[0])
        else:
            part = chosen.object(fitted.scaling(of_the_part(look.maps, config.object_share)[None])[0])
        shown: dict[str, tuple[NDArray[Any], str, Any, str]] = {
            "x1": (look.maps[:, 0], "3D expert (X1)", "score", _said_of_x1(config)),
            "x2": (look.maps[:, 1], "2D expert (X2)", "score", _said_of_x2(config)),
            "s1": (importance[:, 0], "Trust in 3D (S1)", "weight", "Share of the 3D expert in the decision here"),
            "s2": (importance[:, 1], "Trust in 2D (S2)", "weight", "Share of the 2D expert in the decision here"),
            "selection": (
                weighted[:, 1] - weighted[:, 0], "Selection", "selection",
                "Which expert's weighted score leads here: red = 2D, blue = 3D",
            ),
            "selector": (
                weighted.sum(axis=1), "Selector output", "score", "Both experts' scores, each times the trust in it",
            ),
            "predictor": (
                1.0 / (1.0 + np.exp(-logits.astype(np.float64))), "Predictor output", "score",
                "The fusion's probability of a defect",
            ),
        }  # fmt: skip
        for name, title in _OTHERS.items():
            if name != config.fusion:
                shown[f"fused_{name}"] = (
                    fitted.fusions.named(name).points(scaled), title, "score",
                    "What the score would be with this fusion instead",
                )  # fmt: skip
        maps = {
            key: ScoreMap(prepared.to_scan(values.astype(np.float32)), title, kind, help, _ENDS.get(key, ("", "")))
            for key, (values, title, kind, help) in shown.items()
        }
        return Scores(points, part, maps)


def _said_of_x1(config: IaenetConfig) -> str:
    usual = ", held against what is usual for such patches" if config.relative else ""
    if config.x1 == "residual":
        return f"How far the code of the patches around is from good ones{usual}"
    unit = "mm" if config.distance_unit == "scan" else "sizes of a patch"
    return f"Distance from the surface rebuilt from good patches{usual}, in {unit}"


def _said_of_x2(config: IaenetConfig) -> str:
    usual = ", less what is usual for such places" if config.relative_2d else ""
    return f"How unlike the picture of this place is to what is rebuilt from good pictures{usual}"


_ENDS = {
    "s1": ("not trusted", "trusted"),
    "s2": ("not trusted", "trusted"),
    "selection": ("3D leads", "2D leads"),
}
_OTHERS = {
    "iaf": "Fused: importance-aware",
    "max": "Fused: maximum",
    "addition": "Fused: addition",
    "ocsvm": "Fused: one-class SVM",
}
