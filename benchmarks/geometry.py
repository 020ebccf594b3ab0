"""How fast point operations are: ``python -m benchmarks.geometry [--device auto] [--points 20000 ...] [--runs 5]``."""

from __future__ import annotations

import numpy as np

from benchmarks import plain
from benchmarks.made_clouds import part, table_scan, turned
from benchmarks.stages import Stopwatch, Timing, stage_main
from core.geometry.background import plane_background
from core.geometry.clusters import dbscan
from core.geometry.fpfh import fpfh
from core.geometry.interpolation import interpolate
from core.geometry.neighbors import ball, nearest, spacing
from core.geometry.normals import estimate_normals
from core.geometry.outliers import statistical_outliers
from core.geometry.patches import make_patches
from core.geometry.registration import Reference, register
from core.geometry.sampling import farthest_points
from core.geometry.voxels import voxel_grid
from core.runtime import Runtime

CENTERS, K = 1024, 32
_PLAIN_UP_TO, _MEDIUM, _LARGE = 100_000, 100_000, 500_000


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """Every operation on a cloud of so many points."""
    watch = Stopwatch(points, runs if points <= _LARGE else min(runs, 3), runtime)
    cloud = part(points)
    _sampled(watch, cloud)
    _searched(watch, cloud)
    _described(watch, cloud)
    _placed(watch, cloud)
    return watch.timings


def _sampled(watch: Stopwatch, cloud: np.ndarray) -> None:
    runtime, small = watch.runtime, len(cloud) <= _PLAIN_UP_TO
    size = 4 * spacing(cloud)
    watch.time(
        f"farthest_points {CENTERS}",
        lambda: farthest_points(cloud, CENTERS, runtime=runtime),
        (lambda: plain.farthest(cloud, CENTERS)) if small else None,
        "NumPy loop",
    )
    if len(cloud) > 8192:
        watch.time("farthest_points 8192", lambda: farthest_points(cloud, 8192, runtime=runtime))
    watch.time("voxel_grid", lambda: voxel_grid(cloud, size), lambda: plain.voxels(cloud, size), "NumPy unique")
    watch.time(f"make_patches {CENTERS} x {K}", lambda: make_patches(cloud, CENTERS, K, runtime=runtime))


def _searched(watch: Stopwatch, cloud: np.ndarray) -> None:
    runtime, count = watch.runtime, len(cloud)
    centers = cloud[farthest_points(cloud, CENTERS, runtime=runtime)]
    values = np.random.default_rng(0).standard_normal((CENTERS, 384)).astype(np.float32)
    watch.time(
        f"nearest {K} of {CENTERS}",
        lambda: nearest(cloud, centers, K, runtime=runtime),
        lambda: plain.nearest(cloud, centers, K),
        "SciPy tree",
    )
    watch.time(
        f"nearest {K} of all",
        lambda: nearest(cloud, cloud, K, runtime=runtime),
        (lambda: plain.nearest(cloud, cloud, K)) if count <= _LARGE else None,
        "SciPy tree",
    )
    if count <= _LARGE:
        watch.time(
            "interpolate 384 channels",
            lambda: interpolate(values, centers, cloud, runtime=runtime),
            (lambda: plain.interpolated(values, centers, cloud)) if count <= _PLAIN_UP_TO else None,
            "SciPy tree and NumPy",
        )
    else:
        watch.skip("interpolate 384 channels", f"left out: {count * 384 * 4 / 1e9:.1f} GB of result")
    if count <= _MEDIUM:
        radius = 8 * spacing(cloud)
        watch.time(
            "ball, 100 at most, of all",
            lambda: ball(cloud, cloud, radius, 100, runtime=runtime),
            lambda: plain.within(cloud, radius),
            "SciPy tree",
        )
    else:
        watch.skip("ball, 100 at most, of all", "left out: the pipelines ask for balls of thinned clouds alone")


def _described(watch: Stopwatch, cloud: np.ndarray) -> None:
    runtime, count = watch.runtime, len(cloud)
    small = count <= _PLAIN_UP_TO
    radius = 8 * spacing(cloud)
    watch.time(
        "estimate_normals k 30",
        lambda: estimate_normals(cloud, runtime=runtime),
        (lambda: plain.normals(cloud, 30)) if count <= _LARGE else None,
        "open3d",
    )
    normals = estimate_normals(cloud, runtime=runtime)
    chosen = farthest_points(cloud, CENTERS, runtime=runtime)
    watch.time(
        f"fpfh {CENTERS}",
        lambda: fpfh(cloud, normals, chosen, radius, runtime=runtime),
        (lambda: plain.fpfh(cloud, normals, radius)) if small else None,
        "open3d, of all points",
    )
    if count > _LARGE:
        for name in ("statistical_outliers", "dbscan"):
            watch.skip(name, "left out: minutes; the pipelines clean thinned clouds")
        return
    watch.time(
        "statistical_outliers",
        lambda: statistical_outliers(cloud, runtime=runtime),
        (lambda: plain.outliers(cloud)) if small else None,
        "open3d",
    )
    watch.time(
        "dbscan",
        lambda: dbscan(cloud, radius, 10),
        (lambda: plain.clustered(cloud, radius, 10)) if small else None,
        "scikit-learn",
    )


def _placed(watch: Stopwatch, cloud: np.ndarray) -> None:
    side = round(len(cloud) ** 0.5)
    scan = table_scan(side)
    watch.time("plane_background", lambda: plane_background(scan))
    if len(cloud) > _LARGE:
        watch.skip("register, any pose", "left out: larger clouds are thinned to the same size first")
        watch.skip("register, same pose", "left out: larger clouds are thinned to the same size first")
        return
    reference, other, moved = Reference(cloud), part(len(cloud), 2), turned(part(len(cloud), 1))
    watch.time("register, any pose", lambda: register(moved, reference, any_pose=True))
    watch.time("register, same pose", lambda: register(other, reference, any_pose=False))


def main() -> None:
    stage_main(stages, __doc__)


if __name__ == "__main__":
    main()
