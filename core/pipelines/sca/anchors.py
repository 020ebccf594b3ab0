"""What the good parts agree on, place by place: the surface they share, and the features found on it.

Both are learned once, from scans brought into one pose, and hold what each scan contributed as sums, so that a training
scan can be judged without its own contribution, as a new scan will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.neighbors import nearest
from core.geometry.normals import estimate_normals
from core.geometry.sampling import farthest_points
from core.geometry.voxels import voxel_grid
from core.runtime import Runtime

Floats = NDArray[np.float32]

PLACED = ("mean height", "highest", "lowest", "roughness", "turn", "distance")
"""What ``SurfaceAnchors.describe`` says of a patch."""


@dataclass(frozen=True, eq=False)
class SurfaceAnchors:
    """The mean surface of the good scans.

    Attributes
    ----------
    points, normals : (A, 3) float32
        A point of the surface in every voxel that a good scan touched.
    sums, counts : (A,) float32
        Sum of the scans' heights above the anchor along its normal, and how many scans have a surface there.
    voxel : float
        Side of the voxels, in the unit of the points.
    """

    points: Floats
    normals: Floats
    sums: Floats
    counts: Floats
    voxel: float

    @classmethod
    def learn(cls, clouds: Sequence[Floats], voxel: float) -> SurfaceAnchors:
        """The mean surface of (V_i, 3) ``clouds`` that lie in one pose."""
        union = voxel_grid(np.concatenate(clouds), voxel)
        normals = estimate_normals(union.points, k=16)
        empty = cls(
            union.points, normals, np.zeros(len(normals), np.float32), np.zeros(len(normals), np.float32), voxel
        )
        sums, counts = np.zeros(len(normals)), np.zeros(len(normals))
        for cloud in clouds:
            heights = empty.heights_of(cloud)
            seen = np.isfinite(heights)
            sums[seen] += heights[seen]
            counts += seen
        return cls(union.points, normals, sums.astype(np.float32), counts.astype(np.float32), voxel)

    def heights_of(self, cloud: Floats) -> Floats:
        """(A,) height of a cloud's surface above each anchor; NaN where it has none within two voxels."""
        k = min(6, len(cloud))
        distances, indices = nearest(cloud, self.points, k)
        near = distances < 2.0 * self.voxel
        gaps = cloud[indices] - self.points[:, None]
        heights = np.einsum("akj,aj->ak", gaps, self.normals)
        number = near.sum(axis=1)
        mean = (heights * near).sum(axis=1) / np.maximum(number, 1)
        return np.where(number >= min(3, k), mean, np.nan).astype(np.float32)

    def without(self, cloud: Floats) -> SurfaceAnchors:
        """The mean surface that the other scans share, for judging one of the scans that it was learned from."""
        heights = self.heights_of(cloud)
        seen = np.isfinite(heights) & (self.counts > 1)
        kept = ~(np.isfinite(heights) & (self.counts <= 1))  # anchors that this scan alone made
        if not kept.any():
            return self
        sums = self.sums - np.where(seen, heights, 0.0)
        counts = self.counts - seen
        return SurfaceAnchors(
            self.points[kept], self.normals[kept], sums[kept].astype(np.float32), counts[kept], self.voxel
        )

    def describe(
        self, points: Floats, normals: Floats, neighbors: NDArray[np.int64], certainty: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """How a scan lies to the mean surface.

        Parameters
        ----------
        points, normals : (V, 3) float32
        neighbors : (G, k) int64
            The points of each patch, its centre first; where it has fewer than k, the centre again.
        certainty : (V,) float32, optional
            What each normal counts in the turn, see ``normal_certainty``. The turn is then an angle: the root of twice
            the mean of 1 - |cos|, whose spread at a place does not grow with its mean, as that of a mean square does.

        Returns
        -------
        patches : (G, 6) float32
            Of each patch what ``PLACED`` names: mean, highest, lowest height and their standard deviation in voxels,
            mean turn of the normals (1 - |cos|), mean log distance. The highest and the lowest tenth of the heights,
            and the farthest fifth of the distances, are left out: stray points are no defect. Each point counts once.
            The turn is NaN where no normal counts.
        heights : (V,) float32
            Signed height of each point, outwards positive where normals point outwards, in the unit of the points.
        """
        k = min(4, len(self.points))
        distances, indices = nearest(self.points, points, k)
        weights = 1.0 / (distances**2 + (0.1 * self.voxel) ** 2)
        weights /= weights.sum(axis=1, keepdims=True)
        mean = np.divide(self.sums, self.counts, out=np.zeros_like(self.sums), where=self.counts > 0)
        facing = np.sign(np.einsum("vkj,vj->vk", self.normals[indices], self.normals[indices[:, 0]]))
        above = np.einsum("vkj,vkj->vk", points[:, None] - self.points[indices], self.normals[indices]) - mean[indices]
        heights = (weights * above * np.where(facing == 0, 1.0, facing)).sum(axis=1)
        cosine = np.abs(np.einsum("vkj,vj->vk", self.normals[indices], normals))
        turn = (weights * (1.0 - cosine)).sum(axis=1)
        far = np.log1p(distances[:, 0] / self.voxel)
        # Neighbouring patches must agree on the sign: the patch's first point decides it.
        reference = self.normals[indices[:, 0]]
        sign = np.sign(np.einsum("gkj,gj->gk", reference[neighbors], reference[neighbors[:, 0]]))
        of_patch = heights[neighbors] * np.where(sign == 0, 1.0, sign) / self.voxel
        own = neighbors != neighbors[:, :1]
        own[:, 0] = True
        number = own.sum(axis=1, keepdims=True)
        rank = np.arange(neighbors.shape[1])
        stray = number // 10
        of_patch, inner = np.sort(np.where(own, of_patch, np.inf), axis=1), (rank >= stray) & (rank < number - stray)
        beside, near = np.sort(np.where(own, far[neighbors], np.inf), axis=1), rank < number - 2 * stray
        counted = own if certainty is None else own * certainty[neighbors]
        all_counted = counted.sum(axis=1, dtype=np.float64)
        of_normals = (counted * turn[neighbors]).sum(axis=1) / np.where(all_counted > 0, all_counted, np.nan)
        described = np.stack(
            [
                of_patch.mean(axis=1, where=inner),
                of_patch.max(axis=1, where=inner, initial=-np.inf),
                of_patch.min(axis=1, where=inner, initial=np.inf),
                of_patch.std(axis=1, where=inner),
                of_normals if certainty is None else np.sqrt(2.0 * np.maximum(of_normals, 0.0)),
                beside.mean(axis=1, where=near),
            ],
            axis=1,
        )
        return described.astype(np.float32), heights.astype(np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {
            "points": self.points,
            "normals": self.normals,
            "sums": self.sums,
            "counts": self.counts,
            "voxel": np.array(self.voxel),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> SurfaceAnchors:
        """What ``state`` gave."""
        arrays = {key: np.asarray(state[key], np.float32) for key in ("points", "normals", "sums", "counts")}
        return cls(**arrays, voxel=float(state["voxel"]))


@dataclass(frozen=True, eq=False)
class FeatureAnchors:
    """Mean and variance of the good scans' features, place by place.

    Attributes
    ----------
    points : (A, 3) float32
    sums, squares : (A, C) float32
        Sum over scans of the feature that each scan shows at the anchor, and of its square.
    counts : (A,) float32
    usual : (C,) float32
        Mean variance of each feature at a place.
    floor : float
        Share of the usual variance that is added everywhere, so that no place is trusted blindly.
    reach : float
        A scan says something of an anchor if it has a patch centre nearer than this.
    """

    points: Floats
    sums: Floats
    squares: Floats
    counts: Floats
    usual: Floats
    floor: float
    reach: float

    @classmethod
    def learn(
        cls,
        features: Sequence[Floats],
        centers: Sequence[Floats],
        count: int,
        floor: float,
        runtime: Runtime | None = None,
    ) -> FeatureAnchors:
        """Statistics of (n_i, C) ``features`` at (n_i, 3) ``centers`` at ``count`` anchors."""
        union = np.concatenate(centers)
        middle = union - union.mean(axis=0)
        start = int(np.einsum("ij,ij->i", middle, middle).argmax())
        points = union[farthest_points(union, min(count, len(union)), start=start, runtime=runtime)]
        spread = np.median(np.concatenate([nearest(own, own, min(2, len(own)))[0][:, -1] for own in centers]))
        reach = max(2.0 * float(spread), 1e-6)
        width = features[0].shape[1]
        sums, squares, counts = np.zeros((len(points), width)), np.zeros((len(points), width)), np.zeros(len(points))
        for own, places in zip(features, centers, strict=True):
            values, seen = _shown(own, places, points, reach)
            sums[seen] += values[seen]
            squares[seen] += values[seen].astype(np.float64) ** 2
            counts += seen
        everywhere = np.nanvar(np.concatenate(features), axis=0, dtype=np.float64)
        usual = everywhere
        many = counts >= 2
        if many.any():
            mean = sums[many] / counts[many, None]
            variance = (squares[many] / counts[many, None] - mean**2) * (counts[many] / (counts[many] - 1))[:, None]
            # Scans that are copies of each other must not make every other scan infinitely far.
            usual = np.maximum(variance.mean(axis=0), 1e-3 * everywhere)
        usual = np.maximum(usual, 1e-6)
        return cls(
            points.astype(np.float32),
            sums.astype(np.float32),
            squares.astype(np.float32),
            counts.astype(np.float32),
            usual.astype(np.float32),
            floor,
            reach,
        )

    def contribution(self, features: Floats, centers: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """What a scan adds at the anchors: (A, C) features, and (A,) where it shows any."""
        return _shown(features, centers, self.points, self.reach)

    def normalise(
        self, features: Floats, centers: Floats, without: tuple[Floats, NDArray[np.bool_]] | None = None
    ) -> Floats:
        """(n, C) ``features`` less the mean of their place, over its standard deviation; 0 for a NaN.

        What a patch does not show is taken to be as expected.

        Parameters
        ----------
        without : (Floats, mask), optional
            A contribution to leave out: for a scan that the anchors were learned from, its own.
        """
        sums, squares, counts = self.sums, self.squares, self.counts
        if without is not None:
            values, seen = without
            left_out = seen & (counts > 1)
            sums = sums - np.where(left_out[:, None], values, 0.0)
            squares = squares - np.where(left_out[:, None], values**2, 0.0)
            counts = counts - left_out
        k = min(4, len(self.points))
        distances, indices = nearest(self.points, centers, k)
        weights = counts[indices] / (distances**2 + (0.1 * self.reach) ** 2)
        weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
        seen_by = np.maximum(counts, 1.0)[:, None]
        mean = sums / seen_by
        # A variance from few scans is unsure: it is drawn towards the usual one by two scans' worth.
        variance = (np.maximum(squares - sums * mean, 0.0) + 2.0 * self.usual) / (np.maximum(counts - 1.0, 0.0) + 2.0)[
            :, None
        ]
        expected = np.einsum("nk,nkc->nc", weights, mean[indices])
        spread = np.einsum("nk,nkc->nc", weights, variance[indices]) + self.floor * self.usual
        return np.where(np.isnan(features), 0.0, (features - expected) / np.sqrt(spread)).astype(np.float32)

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        return {
            "points": self.points,
            "sums": self.sums,
            "squares": self.squares,
            "counts": self.counts,
            "usual": self.usual,
            "floor": np.array(self.floor),
            "reach": np.array(self.reach),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> FeatureAnchors:
        """What ``state`` gave."""
        arrays = {key: np.asarray(state[key], np.float32) for key in ("points", "sums", "squares", "counts", "usual")}
        return cls(**arrays, floor=float(state["floor"]), reach=float(state["reach"]))


def _shown(features: Floats, centers: Floats, anchors: Floats, reach: float) -> tuple[Floats, NDArray[np.bool_]]:
    """The (A, C) features that a scan shows at the anchors, and (A,) where it shows any; patches with NaN show none."""
    whole = np.isfinite(features).all(axis=1)
    if not whole.any():
        return np.zeros((len(anchors), features.shape[1]), np.float32), np.zeros(len(anchors), np.bool_)
    features, centers = features[whole], centers[whole]
    k = min(3, len(centers))
    distances, indices = nearest(centers, anchors, k)
    weights = 1.0 / (distances**2 + 1e-8 * reach**2)
    weights /= weights.sum(axis=1, keepdims=True)
    values = np.einsum("ak,akc->ac", weights, features[indices])
    return values.astype(np.float32), distances[:, 0] < reach
