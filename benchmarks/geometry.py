"""How fast the point operations are: ``python -m benchmarks.geometry [--device auto|cpu|cuda] [--points 20000 ...]``.

Each operation runs several times; printed are the median and how many times faster that is than a plain version of the
same (a NumPy loop, all pairs, or open3d's own call) in the same run. A dash: the plain version would take minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import open3d as o3d
import torch

from core.geometry.background import plane_background
from core.geometry.clusters import dbscan
from core.geometry.fpfh import fpfh
from core.geometry.interpolation import interpolate
from core.geometry.neighbors import ball, nearest, spacing
from core.geometry.normals import estimate_normals
from core.geometry.outliers import statistical_outliers
from core.geometry.patches import make_patches
from core.geometry.registration import Reference, register, transform_points
from core.geometry.sampling import farthest_points
from core.geometry.voxels import voxel_grid
from core.runtime import Runtime
from core.scan import Scan

CENTERS, K = 1024, 32


def part(count: int, seed: int = 0) -> np.ndarray:
    """A bumpy ellipsoid of about 100 mm in no order: the worst case for searches."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    bumps = 1 + 0.1 * np.sin(7 * points[:, :1]) * np.cos(5 * points[:, 1:2]) + 0.1 * points[:, 2:] ** 3
    return (points * bumps * np.array([50, 35, 25])).astype(np.float32)


