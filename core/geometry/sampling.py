"""Farthest-point sampling, exact.

From a start point, the point farthest from all chosen so far is chosen next (Gonzalez 1985; Eldar et al. 1997). Three
ways to the same answer: buckets of a KD-tree on the CPU (QuickFPS, Han et al. 2023, by ``fpsample``), a batched torch
loop, and ``pointnet2_ops`` on CUDA where it is installed.

Ties, points that are equally far down to the last bit of a float32 squared distance: the torch loop takes the lowest
index; the bucket sampler and pointnet2 take one of them, always the same for the same input. Copies of chosen points
come last, by index, so that no index is chosen twice.
"""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray

from core.geometry.checks import as_points, on_cuda
from core.runtime import Runtime

_SMALL = 512
"""Below this many points the plain loop is as fast as building a tree."""


def farthest_points(
    points: NDArray[np.float32], count: int, *, start: int = 0, runtime: Runtime | None = None
) -> NDArray[np.int64]:
    """Indices of ``count`` points, each the farthest from those before it.

    Parameters
    ----------
    points : (N, 3) float32
    count : int
        How many, 1 to N.
    start : int
        Index of the first, 0 to N - 1.
    runtime : Runtime, optional
        Where to compute; the CPU if not given.

    Returns
    -------
    (count,) int64
        Distinct indices in the order of choice, ``start`` first.

    Raises
    ------
    ValueError
        If ``count`` or ``start`` is out of range.
    """
    points = as_points(points, least=1)
    _check(len(points), count, start)
    if on_cuda(runtime):
        assert runtime is not None
        batch = torch.from_numpy(points).to(runtime.device)[None]
        return farthest_points_batch(batch, count, start)[0].cpu().numpy()
    if len(points) >= _SMALL and count > 1:
        chosen = _by_buckets(points, count, start)
        if chosen is not None:
            return _copies_last(points, chosen)
    return _by_loop(points, count, start)


def farthest_points_batch(points: torch.Tensor, count: int, start: int = 0) -> torch.Tensor:
    """Farthest points of each cloud of a batch, on the batch's device.

    Parameters
    ----------
    points : (B, N, 3) floating
    count : int
        How many of each cloud, 1 to N.
    start : int
        Index of the first, 0 to N - 1.

    Returns
    -------
    (B, count) int64
        Distinct indices a cloud, ties by lowest index (with ``pointnet2_ops``: one of the equally far).

    Raises
    ------
    ValueError
        If the shape, ``count`` or ``start`` is out of range.
    """
    if points.ndim != 3 or points.shape[2] != 3 or points.shape[1] == 0:
        raise ValueError(f"points have shape {tuple(points.shape)}, not (B, N, 3) with N > 0")
    _check(points.shape[1], count, start)
    points = points.detach().float()
    if points.is_cuda and start == 0:
        chosen = _by_pointnet2(points, count)
        if chosen is not None:
            return chosen
    batch, number, _ = points.shape
    x, y, z = (points[..., axis].contiguous() for axis in range(3))
    distance = torch.full((batch, number), math.inf, device=points.device)
    chosen = torch.empty((batch, count), dtype=torch.int64, device=points.device)
    current = torch.full((batch, 1), start, dtype=torch.int64, device=points.device)
    for step in range(count):
        chosen[:, step : step + 1] = current
        squared = (x - x.gather(1, current)).square_()
        squared += (y - y.gather(1, current)).square_()
        squared += (z - z.gather(1, current)).square_()
        torch.minimum(distance, squared, out=distance)
        distance.scatter_(1, current, -1.0)  # never again, not even when only copies are left
        current = distance.argmax(dim=1, keepdim=True)
    return chosen


def _check(number: int, count: int, start: int) -> None:
    if not 1 <= count <= number:
        raise ValueError(f"{count} farthest points of {number} were asked for")
    if not 0 <= start < number:
        raise ValueError(f"start {start} is not the index of one of {number} points")


