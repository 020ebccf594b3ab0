"""Pseudo-anomalies: good scans with pieces of other surfaces, for the training of the fusion.

The recipe works on images of height. Every picture of a part is one: on an organised scan that of its sensor, on others
that of each view, whose seen points move along the view's direction. Sources are the other good scans, from any side,
and made shapes. The target itself is not turned: the memory knows the part in its own pose only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.shading import render_normals
from core.pipelines.iaenet.expert_2d import Described
from core.pipelines.iaenet.frame import Prepared
from core.pipelines.iaenet.pictures import SIZE, Photographer, Picture
from core.synthesis.cut_paste import CutPasteOptions, Pasted, cut_paste
from core.synthesis.shapes import procedural_cloud

Floats = NDArray[np.float32]

_TRIES = 8
_SHAPE_POINTS = 8000


@dataclass(frozen=True, eq=False)
class Pseudo:
    """A good scan with made defects.

    Attributes
    ----------
    prepared : Prepared
    pictures : list of Picture
    labels : (V,) bool
        Points of the cloud that were pasted.
    scan : int
        The good scan that it is made of.
    """

    prepared: Prepared
    pictures: list[Picture]
    labels: NDArray[np.bool_]
    scan: int


class PseudoMaker:
    """Makes pseudo-anomalies of a category's good scans.

    Parameters
    ----------
    prepared, described
        The good scans.
    photographer : Photographer
    options : CutPasteOptions
        Lengths in millimetres.
    procedural : float
        Share of the samples whose source is a made shape.
    neighbors : int
        Points that make a normal.
    """

    def __init__(
        self,
        prepared: Sequence[Prepared],
        described: Sequence[Described],
        photographer: Photographer,
        options: CutPasteOptions,
        procedural: float,
        neighbors: int,
    ) -> None:
        self._prepared, self._pictures = prepared, [one.pictures for one in described]
        self._photographer, self._options = photographer, options
        self._procedural, self._neighbors = procedural, neighbors

    def make(self, scan: int, rng: np.random.Generator) -> Pseudo:
        """One sample of a good scan. A scan on which no piece finds room comes back as it is, without labels."""
        target, pictures = self._prepared[scan], self._pictures[scan]
        for _ in range(_TRIES):
            share = np.array([one.mask.sum() for one in pictures], np.float64)
            picture = pictures[rng.choice(len(pictures), p=share / share.sum())]
            source, image = self._source(scan, rng)
            own = picture.heights(target.dense)
            if not (np.isfinite(own).any() and np.isfinite(source).any()):
                continue
            pasted = cut_paste(own, source, rng, self._options)
            moved = picture.dense_visible & pasted.mask[picture.dense_pixels[:, 0], picture.dense_pixels[:, 1]]
            counts = np.bincount(target.inverse, minlength=len(target.cloud))
            labels = np.bincount(target.inverse, moved, minlength=len(counts)) > 0.5 * counts
            if labels.any() and not labels.all():
                return self._pasted(scan, picture, own, pasted, moved, labels, image)
        return Pseudo(target, list(pictures), np.zeros(len(target.cloud), bool), scan)

    def _source(self, scan: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Heights, and the image that goes with them; a made shape looks like some good scan, whose grain it takes."""
        other = scan
        if len(self._prepared) > 1:
            other = int(rng.integers(len(self._prepared) - 1))
            other += other >= scan
        pictures = self._pictures[other]
        picture = pictures[rng.integers(len(pictures))]
        if len(self._prepared) < 2 or rng.random() < self._procedural:
            return self._shape(rng), picture.image
        return picture.heights(self._prepared[other].dense), picture.image

    def _shape(self, rng: np.random.Generator) -> Floats:
        """A made shape of the part's size, seen from a random side."""
        extent = self._photographer.extent
        cloud = (procedural_cloud(rng, _SHAPE_POINTS, alter=False) * (extent / 2)).astype(np.float32)
        facing = np.tile(np.array([0, 0, 1], np.float32), (len(cloud), 1))
        drawn = render_normals(cloud, facing, size=SIZE, splat=9, center=np.zeros(3), extent=extent)
        return np.where(drawn.index >= 0, cloud[drawn.index, 2], np.nan).astype(np.float32)

    def _pasted(
        self,
        scan: int,
        picture: Picture,
        own: Floats,
        pasted: Pasted,
        moved: NDArray[np.bool_],
        labels: NDArray[np.bool_],
        image: Floats,
    ) -> Pseudo:
        target = self._prepared[scan]
        at = picture.dense_pixels[moved]
        shift = (pasted.heights - own)[at[:, 0], at[:, 1]]
        dense = target.dense.copy()
        dense[moved] += (np.nan_to_num(shift)[:, None] * picture.towards).astype(np.float32)
        changed = target.moved(dense, self._neighbors)
        shown = None
        if self._photographer.rgb:
            shown = picture.image.copy()
            shown[:, pasted.mask] = image.reshape(3, -1)[:, pasted.source[pasted.mask]]
        pictures = self._photographer.again(changed, self._pictures[scan], shown)
        return Pseudo(changed, pictures, labels, scan)
