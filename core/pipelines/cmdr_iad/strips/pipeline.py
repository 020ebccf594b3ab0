"""CMDR-IAD for long unorganised scans: the 3D decoder on chunks in the order of measuring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import ModelError, ScanError
from core.geometry.units import UNITS_IN_MM
from core.pipelines.base import Pipeline
from core.pipelines.cmdr_iad.decoder_3d import Decoder3d
from core.pipelines.cmdr_iad.strips.chunks import Chunks, common_boxes, cut, extents, is_anomalous, unit_boxes
from core.pipelines.cmdr_iad.strips.config import StripsConfig
from core.pipelines.cmdr_iad.strips.describing import ChunkDescriber, Described
from core.pipelines.cmdr_iad.strips.prelabel import outliers
from core.pipelines.cmdr_iad.strips.scoring import distances, scaled, smoothed_maps
from core.pipelines.cmdr_iad.strips.standard import TokenStandard
from core.pipelines.cmdr_iad.strips.training import new_decoder, train_decoder
from core.pipelines.part_score import top_mean
from core.pipelines.state import below, joined, packed, packed_weights, reading, text, verify_weights
from core.progress import Progress
from core.runtime import Runtime, deterministic
from core.scan import Scan
from core.scores import ChunkScores, ScoreMap, Scores

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything that a fit leaves.

    Attributes
    ----------
    describer : ChunkDescriber
    standard : TokenStandard
    decoder : Decoder3d
    size : float
        The largest of the good chunks' usual extents, in mm.
    """

    describer: ChunkDescriber
    standard: TokenStandard
    decoder: Decoder3d
    size: float


