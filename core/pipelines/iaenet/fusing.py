"""From the experts to the fusion: scores of pseudo-anomalies, their common scale, and what is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.iaenet.expert_2d import Described
from core.pipelines.iaenet.expert_3d import CodedCloud
from core.pipelines.iaenet.experts import Experts, of_the_part
from core.pipelines.iaenet.frame import Prepared
from core.pipelines.iaenet.fusion import Fusions, IafFusion, SvmFusion
from core.pipelines.iaenet.iaf_training import train_iaf
from core.pipelines.iaenet.pseudo import PseudoMaker
from core.pipelines.iaenet.scaling import Scaling
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainingMaps:
    """Both experts' scores of the scans that the fusion is trained on, computed once.

    Attributes
    ----------
    maps : list of (n_i, 2) float32
        Of the pseudo-anomalies.
    labels : list of (n_i,) bool
    clean : list of (n_j, 2) float32
        Of the good scans as they are, none finding itself in the memory.
    """

    maps: list[Floats]
    labels: list[NDArray[np.bool_]]
    clean: list[Floats]


def training_maps(
    experts: Experts,
    prepared: Sequence[Prepared],
    coded: Sequence[CodedCloud],
    described: Sequence[Described],
    config: IaenetConfig,
    runtime: Runtime,
    progress: Progress,
) -> TrainingMaps:
    """Make the pseudo-anomalies and let the experts judge them and the good scans."""
    clean = []
    for i in progress.part(0.0, 0.2).over(range(len(prepared)), "judging good scan {i} of {n}"):
        clean.append(experts.judge(prepared[i], coded[i], described[i], without=i).maps)
    maker = PseudoMaker(
        prepared,
        described,
        experts.two.photographer,
        config.cut_paste_options(),
        config.procedural_share,
        config.normal_neighbors,
    )
    maps, labels = [], []
    for k in progress.part(0.2, 1.0).over(range(config.samples), "made defect {i} of {n}"):
        sample = maker.make(k % len(prepared), runtime.rng(51, k))
        maps.append(experts.look(sample.prepared, pictures=sample.pictures, without=sample.scan).maps)
        labels.append(sample.labels)
    return TrainingMaps(maps, labels, clean)


def fit_fusions(
    found: TrainingMaps, config: IaenetConfig, runtime: Runtime, progress: Progress
) -> tuple[Scaling, Fusions]:
    """The common scale, and every fusion on it."""
    scaling = Scaling.learn(found.maps, config.scaling, config.scaling_top, config.clip)
    maps, labels = [scaling(one) for one in found.maps], list(found.labels)
    clean = [scaling(one) for one in found.clean]
    if config.clean_maps:
        maps, labels = maps + clean, labels + [np.zeros(len(one), bool) for one in clean]
    model = train_iaf(maps, labels, config.iaf_settings(), runtime, progress)
    parts = np.stack([scaling(of_the_part(one, config.object_share)[None])[0] for one in found.clean])
    return scaling, Fusions(IafFusion(model, runtime), SvmFusion.fit(clean, parts, runtime.seed))
