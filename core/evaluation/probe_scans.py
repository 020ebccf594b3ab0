"""The scans that features are probed on: their parts alone, in one pose, with what is known of their defects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.datasets.category import Category, ScanEntry
from core.errors import CategoryError, RegistrationError
from core.evaluation.regions import cloud_regions
from core.geometry.background import ForegroundPolicy
from core.geometry.normals import estimate_normals
from core.geometry.registration import Reference, needs_any_pose, register
from core.geometry.views import sensor_view
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

Floats = NDArray[np.float32]

_NORMAL_NEIGHBORS = 30


@dataclass(frozen=True, eq=False)
class ProbeScan:
    """A scan made ready.

    Attributes
    ----------
    name : str
    defective : bool
    part : (N,) bool
        Which of the scan's points are the part.
    points, normals : (P, 3) float32
        Of the part, in the category's pose; organised scans as their sensor saw them (x right, y up, z to the eye).
    labels : (N,) bool, or None
        Ground truth where it is known.
    regions : (N,) int64, or None
        The connected defect of each point of an unorganised scan, -1 on good ones; None where labels are.
    grid : (H, W) int32, or None
    image : (H, W, 3) uint8, or None
    """

    name: str
    defective: bool
    part: NDArray[np.bool_]
    points: Floats
    normals: Floats
    labels: NDArray[np.bool_] | None
    regions: NDArray[np.int64] | None
    grid: NDArray[np.int32] | None
    image: NDArray[np.uint8] | None

    def to_scan(self, values: NDArray[np.floating]) -> Floats:
        """(N,) of (P,) values: NaN where there is no part."""
        result = np.full(len(self.part), np.nan, np.float32)
        result[self.part] = values
        return result


@dataclass(frozen=True, eq=False)
class ProbeScans:
    """A category's good training scans and its test scans.

    Attributes
    ----------
    category : str
    unit : str
    train, test : tuple of ProbeScan
        Good validation scans count as test scans: nothing learns from them.
    """

    category: str
    unit: str
    train: tuple[ProbeScan, ...]
    test: tuple[ProbeScan, ...]

    @property
    def organised(self) -> bool:
        """Whether all scans lie on sensor grids."""
        return all(scan.grid is not None for scan in (*self.train, *self.test))

    @property
    def photographed(self) -> bool:
        """Whether all scans have an RGB image."""
        return all(scan.image is not None for scan in (*self.train, *self.test))


def probe_scans(
    category: Category,
    runtime: Runtime,
    *,
    train: int | None = None,
    test: int | None = None,
    progress: Progress | None = None,
) -> ProbeScans:
    """Read a category's scans and make them ready; features are probed on them as often as one likes.

    The background is removed by what the training scans show. Unorganised parts are registered to the first good one;
    one that cannot be is only shifted onto it.

    Parameters
    ----------
    train, test : int, optional
        Use this many scans, spread evenly over their order (test: over good and defective ones); all if not given.

    Raises
    ------
    ScanError
        If a scan cannot be read or shows no part.
    CategoryError
        If there are no good and defective test scans.
    Cancelled
    """
    progress = progress or Progress()
    good = _spread(category.good_train(), train)
    held_out = [entry for entry in category.split("validation") if not _defective(entry)]
    tests = [*category.split("test"), *held_out]
    sound, bad = [e for e in tests if not _defective(e)], [e for e in tests if _defective(e)]
    if not sound or not bad:
        raise CategoryError(
            f"{category.name} has {len(sound)} good and {len(bad)} defective test scans, so features cannot be probed",
            "Give a category with a test folder that holds both",
        )
    if test is not None and test < len(tests):
        share = max(1, min(test - 1, round(test * len(sound) / len(tests))))
        sound, bad = list(_spread(sound, share)), list(_spread(bad, test - share))
    scans = [category.load(entry) for entry in progress.part(0.0, 0.2).over(good, "reading good scan {i} of {n}")]
    policy = ForegroundPolicy.learn(scans, seed=runtime.seed)
    placing = progress.part(0.2, 1.0)
    steps = len(good) + len(sound) + len(bad)
    reference: Reference | None = None
    any_pose = False
    masks = [policy.mask(scan) for scan in scans]
    if not all(scan.organised for scan in scans):
        parts = [scan.points[mask] for scan, mask in zip(scans, masks, strict=True)]
        reference = Reference(parts[0])
        any_pose = needs_any_pose(parts, reference, runtime.seed)
    ready = []
    for i in range(len(scans)):
        placing.update(i / steps, f"placing good scan {i + 1} of {len(scans)}")
        ready.append(_ready(scans[i], masks[i], False, reference, any_pose, runtime))
    tested = []
    for i, entry in enumerate([*sound, *bad]):
        placing.update((len(good) + i) / steps, f"placing test scan {i + 1} of {len(sound) + len(bad)}")
        scan = category.load(entry)
        tested.append(_ready(scan, policy.mask(scan), _defective(entry), reference, any_pose, runtime))
    progress.update(1.0)
    return ProbeScans(category.name, category.unit, tuple(ready), tuple(tested))


def _defective(entry: ScanEntry) -> bool:
    return entry.defect != ""


def _spread(entries: Sequence[ScanEntry], count: int | None) -> Sequence[ScanEntry]:
    if count is None or count >= len(entries):
        return entries
    return [entries[i] for i in np.linspace(0, len(entries) - 1, max(count, 1)).astype(np.int64)]


def _ready(
    scan: Scan,
    part: NDArray[np.bool_],
    defective: bool,
    reference: Reference | None,
    any_pose: bool,
    runtime: Runtime,
) -> ProbeScan:
    points = scan.points[part]
    if scan.normals is not None:
        normals = scan.normals[part]
    else:
        normals = estimate_normals(points, k=_NORMAL_NEIGHBORS, runtime=runtime)
    if scan.organised:
        turn, shift = sensor_view(scan), np.zeros(3)
    else:
        assert reference is not None
        turn, shift = _pose(points, reference, any_pose, runtime.seed)
    turned = (normals @ turn.T).astype(np.float32)
    placed = (points.astype(np.float64) @ turn.T + shift).astype(np.float32)
    if scan.organised:
        turned[turned[:, 2] < 0] *= -1.0  # the sensor saw the outside
    elif scan.normals is None:
        outwards = placed - placed.mean(axis=0)
        turned[np.einsum("ij,ij->i", turned, outwards) < 0] *= -1.0
    labels = scan.labels if defective else np.zeros(len(scan), bool)
    regions = None
    if labels is not None and not scan.organised:
        regions = cloud_regions(scan.points, labels).astype(np.int64)
    return ProbeScan(scan.name, defective, part, placed, turned, labels, regions, scan.grid, scan.image)


def _pose(
    points: Floats, reference: Reference, any_pose: bool, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        motion = register(points, reference, any_pose=any_pose, seed=seed).transform
    except RegistrationError:
        return np.eye(3), reference.points.mean(axis=0, dtype=np.float64) - points.mean(axis=0, dtype=np.float64)
    return motion[:3, :3], motion[:3, 3]
