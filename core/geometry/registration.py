"""Bringing a scan into the pose of its category.

A scan is thinned, its pose guessed where it may lie anywhere (FPFH matches with RANSAC, principal axes, and the
reference's own near-symmetries), the guesses are compared by how well the surfaces lie on each other, and the best are
refined by robust ICP. Same points and seed, same pose to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RegistrationError
from core.geometry.checks import as_points
from core.geometry.fpfh import fpfh
from core.geometry.icp import Array, Surface, moved, refine, rigid
from core.geometry.neighbors import spacing
from core.geometry.normals import estimate_normals
from core.geometry.poses import distinct, from_axes, from_matches, matches, symmetries
from core.geometry.voxels import voxel_grid

_FINE, _COARSE = 20_000, 2_000
"""Points that a cloud is thinned to for the last refinement and for the search of the pose."""
_DENSE = 8_000
"""Points of the scan that decide between poses and take part in the last refinement."""
_SYMMETRIES = 64
"""Most turns that are tried to tell a part from itself turned, identity among them."""
_TURNS = 3
"""How often the best pose so far is turned by them: they need not hold each turn that follows from two of them."""
_BELIEVED = 0.8
"""Share of a scan that must lie on the reference for a pose close to it to be believed."""
_EXACT = 0.5
"""Steps of the reference up to which its error shows that such a pose is the one; good scans have 0.1 to 0.4."""
_FEATURE_STEPS = 5.0
"""Radius of the FPFH in steps of the coarse cloud (facts: 2.5 mm at a voxel of 0.5 mm)."""


@dataclass(frozen=True, eq=False)
class Registration:
    """A pose found.

    Attributes
    ----------
    transform : (4, 4) float64
        Takes the scan's points to the reference: R p + t.
    fitness : float
        Share of the scan's surface that lies on the reference, 0 to 1.
    rmse : float
        Root mean square distance of those points from the reference's surface, in its unit.
    """

    transform: NDArray[np.float64]
    fitness: float
    rmse: float

    def clearly_better(self, other: Registration) -> bool:
        """Whether this pose is another one, rather than the same found again."""
        return self.fitness > other.fitness + 0.02 or self.rmse < 0.7 * other.rmse


class Reference:
    """What scans are registered to, prepared once.

    Parameters
    ----------
    points : (N, 3) float32
        A good scan of the part without its background, at least 10 points.

    Raises
    ------
    RegistrationError
        If there are too few points, or they all coincide.
    """

    def __init__(self, points: NDArray[np.float32]) -> None:
        points = as_points(points)
        _require(points)
        self._prepare(_thinned(points, _FINE)[0])

    def _prepare(self, points: NDArray[np.float32]) -> None:
        self.points = points
        self.step = max(spacing(points), 1e-30)
        coarse, self.coarse_step = _thinned(points, _COARSE)
        self.surface = Surface.of(points, estimate_normals(points, k=12))
        self.coarse = Surface.of(coarse, estimate_normals(coarse, k=12))
        self.diagonal = float(np.linalg.norm(np.ptp(points, axis=0)))

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """(C, 33) descriptors of the coarse cloud; only searching any pose needs them."""
        return _features(self.coarse, self.coarse_step)

    @cached_property
    def symmetries(self) -> Array:
        """(S, 4, 4) turns that lay the reference nearly on itself, such as those of a gear with a keyway."""
        turns = symmetries(self.coarse.points)
        some, step = _every(self.coarse.points, 400), self.coarse_step
        found: list[Array] = []
        for pose in distinct(_likely(some, turns, self.coarse, 4.0 * step, 0.4), some, 6.0 * step, 30):
            for reach in (6.0 * step, 3.0 * step):
                pose = refine(some, self.coarse, pose, reach, 10, 1e-2 * step)
            found.append(pose)
        base = distinct(np.stack([np.eye(4), *found]), some, 3.0 * step, 16)
        # A gear turned over and turned on: symmetries after one another are symmetries.
        products = np.concatenate([base, *(base @ one for one in base[1:])])
        products = distinct(_likely(some, products, self.coarse, 2.0 * step, 0.5), some, 3.0 * step, _SYMMETRIES)
        return np.stack([p for p in products if np.abs(moved(some, p) - some).max() > step] or [np.eye(4)])

    def state(self) -> dict[str, NDArray[Any]]:
        """The points, from which the rest is computed again."""
        return {"points": self.points}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Reference:
        """What ``state`` gave."""
        reference = cls.__new__(cls)
        reference._prepare(as_points(state["points"]))
        return reference


def register(
    source_points: NDArray[np.float32],
    reference: Reference,
    *,
    any_pose: bool,
    seed: int = 0,
    min_fitness: float = 0.5,
) -> Registration:
    """The rigid motion that lays a scan on ``reference``.

    Parameters
    ----------
    source_points : (N, 3) float32
        The scan without its background, in the reference's unit; may show only a piece of the part.
    reference : Reference
    any_pose : bool
        Whether the scan may lie anywhere and any way round. If not, it is close to the reference already, up to
        a shift.
    seed : int
        Of the random draws.
    min_fitness : float
        Least share of the scan that must come to lie on the reference.

    Returns
    -------
    Registration

    Raises
    ------
    RegistrationError
        If no pose reaches ``min_fitness``, or there are too few points.
    """
    points = as_points(source_points)
    _require(points)
    thin = voxel_grid(points, reference.coarse_step).points
    if len(thin) > 4 * _COARSE:  # a scan far larger than the part, or in another unit
        thin = thin[np.random.default_rng(seed).permutation(len(thin))[: 4 * _COARSE]]
    source = Surface.of(thin, estimate_normals(thin, k=12))
    shift = rigid(np.eye(3), reference.coarse.points.mean(axis=0) - source.points.mean(axis=0))
    starts = np.stack([np.eye(4), shift])
    if any_pose:
        starts = np.concatenate([starts, _guesses(source, reference, seed)])
    exact = _every(points, _DENSE).astype(np.float64)
    transform = _best(source, exact, reference, starts, any_pose)
    for reach in (2.0 * reference.coarse_step, max(3.0 * reference.step, 0.75 * reference.coarse_step)):
        transform = refine(exact, reference.surface, transform, reach, 15, 1e-4 * reference.step)
    found = _measured(exact, reference, transform)
    if found.fitness < min_fitness:
        raise RegistrationError(
            f"Only {found.fitness:.0%} of the scan could be laid on the category's reference part",
            "Check that the scan shows this part without its background and in the same unit"
            + ("" if any_pose else ", or train the model with registration from any pose"),
        )
    return found


def register_near(
    points: NDArray[np.float32], reference: Reference, *, seed: int = 0, min_fitness: float = 0.5
) -> Registration:
    """The rigid motion that lays a scan on ``reference``, close to which the good scans lie.

    A pose close to it is believed where it fits well. Where it does not, the scan may lie otherwise, and all poses are
    searched for a clearly better one: many points of a turned part lie somewhere near the reference's surface.

    Parameters
    ----------
    points : (N, 3) float32
        See ``register``, as for the others.

    Raises
    ------
    RegistrationError
        If no pose reaches ``min_fitness``, or there are too few points.
    """
    near: Registration | None = None
    try:
        near = register(points, reference, any_pose=False, seed=seed, min_fitness=max(min_fitness, _BELIEVED))
        if near.rmse <= _EXACT * reference.step:
            return near
        free = register(points, reference, any_pose=True, seed=seed, min_fitness=min_fitness)
    except RegistrationError:
        if near is not None:
            return near
        return register(points, reference, any_pose=True, seed=seed, min_fitness=min_fitness)
    return free if free.clearly_better(near) else near


def needs_any_pose(clouds: Sequence[NDArray[np.float32]], reference: Reference, seed: int = 0) -> bool:
    """Whether parts lie in the scanner in any pose: a search over all lays one clearly better than a small move does.

    A search that is not needed only adds the risk of another pose of a near-symmetric part.

    Parameters
    ----------
    clouds : sequence of (N, 3) float32
        Scans without their background; at most five of them, spread over the sequence, are looked at.
    """
    for i in np.unique(np.linspace(0, len(clouds) - 1, min(len(clouds), 5)).astype(np.int64)):
        try:
            small = register(clouds[i], reference, any_pose=False, seed=seed)
        except RegistrationError:
            return True
        if register(clouds[i], reference, any_pose=True, seed=seed).clearly_better(small):
            return True
    return False


def transform_points(points: NDArray[np.float32], transform: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, 3) float32 ``points`` under a (4, 4) ``transform``, computed in float64."""
    exact = as_points(points).astype(np.float64)
    return moved(exact, np.asarray(transform, np.float64)).astype(np.float32)


