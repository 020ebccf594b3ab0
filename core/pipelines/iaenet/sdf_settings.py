"""The constants of the 3D expert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SdfSettings:
    """How the 3D expert cuts, learns and judges. Defaults are the paper's, or Shape-Guided's where the paper is silent.

    Attributes
    ----------
    patch_points : int
        Points of a patch. Paper: 500.
    overlap : float
        Patches that a point lies in, on average: the number of patches is round(N * overlap / patch_points). Paper: 10.
    train_overlap : float
        The same for the patches that the network is trained on. Paper: 5.
    max_patches : int
        At most this many patches a scan; 0 does not bound them. Paper: 0.
    patch_scale : "extent" or "radius"
        What a patch is divided by: its largest extent along an axis, which changes as the part turns (paper), or twice
        the distance of its farthest point from its mean, which does not.
    frame : "scan" or "principal"
        Patches keep the scan's axes (paper), or are turned into their own principal axes, so that the same surface has
        the same code wherever and however it lies.
    unit : "patch" or "scan"
        X1 in sizes of the patch (paper), or in the scan's unit, which weighs patches of all sizes alike.
    evidence : "distance" or "residual"
        What X1 is: the distance of a point to the rebuilt surface, the least of its patches (paper, eq. 2); or how far
        the codes of its patches are from their reconstructions, in the mean of them (Shape-Guided's score of the part,
        brought to the points). The latter needs no trained decoder, and is blurred to the size of a patch.
    relative : bool
        Whether X1 is held against what good patches of the same looks reach, since both are worse at corners than on
        planes. Paper: False.
    near_copies, far_copies, surface_copies : int
        Noisy copies of the patch's points with half, all and a tenth of sigma as standard deviation.
        Paper: 13, 7 and 0.
    sigma_neighbor : int
        Sigma of a point is the distance to its neighbour of this number in the patch. Paper: 50.
    queries : int
        Queries that a patch contributes to a step; 0 takes one for each of its points. Paper: 0.
    loss : "pull" or "distance"
        What training asks of the field: to pull queries onto the surface along its gradient (paper), or to be their
        signed distance to the surface, estimated from the patch's normals. The latter needs no gradient of the field
        and says at once on which side a query lies: a step takes half the time, and far fewer steps are needed.
    trained : "all" or "decoder"
        What training changes. With the decoder alone each patch is coded once, which saves most of a step, and codes
        stay those of the weights that it started from. Paper: all.
    epochs : int
        Visits of every training patch. Paper: 1000.
    steps : int
        At most this many steps; 0 does not bound them. Paper: 0.
    batch : int
        Patches a step. Paper: 32.
    learning_rate : float
        Of Adam. Paper: 1e-4.
    schedule : "constant" or "cosine"
        Whether the learning rate stays (paper), or rises shortly and falls to a hundredth.
    neighbors : int
        k1, codes that a code is rebuilt from. Shape-Guided: 10.
    nonzeros : int
        Codes of these with a weight. Shape-Guided: 3.
    """

    patch_points: int = 500
    overlap: float = 10.0
    train_overlap: float = 5.0
    max_patches: int = 0
    patch_scale: Literal["extent", "radius"] = "extent"
    frame: Literal["scan", "principal"] = "scan"
    unit: Literal["patch", "scan"] = "patch"
    evidence: Literal["distance", "residual"] = "distance"
    relative: bool = False
    near_copies: int = 13
    far_copies: int = 7
    surface_copies: int = 0
    sigma_neighbor: int = 50
    queries: int = 0
    loss: Literal["pull", "distance"] = "pull"
    trained: Literal["all", "decoder"] = "all"
    epochs: int = 1000
    steps: int = 0
    batch: int = 32
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    neighbors: int = 10
    nonzeros: int = 3
