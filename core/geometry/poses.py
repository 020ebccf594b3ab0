"""Guesses of a part's pose: from matching descriptors, and from principal axes."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray

from core.geometry.icp import Array, moved, rigid, rotation_of

_TRIPLES = 20_000
_EDGE_RATIO = 0.9
"""Real3D-AD's check: corresponding edges of a triple differ by at most a tenth."""


def matches(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M, 2) pairs of rows, each the other's nearest; nearest of each source row where there are few such."""
    likeness = torch.from_numpy(source) @ torch.from_numpy(target).T
    one, other = np.square(source).sum(axis=1), np.square(target).sum(axis=1)
    forth = (torch.from_numpy(other) - 2.0 * likeness).argmin(dim=1).numpy()
    back = (torch.from_numpy(one)[:, None] - 2.0 * likeness).argmin(dim=0).numpy()
    rows = np.arange(len(source))
    mutual = back[forth] == rows
    chosen = rows[mutual] if mutual.sum() >= 100 else rows
    return np.stack([chosen, forth[chosen]], axis=1)


def from_matches(source: Array, target: Array, reach: float, count: int, rng: np.random.Generator) -> Array:
    """Poses that bring many matched points together: RANSAC over triples, all at once.

    Parameters
    ----------
    source, target : (M, 3) float64
        Row i of one is matched with row i of the other.
    reach : float
        Matched points nearer than this agree with a pose.
    count : int
        At most this many poses.
    rng : numpy.random.Generator

    Returns
    -------
    (P, 4, 4) float64
        Best first, each refitted to the points that agree with it.
    """
    if len(source) < 3:
        return np.empty((0, 4, 4))
    triples = rng.integers(len(source), size=(_TRIPLES, 3))
    a, b = source[triples], target[triples]
    edges_a = np.linalg.norm(a - np.roll(a, 1, axis=1), axis=2)
    edges_b = np.linalg.norm(b - np.roll(b, 1, axis=1), axis=2)
    low, high = np.minimum(edges_a, edges_b), np.maximum(edges_a, edges_b)
    sound = (low > _EDGE_RATIO * high).all(axis=1) & (low.min(axis=1) > 2 * reach)
    a, b = a[sound][:2000], b[sound][:2000]
    frames_a, frames_b = _frames(a), _frames(b)
    rotations = frames_b @ frames_a.transpose(0, 2, 1)
    poses = rigid(rotations, b.mean(axis=1) - np.einsum("nij,nj->ni", rotations, a.mean(axis=1)))
    if len(poses) == 0:
        return poses
    some = rng.permutation(len(source))[:1000]
    gaps = poses[:, :3, :3] @ source[some].T + poses[:, :3, 3:] - target[some].T
    agreeing = np.square(gaps).sum(axis=1) < reach**2
    best = np.argsort(-agreeing.sum(axis=1), kind="stable")[:count]
    return np.stack([_fitted(source[some[agreeing[i]]], target[some[agreeing[i]]], poses[i]) for i in best])


def _frames(corners: Array) -> Array:
    """(T, 3, 3) right-handed frames whose columns are set by (T, 3, 3) corners of triangles."""
    first = corners[:, 1] - corners[:, 0]
    first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-300
    third = np.cross(first, corners[:, 2] - corners[:, 0])
    third /= np.linalg.norm(third, axis=1, keepdims=True) + 1e-300
    return np.stack([first, np.cross(third, first), third], axis=2)


def _fitted(source: Array, target: Array, start: Array) -> Array:
    """The rigid motion with least squared error between matched points (Kabsch 1976; Umeyama 1991)."""
    if len(source) < 3:
        return start
    middle_a, middle_b = source.mean(axis=0), target.mean(axis=0)
    u, _, vt = np.linalg.svd((target - middle_b).T @ (source - middle_a))
    rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt)) or 1.0]) @ vt
    return rigid(rotation, middle_b - rotation @ middle_a)


def from_axes(source: Array, target: Array) -> Array:
    """(P, 4, 4) poses that lay the principal axes of ``source`` on those of ``target``, centroid on centroid.

    Every right-handed assignment of axes, and turns of 30 degrees about an axis whose two others are alike.
    """
    middle_a, middle_b = source.mean(axis=0), target.mean(axis=0)
    axes_a = np.linalg.eigh(np.cov((source - middle_a).T))[1]
    values, axes_b = np.linalg.eigh(np.cov((target - middle_b).T))
    axes_a[:, 0] *= np.linalg.det(axes_a)
    axes_b[:, 0] *= np.linalg.det(axes_b)
    flips = [np.diag(s) for s in itertools.product((1.0, -1.0), repeat=3) if np.prod(s) > 0]
    turns = [np.eye(3)]
    for axis, (one, other) in ((0, (1, 2)), (2, (0, 1))):
        if values[one] > 0.6 * values[other]:
            turns += [rotation_of(np.deg2rad(30.0 * i) * np.eye(3)[axis]) for i in range(1, 12)]
    rotations = np.stack([axes_b @ turn @ flip @ axes_a.T for turn in turns for flip in flips])
    return rigid(rotations, middle_b - rotations @ middle_a)


def symmetries(points: Array) -> Array:
    """(P, 4, 4) turns that may lay a part on itself, without identity.

    About each principal axis of ``points`` by parts (2 to 12) of a whole turn, and the same after turning over about
    another axis: where two axes are alike, any line between them may be the one to turn over about.
    """
    middle = points.mean(axis=0)
    axes = np.linalg.eigh(np.cov((points - middle).T))[1].T
    angles = sorted({i / n for n in range(2, 13) for i in range(1, n)})
    turns = [[rotation_of(2 * np.pi * angle * axis) for angle in angles] for axis in axes]
    over = [rotation_of(np.pi * axis) for axis in axes]
    rotations = [turn for about in turns for turn in about]
    rotations += [turn @ over[(i + 1) % 3] for i, about in enumerate(turns) for turn in about]
    stacked = np.stack(rotations)
    return rigid(stacked, middle - stacked @ middle)


def distinct(poses: Array, points: Array, apart: float, count: int) -> Array:
    """The first ``count`` poses that place ``points`` differently: some point ``apart`` from where earlier ones do."""
    kept: list[Array] = []
    places: list[Array] = []
    for pose in poses:
        placed = moved(points, pose)
        if all(np.square(placed - other).sum(axis=1).max() > apart**2 for other in places):
            kept.append(pose)
            places.append(placed)
            if len(kept) == count:
                break
    return np.stack(kept) if kept else np.empty((0, 4, 4))