def _require(points: NDArray[np.float32]) -> None:
    if len(points) < 10 or not np.ptp(points, axis=0).any():
        raise RegistrationError(
            f"{len(points)} points are too few or too alike to find their pose", "Check that the scan shows the part"
        )


def _thinned(points: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], float]:
    """About ``count`` points, evenly spread, and the side of their voxels (or the spacing of few points)."""
    if len(points) <= count:
        step = max(spacing(points), 1e-30)
        side = float(np.linalg.norm(np.ptp(points, axis=0))) / np.sqrt(count)
        return points, max(step, 0.25 * side)
    side = float(np.linalg.norm(np.ptp(points, axis=0))) / 60
    for _ in range(3):  # a surface: the number of voxels goes with the square of their side
        side *= np.sqrt(len(voxel_grid(points, side).points) / count)
    return voxel_grid(points, side).points, side


def _features(cloud: Surface, step: float) -> NDArray[np.float32]:
    """FPFH with normals turned away from the centroid: a sign that turns with the part."""
    points, normals = cloud.points.astype(np.float32), cloud.normals.astype(np.float32)
    outwards = points - points.mean(axis=0)
    normals = np.where(np.einsum("ij,ij->i", normals, outwards)[:, None] < 0, -normals, normals)
    return fpfh(points, normals, np.arange(len(points)), _FEATURE_STEPS * step)