def table_scan(side: int) -> Scan:
    """An organised scan of a dome on a table."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((side, side)) * (100 / side)
    dome = 625 - (rows - 50) ** 2 - (columns - 45) ** 2
    depth = np.where(dome > 0, np.sqrt(np.maximum(dome, 0)) + 3, 0) + rng.normal(0, 0.1, rows.shape)
    grid = np.arange(side * side, dtype=np.int32).reshape(side, side)
    return Scan(np.stack([columns, rows, depth], axis=2).reshape(-1, 3).astype(np.float32), grid=grid)


def plain_farthest(points: np.ndarray, count: int) -> np.ndarray:
    distance, chosen = np.full(len(points), np.inf, np.float32), [0]
    for _ in range(count - 1):
        np.minimum(distance, np.square(points - points[chosen[-1]]).sum(axis=1), out=distance)
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def plain_nearest(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """All pairs, in chunks of 64 queries."""
    found = []
    for start in range(0, len(queries), 64):
        squared = np.square(queries[start : start + 64, None] - points).sum(axis=2)
        part_of = np.argpartition(squared, k, axis=1)[:, :k]
        found.append(np.take_along_axis(part_of, np.take_along_axis(squared, part_of, 1).argsort(axis=1), 1))
    return np.concatenate(found)


def o3d_cloud(points: np.ndarray, normals: np.ndarray | None = None) -> o3d.geometry.PointCloud:
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
    if normals is not None:
        cloud.normals = o3d.utility.Vector3dVector(normals.astype(np.float64))
    return cloud


def plain_voxels(points: np.ndarray, size: float) -> object:
    return np.unique(np.floor((points - points.min(axis=0)) / size).astype(np.int64), axis=0, return_inverse=True)


def plain_interpolate(values: np.ndarray, centers: np.ndarray, queries: np.ndarray) -> np.ndarray:
    indices = plain_nearest(centers, queries, 3)
    weights = 1 / (np.square(centers[indices] - queries[:, None]).sum(axis=2) + 1e-8)
    return (values[indices] * (weights / weights.sum(axis=1, keepdims=True))[..., None]).sum(axis=1)


def seconds(work: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def show(name: str, number: int, work: Callable[[], object], plain: Callable[[], object] | None, runs: int) -> None:
    work()  # imports, allocations
    ours = seconds(work, runs)
    ratio = f"{seconds(plain, 1) / ours:8.1f} x" if plain is not None else "       -  "
    print(f"{name:34s} {number:>9,d} {ours * 1e3:10.1f} ms {ratio}", flush=True)


def measure(number: int, runtime: Runtime, runs: int) -> None:
    """Every operation on a cloud of ``number`` points."""
    points = part(number)
    small, medium = number <= 20_000, number <= 100_000
    step = spacing(points)

    def each(name: str, work: Callable[[], object], plain: Callable[[], object] | None = None, n: int = number) -> None:
        show(name, n, work, plain, runs if n <= 500_000 else 3)

    chosen = farthest_points(points, CENTERS, runtime=runtime)
    centers = points[chosen]
    values = np.random.default_rng(0).standard_normal((CENTERS, 384)).astype(np.float32)
    each(
        f"farthest_points {CENTERS}",
        lambda: farthest_points(points, CENTERS, runtime=runtime),
        (lambda: plain_farthest(points, CENTERS)) if medium else None,
    )
    if number >= 100_000:
        each("farthest_points 8192", lambda: farthest_points(points, 8192, runtime=runtime))
    each(
        f"nearest {K} of {CENTERS}",
        lambda: nearest(points, centers, K, runtime=runtime),
        (lambda: plain_nearest(points, centers, K)) if medium else None,
    )
    each(f"make_patches {CENTERS} x {K}", lambda: make_patches(points, CENTERS, K, runtime=runtime))
    each("voxel_grid", lambda: voxel_grid(points, 4 * step), lambda: plain_voxels(points, 4 * step))
    if number > 500_000:
        return
    each(
        f"nearest {K} of all",
        lambda: nearest(points, points, K, runtime=runtime),
        (lambda: plain_nearest(points, points, K)) if small else None,
    )
    each(
        "interpolate 384 channels",
        lambda: interpolate(values, centers, points, runtime=runtime),
        (lambda: plain_interpolate(values, centers, points)) if medium else None,
    )
    each(
        "estimate_normals k 30 (open3d)",
        lambda: estimate_normals(points, runtime=runtime),
        lambda: o3d_cloud(points).estimate_normals(o3d.geometry.KDTreeSearchParamKNN(30)),
    )
    if medium:
        normals, radius = estimate_normals(points, runtime=runtime), 8 * step
        search = o3d.geometry.KDTreeSearchParamHybrid(radius, 100)
        each(
            f"fpfh {CENTERS} (open3d, all)",
            lambda: fpfh(points, normals, chosen, radius, runtime=runtime),
            lambda: o3d.pipelines.registration.compute_fpfh_feature(o3d_cloud(points, normals), search),
        )
        each("ball, 100 at most, of all", lambda: ball(points, points, radius, 100, runtime=runtime))
        each(
            "statistical_outliers (open3d)",
            lambda: statistical_outliers(points, runtime=runtime),
            lambda: o3d_cloud(points).remove_statistical_outlier(20, 2.0),
        )
        each(
            "dbscan (open3d)",
            lambda: dbscan(points, 8 * step, 10),
            lambda: o3d_cloud(points).cluster_dbscan(8 * step, 10),
        )
        reference = Reference(points)
        turn = np.eye(4)
        turn[:3, :3] = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
        turn[:3, 0] *= np.sign(np.linalg.det(turn[:3, :3]))
        moved = transform_points(part(number, 1), turn)
        register(moved, reference, any_pose=True)
        each("register, any pose", lambda: register(moved, reference, any_pose=True))
        each("register, same pose", lambda: register(part(number, 2), reference, any_pose=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--points", type=int, nargs="+", default=[20_000, 100_000, 500_000, 2_000_000])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    runtime, runs = Runtime.choose(options.device), options.runs
    print(f"{runtime.title}; median of {runs}; ratio to the plain version\n")
    print(f"{'operation':34s} {'points':>9s} {'median':>13s} {'faster by':>9s}")
    for number in options.points:
        measure(number, runtime, runs)
    scan = table_scan(400)
    show("plane_background 400 x 400", len(scan), lambda: plane_background(scan), None, runs)


if __name__ == "__main__":
    main()