class StripsPipeline(Pipeline):
    """The polyurethane mode (see docs/cmdr_iad_strips.md)."""

    id: ClassVar[str] = "cmdr_iad_strips"
    title: ClassVar[str] = "CMDR-IAD strips"
    paper: ClassVar[str] = (
        "R. Daci et al.: Cross-Modal Mapping and Dual-Branch Reconstruction for 2D-3D Multimodal Industrial Anomaly "
        "Detection, arXiv 2603.03939, section 3.6"
    )
    summary: ClassVar[str] = (
        "Cuts a long scan without a grid into chunks, in the order in which it was measured, and judges each by how "
        "well its shape can be rebuilt from what good chunks have in common. For profilometers that pass along "
        "strips, edges and seams; the points must lie in the file as they were measured."
    )
    min_scans: ClassVar[int] = 1
    ordered: ClassVar[bool] = True
    Config: ClassVar[type[StripsConfig]] = StripsConfig

    def __init__(self, config: StripsConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._fitted: _Fitted | None = None

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        """See ``Pipeline.fit``."""
        self._fitted = None
        if not scans:
            raise ScanError("There is no good scan to learn from", "Add good scans to the category")
        config, runtime = self.config, self.runtime
        with deterministic():
            raw = self._good_chunks(scans, progress.part(0.0, 0.2, "choosing good chunks"))
            size = float(np.median(extents(raw), axis=0).max())
            describer = ChunkDescriber(config, runtime)
            boxed = self._boxed(raw, size)
            described = [
                describer.describe(chunk)
                for chunk in progress.part(0.2, 0.5).over(list(boxed), "describing chunk {i} of {n}")
            ]
            standard = TokenStandard.learn(described, plain=not config.standardise)
            good = [standard(chunk) for chunk in described]
            decoder = train_decoder(good, describer, config, runtime, progress.part(0.5, 1.0))
        progress.update(1.0, "fitted")
        self._fitted = _Fitted(describer, standard, decoder, size)

    def _good_chunks(self, scans: Sequence[Scan], progress: Progress) -> Floats:
        """(K, P, 3) chunks of the good scans, in mm, without those that hold many outliers."""
        config = self.config
        found, fallback = [], []
        for scan in progress.over(scans, "{i} of {n}"):
            points = _in_mm(scan)
            stray, size = self._outliers(points), config.chunk_side**2
            for start in range(0, size, -(-size // config.cuts)):
                if start and len(points) - start < size:
                    break
                chunks = cut(len(points) - start, size)
                bad = is_anomalous(stray[start:][chunks.rows], chunks.own, config.chunk_outliers)
                fallback.append(points[start:][chunks.rows])
                found.append(fallback[-1][~bad] if config.detector != "none" else fallback[-1])
        good = np.concatenate(found)
        if not len(good):  # every chunk is outlying: then none is more so than the others
            good = np.concatenate(fallback)
        most = config.training_chunks
        if 0 < most < len(good):
            good = good[np.sort(self.runtime.rng(2).choice(len(good), most, replace=False))]
        return good

    def _outliers(self, points: Floats) -> NDArray[np.bool_]:
        config = self.config
        return outliers(
            points,
            config.detector,
            config.contamination,
            trees=config.trees,
            neighbors=config.lof_neighbors,
            seed=self.runtime.seed,
        )

    def _boxed(self, chunks: Floats, size: float) -> Floats:
        return unit_boxes(chunks) if self.config.scaling == "chunk" else common_boxes(chunks, size)

    def score(self, scan: Scan, progress: Progress) -> Scores:
        """See ``Pipeline.score``."""
        fitted, config = self._require(), self.config
        with deterministic():
            progress.update(0.0, "cutting the scan into chunks")
            points = _in_mm(scan)
            chunks = cut(len(points), config.chunk_side**2)
            boxed = self._boxed(points[chunks.rows], fitted.size)
            raw, judged = self._judged(fitted, boxed, progress.part(0.0, 0.95))
            own = [top_mean(values[mine], config.top) for values, mine in zip(judged, chunks.own, strict=True)]
            maps = self._maps(chunks, raw, np.array(own), len(points))
            if config.show_outliers and config.detector != "none":
                progress.update(0.95, "looking for outliers")
                maps["outliers"] = ScoreMap(self._outliers(points).astype(np.float32), "Outliers", "weight", _OUTLIERS)
        progress.update(1.0, "scored")
        scores = np.array(own, np.float64)
        of_point = chunks.to_points(chunks.number - 1, len(points))
        return Scores(
            chunks.to_points(judged, len(points)), float(scores.max()), maps, chunks=ChunkScores(of_point, scores)
        )

    def _judged(self, fitted: _Fitted, boxed: Floats, progress: Progress) -> tuple[Floats, Floats]:
        """(K, P) distances of the chunks' features from the rebuilt ones, and the scores that come of them."""
        config = self.config
        raw, judged = [], []
        starts = range(0, len(boxed), config.batch)
        for start in progress.over(starts, "rebuilding {i} of {n}"):
            batch = boxed[start : start + config.batch]
            described = [fitted.standard(fitted.describer.describe(chunk)) for chunk in batch]
            with torch.no_grad():
                found = self._distances(fitted, described)
                calm = smoothed_maps(found, config.chunk_side, config.smoothing_5, config.smoothing_7)
                judged.append((scaled(calm) if config.scale == "chunk" else calm).cpu().numpy())
            raw.append(found.cpu().numpy())
        return np.concatenate(raw), np.concatenate(judged)

    @staticmethod
    def _distances(fitted: _Fitted, described: list[Described]) -> torch.Tensor:
        features = fitted.describer.maps(described)
        return distances(features, fitted.decoder(features))

    @staticmethod
    def _maps(chunks: Chunks, raw: Floats, own: NDArray[np.float64], count: int) -> dict[str, ScoreMap]:
        each = np.broadcast_to(own.astype(np.float32)[:, None], chunks.rows.shape)
        number = chunks.number.astype(np.float32)
        return {
            "chunk_score": ScoreMap(chunks.to_points(each, count), "Chunk score", "score", _CHUNK_SCORE),
            "reconstruction": ScoreMap(chunks.to_points(raw, count), "Reconstruction", "score", _RECONSTRUCTION),
            "chunk": ScoreMap(chunks.to_points(number, count), "Chunk", "label", _CHUNK),
        }

    def state(self) -> dict[str, NDArray[Any]]:
        """See ``Pipeline.state``."""
        fitted = self._require()
        tensors = {name: tensor.cpu().numpy() for name, tensor in fitted.decoder.state_dict().items()}
        return joined({"decoder": tensors, "standard": fitted.standard.state()}) | {
            "size": np.array(fitted.size),
            "features": packed(fitted.describer.features.name),
            **packed_weights(self.weights),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """See ``Pipeline.load_state``."""
        self._fitted = None
        with reading():
            verify_weights(state)
            describer = ChunkDescriber(self.config, self.runtime, text(state["features"]))
            decoder = new_decoder(self.config, describer.channels)
            decoder.load_state_dict({name: torch.as_tensor(v) for name, v in below(state, "decoder").items()})
            standard = TokenStandard.from_state(below(state, "standard"))
            size = float(state["size"])
        self._fitted = _Fitted(describer, standard, decoder.to(self.runtime.device).eval(), size)

    @property
    def weights(self) -> Mapping[str, str]:
        """See ``Pipeline.weights``."""
        return {} if self._fitted is None else self._fitted.describer.features.weights

    def _require(self) -> _Fitted:
        if self._fitted is None:
            raise ModelError("CMDR-IAD strips has not been trained", "Train it on good scans, or load a model")
        return self._fitted


def _in_mm(scan: Scan) -> Floats:
    return np.asarray(scan.points * np.float32(UNITS_IN_MM[scan.unit]), np.float32)


_CHUNK_SCORE = "The score that the whole chunk is judged by, held against the part threshold."
_RECONSTRUCTION = "How far the shape here is from what the decoder rebuilds, before smoothing and scaling."
_CHUNK = "Which chunk a point belongs to, counted from 1 in the order of measuring."
_OUTLIERS = "1 for points that the outlier detector sets apart, as it does in good scans before the training."