def _every(points: NDArray[Any], count: int) -> NDArray[Any]:
    """At most ``count`` rows, evenly spread over the order."""
    if len(points) <= count:
        return points
    return points[np.linspace(0, len(points) - 1, count).astype(np.int64)]


def _guesses(source: Surface, reference: Reference, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    pairs = matches(_features(source, reference.coarse_step), reference.features)
    matched = from_matches(
        source.points[pairs[:, 0]], reference.coarse.points[pairs[:, 1]], 1.5 * reference.coarse_step, 150, rng
    )
    return np.concatenate([matched, from_axes(source.points, reference.coarse.points)])


def _best(source: Surface, dense: Array, reference: Reference, starts: Array, any_pose: bool) -> Array:
    """The start that leads to the best fit, refined: many on few points, few on many."""
    step, coarse = reference.coarse_step, reference.coarse
    few = _every(source.points, 300)
    some = _every(source.points, 500)
    wide = 0.1 * reference.diagonal
    if len(starts) > 12:
        order = np.argsort(-_closeness(few, starts, coarse, 4.0 * step), kind="stable")
        starts = distinct(starts[order], few, 6.0 * step, 12)
    tried = []
    for pose in starts:
        for reach in (wide, wide / 2, 3.0 * step):
            pose = refine(some, coarse, pose, reach, 10, 3e-2 * step)
        tried.append(pose)
    finalists = _ranked(tried, source, coarse, step)[:3]
    # Between nearly equal poses small features decide, such as a keyway: these need the dense points.
    surface, many, loose = reference.surface, _every(dense, 1500), _every(dense, 300)
    back = Surface.of(dense, np.zeros_like(dense))

    def covering(pose: Array) -> float:
        forth = _closeness(dense, pose[None], surface, step)[0]
        return float(forth + 0.5 * _closeness(_every(surface.points, 5000), _inverse(pose)[None], back, step)[0])

    found = list(distinct(np.stack(finalists), few, step, 3))
    if len(found) > 1 or (any_pose and len(reference.symmetries)):
        found = [refine(many, surface, pose, 2.0 * step, 10, 1e-2 * step) for pose in found]
    best = max(found, key=covering) if len(found) > 1 else found[0]
    for _ in range(_TURNS if any_pose else 0):
        turned = _closest(loose, reference.symmetries @ best, surface, step, 16)
        turned = np.stack([refine(loose, surface, pose, 2.0 * step, 6, 1e-2 * step) for pose in turned])
        turned = _closest(many, turned, surface, step, 4)
        others = [refine(many, surface, pose, 2.0 * step, 10, 1e-2 * step) for pose in turned]
        better = max([best, *others], key=covering)
        if len(distinct(np.stack([best, better]), few, step, 2)) == 1:
            break
        best = better
    return best


def _ranked(poses: list[Array], source: Surface, target: Surface, step: float) -> list[Array]:
    return sorted(poses, key=lambda pose: -_likeness(source, target, pose, 2.0 * step))


def _closest(points: Array, poses: Array, target: Surface, reach: float, count: int) -> Array:
    """The ``count`` of ``poses`` that lay ``points`` closest to ``target``, best first."""
    chosen: Array = poses[np.argsort(-_closeness(points, poses, target, reach), kind="stable")[:count]]
    return chosen


def _likely(points: Array, poses: Array, target: Surface, reach: float, least: float) -> Array:
    """Those of ``poses`` that lay ``points`` on ``target`` with a closeness of ``least`` or more, best first."""
    scores = _closeness(points, poses, target, reach)
    order = np.argsort(-scores, kind="stable")
    kept: Array = poses[order[scores[order] >= least]]
    return kept


def _inverse(pose: Array) -> Array:
    turn = pose[:3, :3].T
    return rigid(turn, -turn @ pose[:3, 3])


def _closeness(points: Array, poses: Array, target: Surface, reach: float) -> Array:
    """(P,) mean of 1 - (d / reach)^2 over ``points`` in each of (P, 4, 4) ``poses``, 0 beyond ``reach``."""
    placed = np.concatenate([moved(points, pose) for pose in poses])
    distances, _ = target.nearest(placed, reach)
    close = np.maximum(1.0 - np.square(np.minimum(distances, reach) / reach), 0.0)
    means: Array = close.reshape(len(poses), -1).mean(axis=1)
    return means


def _likeness(source: Surface, target: Surface, pose: Array, reach: float) -> float:
    """How well two surfaces cover each other, weighted by how alike their normals are; a part of one counts less."""
    forth = _agreement(moved(source.points, pose), source.normals @ pose[:3, :3].T, target, reach)
    back = _inverse(pose)
    return forth + 0.5 * _agreement(moved(target.points, back), target.normals @ back[:3, :3].T, source, reach)


def _agreement(points: Array, normals: Array, target: Surface, reach: float) -> float:
    distances, found = target.nearest(points, reach)
    near = np.isfinite(distances)
    alike = np.abs(np.einsum("ij,ij->i", normals[near], target.normals[found[near]]))
    return float(((1.0 - np.square(distances[near] / reach)) * alike).sum() / len(points))


def _measured(points: Array, reference: Reference, transform: Array) -> Registration:
    """Fitness and error: distances along the reference's normals, of points near it."""
    placed = moved(points, transform)
    reach = 2.0 * reference.coarse_step
    distances, found = reference.surface.nearest(placed, reach)
    near = np.isfinite(distances)
    gaps = placed[near] - reference.surface.points[found[near]]
    along = np.einsum("ij,ij->i", gaps, reference.surface.normals[found[near]])
    rmse = float(np.sqrt(np.square(along).mean())) if near.any() else float("inf")
    return Registration(transform, float(near.mean()), rmse)
