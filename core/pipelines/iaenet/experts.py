"""Both experts with their memory: what a fit learns before the fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.backbones.image_features import ImageFeatures, image_features
from core.backbones.weights import available_weights
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.expert_2d import Described, Expert2D, ImageMemory
from core.pipelines.iaenet.expert_3d import CodedCloud, Expert3D, Judgement3D
from core.pipelines.iaenet.frame import Frame, Prepared
from core.pipelines.iaenet.memory import MemoryEstimate, estimate_memory
from core.pipelines.iaenet.pictures import Photographer, Picture
from core.pipelines.iaenet.places import usual_spread
from core.pipelines.iaenet.sdf import PatchSdf
from core.pipelines.iaenet.sdf_patches import patch_count
from core.pipelines.iaenet.sdf_weights import ARCHITECTURE, pretrained
from core.pipelines.iaenet.vectors_2d import SIDE
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Look:
    """What both experts say of a scan.

    Attributes
    ----------
    coded : CodedCloud
    described : Described
    judged : Judgement3D
    maps : (V, 2) float32
        X1 and X2 of each point of the cloud, blurred.
    """

    coded: CodedCloud
    described: Described
    judged: Judgement3D
    maps: Floats


@dataclass(frozen=True, eq=False)
class Experts:
    """The trained 3D expert, the 2D expert and the dual memory of a category."""

    frame: Frame
    three: Expert3D
    two: Expert2D
    memory: ImageMemory

    @classmethod
    def fit(
        cls, scans: Sequence[Scan], config: IaenetConfig, runtime: Runtime, progress: Progress
    ) -> tuple[Experts, list[Prepared], list[CodedCloud], list[Described]]:
        """Both experts learned from good scans, and the good scans as they see them.

        Raises
        ------
        ScanError, RegistrationError, WeightsError
        Cancelled
        """
        frame, prepared, first = Frame.learn(scans, config, runtime.seed, progress.part(0.0, 0.35))
        photographer = Photographer.learn(prepared, first, frame.pose.reference is not None, config)
        features = extractor(config, photographer, runtime)
        estimate = estimated_memory(prepared, photographer, features, config)
        progress.update(0.36, f"the memory bank will take up to {estimate.total / 2**20:.0f} MB")
        three = Expert3D.fit(
            [one.cloud for one in prepared], config.sdf_settings(), runtime, progress.part(0.36, 0.7),
            start=starting_weights(config, runtime),
        )  # fmt: skip
        two = Expert2D(features, photographer, config.settings_2d(), runtime)
        coded, described = [], []
        for one in progress.part(0.7, 0.97).over(prepared, "remembering scan {i} of {n}"):
            coded.append(three.encode(one.cloud))
            described.append(two.describe(one))
        alone = frame.pose.reference is not None or photographer.count == 1
        groups = [[v] for v in range(photographer.count)] if alone else [list(range(photographer.count))]
        levels = three.levels(coded) if config.relative else None
        memory = ImageMemory.build(
            coded,
            described,
            groups,
            runtime,
            levels=levels,
            usual=(config.neighbors_2d, config.nonzeros) if config.relative_2d else None,
            max_codes=config.max_codes,
            max_vectors=config.max_vectors,
        )
        if config.place_spread > 0 and frame.pose.reference is not None:
            memory = with_spread(memory, three, two, coded, described)
        progress.update(1.0)
        return cls(frame, three, two, memory), prepared, coded, described

    def look(self, prepared: Prepared, *, pictures: list[Picture] | None = None, without: int | None = None) -> Look:
        """What both experts say of a scan; ``without`` as in ``Bank.search``."""
        return self.judge(
            prepared, self.three.encode(prepared.cloud), self.two.describe(prepared, pictures), without=without
        )

    def judge(self, prepared: Prepared, coded: CodedCloud, described: Described, *, without: int | None = None) -> Look:
        """The same of a scan that is coded and described already."""
        judged = self.judge_shape(coded, without=without)
        x1 = self.two.smoothed(prepared, described.pictures, judged.points)
        x2 = self.two.judge(prepared, described, self.memory, judged.rows, without=without)
        return Look(coded, described, judged, np.stack([x1, x2], axis=1))

    def judge_shape(self, coded: CodedCloud, *, without: int | None = None) -> Judgement3D:
        """What the 3D expert says, before the blur."""
        return self.three.judge(coded, self.memory.shape.codes, without=without)


def with_spread(
    memory: ImageMemory,
    three: Expert3D,
    two: Expert2D,
    coded: Sequence[CodedCloud],
    described: Sequence[Described],
) -> ImageMemory:
    """The same memory, with how much the good scans differ from one another at each place."""
    residuals = []
    for i, (c, d) in enumerate(zip(coded, described, strict=True)):
        rows = three.judge(c, memory.shape.codes, without=i).rows
        residuals.append(two.residuals(d, memory, rows, without=i))
    cells = [[one.cells for one in d.vectors] for d in described]
    return ImageMemory(memory.groups, memory.memories, usual_spread(cells, residuals))


def of_the_part(maps: Floats, share: float) -> Floats:
    """(k,) what (V, k) ``maps`` say of the part: mean of the ``share`` of highest points, at least one (eq. 4)."""
    count = max(1, round(share * len(maps)))
    highest = np.partition(maps, len(maps) - count, axis=0)[-count:]
    result: Floats = highest.mean(axis=0, dtype=np.float64).astype(np.float32)
    return result


def extractor(config: IaenetConfig, photographer: Photographer, runtime: Runtime, name: str = "") -> ImageFeatures:
    """The image features that the config names, or those of ``name``."""
    name = name or config.named_features(images=photographer.rgb)["features"]
    layers = tuple(layer.strip() for layer in config.layers.split(",") if layer.strip())
    return image_features(name, runtime, layers=layers)


def estimated_memory(
    prepared: Sequence[Prepared], photographer: Photographer, features: ImageFeatures, config: IaenetConfig
) -> MemoryEstimate:
    """The largest that the memory bank can become."""
    points = int(np.median([len(one.cloud) for one in prepared]))
    return estimate_memory(
        len(prepared),
        patch_count(points, config.overlap, config.patch_points, config.patches),
        photographer.count * SIDE * SIDE // 2,
        features.channels + 33,
        max_codes=config.max_codes,
        max_vectors=config.max_vectors,
    )


def starting_weights(config: IaenetConfig, runtime: Runtime) -> PatchSdf | None:
    """The network that the 3D expert's training starts from; None where it is drawn anew.

    Raises
    ------
    WeightsError
        If a set that the config names is not here.
    """
    if config.start == "none" or (config.start == "auto" and not available_weights(ARCHITECTURE)):
        return None
    return pretrained(config.start, runtime)[0]
