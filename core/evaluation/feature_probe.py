"""What features are worth for finding defects: PatchCore over each of them, with everything else the same.

The memory holds the features of good training scans (a coreset, see ``core.backbones.patch_memory``); a patch's
score is its distance to the nearest of them, carried to every point of the scan; a part's score is its highest point's
(Roth et al.: *Towards Total Recall in Industrial Anomaly Detection*, CVPR 2022, without the reweighting).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.image_features import ImageFeatures, image_features
from core.backbones.patch_memory import PatchMemory
from core.backbones.pictures import Pictures, described
from core.backbones.point_features import Normalisation, PointFeatures, point_features
from core.datasets.category import Category
from core.errors import CategoryError
from core.evaluation.metrics import aupro, aupro_of_clouds, o_auroc, p_auroc
from core.evaluation.photographer import Kind, Photographer, take_all
from core.evaluation.probe_scans import ProbeScan, ProbeScans, probe_scans
from core.geometry.thinned_parts import ThinnedPart, thin, voxel_for
from core.geometry.units import from_mm
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]
Item = TypeVar("Item")

_LIMIT = 0.3
_FPFH_STEPS = 5.0
"""Radius of the FPFH in voxels of the thinned part (facts: 2.5 mm at a voxel of 0.5 mm)."""


@dataclass(frozen=True)
class FeatureRow:
    """What one kind of features reached on one category.

    Attributes
    ----------
    features : str
        Their name, never ``auto``.
    modality : str
        "rgb", "rendered" or "points".
    category : str
    o_auroc, p_auroc, aupro : float or None
        Of part scores, of the parts' points, and up to a false-positive rate of 30 %; None where the category has not
        the ground truth for it.
    seconds : float
        Median of a test scan: features and search, without reading, rendering and cutting patches.
    channels : int
    train, test : int
        Scans used.
    normalisation : str
        Of the coordinates that a point network is given; empty for images.
    """

    features: str
    modality: str
    category: str
    o_auroc: float | None
    p_auroc: float | None
    aupro: float | None
    seconds: float
    channels: int
    train: int = 0
    test: int = 0
    normalisation: str = ""


@dataclass(frozen=True, eq=False)
class Judged:
    """What a probe says of one test scan.

    Attributes
    ----------
    points : (N,) float32
        NaN on the background.
    object : float
    seconds : float
    """

    points: Floats
    object: float
    seconds: float


def probe_images(
    category: Category | ProbeScans,
    names: Sequence[str],
    runtime: Runtime,
    *,
    modality: Kind,
    layers: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[FeatureRow, ...]:
    """Probe image features on a category, on its photographs or on shaded renders of its parts.

    Parameters
    ----------
    category : Category or ProbeScans
        Scans made ready before (``probe_scans``) serve several probes.
    names : sequence of str
        See ``core.backbones.image_features``.
    modality : "rgb" or "rendered"
    layers : sequence of str
        Of networks that have some; all if not given.

    Returns
    -------
    tuple of FeatureRow
        One of each name.

    Raises
    ------
    WeightsError
        If features are unknown or their weights missing, before anything is computed.
    ScanError, CategoryError
        See ``probe_scans``; also if photographs are asked for where there are none.
    Cancelled
    """
    progress = progress or Progress()
    for name in names:
        image_features(name, runtime, layers=layers)
    scans = _scans(category, runtime, progress)
    photographer = Photographer(scans, modality)
    train = take_all(photographer, scans.train, progress.part(0.3, 0.35, "good scans"))
    test = take_all(photographer, scans.test, progress.part(0.35, 0.4, "test scans"))
    rows = []
    for name, part in _each(names, progress):
        features = image_features(name, runtime, layers=layers)
        judged = judge_pictures(train, test, scans.test, features, runtime, part)
        rows.append(_row(features.name, modality, scans, judged, features.channels))
    return tuple(rows)


def probe_points(
    category: Category | ProbeScans,
    names: Sequence[str],
    runtime: Runtime,
    *,
    normalisation: Normalisation = "unit_sphere",
    progress: Progress | None = None,
) -> tuple[FeatureRow, ...]:
    """Probe point features on a category.

    Parameters are those of ``probe_images``, names those of ``core.backbones.point_features``.

    Raises
    ------
    WeightsError
        If features are unknown or their weights missing, before anything is computed.
    ScanError, CategoryError
        See ``probe_scans``.
    Cancelled
    """
    progress = progress or Progress()
    for name in names:
        point_features(name, runtime, normalisation=normalisation, fpfh_radius=1.0)
    scans = _scans(category, runtime, progress)
    voxel = voxel_for(scans.train[0].points)
    if normalisation == "unit_sphere":  # of the good parts, so that a scan of half a part is not blown up
        scale = float(np.median([_radius(scan.points) for scan in scans.train]))
    else:
        scale = from_mm(1000.0, scans.unit)
    train = _thinned(scans.train, voxel, runtime, progress.part(0.3, 0.35, "good scans"))
    test = _thinned(scans.test, voxel, runtime, progress.part(0.35, 0.4, "test scans"))
    rows = []
    for name, part in _each(names, progress):
        features = point_features(name, runtime, normalisation=normalisation, fpfh_radius=_FPFH_STEPS * voxel)
        judged = judge_parts(train, test, scans.test, features, runtime, part, scale=scale)
        rows.append(_row(features.name, "points", scans, judged, features.channels, normalisation))
    return tuple(rows)


def judge_pictures(
    train: Sequence[Pictures],
    test: Sequence[Pictures],
    scans: Sequence[ProbeScan],
    features: ImageFeatures,
    runtime: Runtime,
    progress: Progress,
) -> tuple[Judged, ...]:
    """Learn good pictures and judge those of test scans (``test`` and ``scans`` in the same order)."""

    def maps_of(pictures: Pictures) -> tuple[Tensor, Tensor]:
        return described(features(pictures.network_input()), pictures)

    def rows_of(pictures: Pictures) -> Tensor:
        maps, cells = maps_of(pictures)
        return maps[cells.to(maps.device)]

    memory = PatchMemory.learn(_learnt(rows_of, train, progress), len(train), runtime)

    def judge(pictures: Pictures) -> tuple[float, Callable[[], Floats]]:
        start = time.perf_counter()
        maps, cells = maps_of(pictures)
        found = memory.distances(maps[cells.to(maps.device)]).cpu()
        seconds = time.perf_counter() - start
        scores = torch.zeros(cells.shape)
        scores[cells] = found
        return seconds, lambda: pictures.to_points(scores, cells)

    return _judged(judge, test, scans, progress)


def judge_parts(
    train: Sequence[ThinnedPart],
    test: Sequence[ThinnedPart],
    scans: Sequence[ProbeScan],
    features: PointFeatures,
    runtime: Runtime,
    progress: Progress,
    *,
    scale: float | None = None,
) -> tuple[Judged, ...]:
    """Learn good parts and judge test scans (``test`` and ``scans`` in the same order).

    ``scale`` is what features divide coordinates by, see ``core.backbones.point_features``.
    """

    def rows_of(part: ThinnedPart) -> Tensor:
        return features(part.points, part.patches, normals=part.normals, scale=scale).tokens

    memory = PatchMemory.learn(_learnt(rows_of, train, progress), len(train), runtime)

    def judge(part: ThinnedPart) -> tuple[float, Callable[[], Floats]]:
        start = time.perf_counter()
        found = memory.distances(rows_of(part)).cpu().numpy()
        return time.perf_counter() - start, lambda: part.to_points(found)

    return _judged(judge, test, scans, progress)


def _learnt(rows_of: Callable[[Item], Tensor], train: Sequence[Item], progress: Progress) -> Iterator[Tensor]:
    for item in progress.part(0.0, 0.5).over(train, "learning good scan {i} of {n}"):
        yield rows_of(item)


def _judged(
    judge: Callable[[Item], tuple[float, Callable[[], Floats]]],
    test: Sequence[Item],
    scans: Sequence[ProbeScan],
    progress: Progress,
) -> tuple[Judged, ...]:
    result = []
    watched = progress.part(0.55, 1.0).over(test, "judging test scan {i} of {n}")
    for item, scan in zip(watched, scans, strict=True):
        seconds, carry = judge(item)
        values = carry()
        result.append(Judged(scan.to_scan(values), float(values.max()), seconds))
    return tuple(result)


def _scans(category: Category | ProbeScans, runtime: Runtime, progress: Progress) -> ProbeScans:
    if isinstance(category, ProbeScans):
        return category
    return probe_scans(category, runtime, progress=progress.part(0.0, 0.3))


def _thinned(scans: Sequence[ProbeScan], voxel: float, runtime: Runtime, progress: Progress) -> tuple[ThinnedPart, ...]:
    return tuple(
        thin(scan.points, scan.normals, voxel, runtime=runtime) for scan in progress.over(scans, "cutting {i} of {n}")
    )


def _each(names: Sequence[str], progress: Progress) -> Iterator[tuple[str, Progress]]:
    for i, name in enumerate(names):
        yield name, progress.part(0.4 + 0.6 * i / len(names), 0.4 + 0.6 * (i + 1) / len(names), name)
    progress.update(1.0)


def _row(
    name: str,
    modality: str,
    scans: ProbeScans,
    judged: Sequence[Judged],
    channels: int,
    normalisation: str = "",
) -> FeatureRow:
    known = [(one.points, scan) for one, scan in zip(judged, scans.test, strict=True) if scan.labels is not None]
    objects, defective = [one.object for one in judged], [scan.defective for scan in scans.test]
    maps, truths = _on_grids(known) if scans.organised else _of_clouds(known)
    return FeatureRow(
        name,
        modality,
        scans.category,
        _measured(lambda: o_auroc(objects, defective)),
        _measured(lambda: p_auroc(maps, [truth >= 0 for truth in truths])),
        _measured(lambda: _region_overlap(maps, truths, scans.organised)),
        float(np.median([one.seconds for one in judged])),
        channels,
        len(scans.train),
        len(scans.test),
        normalisation,
    )


def _of_clouds(known: Sequence[tuple[Floats, ProbeScan]]) -> tuple[list[Floats], list[NDArray[np.int64]]]:
    """Scores and the defect of each point, -1 on good ones."""
    pairs = [(points, scan.regions) for points, scan in known if scan.regions is not None]
    return [points for points, _ in pairs], [regions for _, regions in pairs]


def _on_grids(known: Sequence[tuple[Floats, ProbeScan]]) -> tuple[list[Floats], list[NDArray[np.int64]]]:
    """The same for every pixel, as published for organised scans: the background is good, below all points."""
    maps, truths = [], []
    for points, scan in known:
        assert scan.grid is not None
        assert scan.labels is not None
        maps.append(np.append(np.nan_to_num(points, nan=-np.inf), np.float32(-np.inf))[scan.grid])
        truths.append(np.append(scan.labels, False)[scan.grid].astype(np.int64) - 1)
    return maps, truths


def _region_overlap(maps: Sequence[Floats], truths: Sequence[NDArray[np.int64]], organised: bool) -> float:
    if organised:
        return aupro(maps, [truth >= 0 for truth in truths], _LIMIT)
    return aupro_of_clouds(maps, truths, _LIMIT)


def _radius(points: Floats) -> float:
    return float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())


def _measured(metric: Callable[[], float]) -> float | None:
    """None where the category has not the ground truth for it."""
    try:
        return metric()
    except CategoryError:
        return None