def _by_loop(points: NDArray[np.float32], count: int, start: int) -> NDArray[np.int64]:
    """The textbook loop: O(N) a step, in float32 like every other way."""
    x, y, z = np.ascontiguousarray(points.T)
    distance = np.full(len(points), np.inf, np.float32)
    chosen = np.empty(count, np.int64)
    current = start
    for step in range(count):
        chosen[step] = current
        dx, dy, dz = x - x[current], y - y[current], z - z[current]
        np.minimum(distance, dx * dx + dy * dy + dz * dz, out=distance)
        distance[current] = -1.0
        current = int(distance.argmax())
    return chosen


def _by_buckets(points: NDArray[np.float32], count: int, start: int) -> NDArray[np.int64] | None:
    """QuickFPS; None where its tree was built in an order that we did not foresee."""
    import fpsample

    height = int(np.clip(round(math.log2(len(points))) - 10, 3, 9))  # about a thousand points a bucket, measured best
    # fpsample takes its start from the points as its tree has reordered them, not as they were given.
    place = _place_in_tree(points, start, height)
    chosen = fpsample.bucket_fps_kdline_sampling(points, count, h=height, start_idx=place).astype(np.int64)
    return chosen if chosen[0] == start else None


def _place_in_tree(points: NDArray[np.float32], index: int, height: int) -> int:
    """Where the point ``index`` lies after fpsample has built its tree.

    A node is cut across the longest side of its box at the mean, summed one by one in float32, by swapping what lies on
    the wrong side from both ends inwards (Hoare's partition). Only the branch with the point is followed: O(N) in all.
    """
    order = np.arange(len(points))
    left, position = 0, index
    for _ in range(height):
        inside = points[order]
        if len(inside) == 1:
            break
        spans = inside.max(axis=0) - inside.min(axis=0)
        values = inside[:, int(spans.argmax())]
        mean = np.float32(np.cumsum(values, dtype=np.float32)[-1] / np.float32(len(values)))
        low = values < mean
        cut = int(low.sum())
        wrong_left = np.flatnonzero(~low[:cut])
        wrong_right = cut + np.flatnonzero(low[cut:])[::-1]
        order[wrong_left], order[wrong_right] = order[wrong_right], order[wrong_left]
        cut = min(max(cut, 1), len(order) - 1)
        position = int(np.flatnonzero(order == index)[0])
        if position < cut:
            order = order[:cut]
        else:
            order, left = order[cut:], left + cut
            position -= cut
    return left + position


def _copies_last(points: NDArray[np.float32], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """``chosen`` with what came after the last distinct point replaced by the lowest indices not yet chosen.

    Distances only fall from step to step, so that one look at the last point tells whether there is any such.
    """
    among = points[chosen[:-1]] - points[chosen[-1]]
    if len(among) == 0 or np.einsum("ij,ij->i", among, among).min() > 0:
        return chosen
    difference = np.zeros(len(chosen), bool)
    _, first = np.unique(points[chosen] + np.float32(0), axis=0, return_index=True)  # + 0 makes -0 equal to 0
    difference[first] = True
    distinct = int(np.argmin(difference)) if not difference.all() else len(chosen)
    unused = np.ones(len(points), bool)
    unused[chosen[:distinct]] = False
    chosen[distinct:] = np.flatnonzero(unused)[: len(chosen) - distinct]
    return chosen


def _by_pointnet2(points: torch.Tensor, count: int) -> torch.Tensor | None:
    """The kernel of ``pointnet2_ops``; None where it is not installed or would not give the exact answer.

    It skips points with a squared norm of at most 1e-3 and caps squared distances at 1e10. Multiplying by a power of
    two is exact, and brings the cloud to a size at which the cap does not bite; where a point would be skipped even so,
    the torch loop is used.
    """
    operations = _pointnet2()
    if operations is None:
        return None
    size = float((points.amax(dim=1) - points.amin(dim=1)).norm(dim=-1).max())
    if not size > 0:
        return None
    scaled = (points * 2.0 ** (14 - math.ceil(math.log2(size)))).contiguous()
    if float(scaled.square().sum(dim=-1).min()) <= 2e-3:
        return None
    chosen = operations.furthest_point_sample(scaled, count).long()
    ordered = chosen.sort(dim=1).values
    return None if bool((ordered[:, 1:] == ordered[:, :-1]).any()) else chosen


def _pointnet2() -> ModuleType | None:
    try:
        from pointnet2_ops import pointnet2_utils
    except ImportError:
        return None
    module: ModuleType = pointnet2_utils
    return module
