"""The constants of SCA, with the paper's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from core.pipelines.config import Config, setting
from core.pipelines.sca.aggregation import AggregationOptions


@dataclass(frozen=True)
class ScaConfig(Config):
    """Config of SCA. Defaults are the paper's where it gives one, and its recommended reading where it contradicts
    itself; what the paper does not have is off. The preset ``fast`` is what Nominal recommends."""

    weights: str = setting(
        "auto", "Backbone weights by name; auto takes the best set on this computer", features="weights:point_mae"
    )
    normalisation: Literal["unit_sphere", "cloud_statistics"] = setting(
        "unit_sphere",
        "How the backbone's token encoder normalises: by the statistics of its training, or by each scan's own, as "
        "published codes do by leaving the network in training mode",
        choices=("unit_sphere", "cloud_statistics"),
    )
    background: Literal["auto", "none", "plane"] = setting(
        "auto", "Whether a table below the part is removed", choices=("auto", "none", "plane")
    )
    voxel: float = setting(
        0.0,
        "Side of the voxels that scans are thinned by, in the file's unit; 0 chooses it from the scans",
        low=0.0,
        paper="0.5 mm (Real3D-AD), 1 mm (Industrial3D-AD)",
    )
    voxel_points: int = setting(
        16_000, "About how many points a scan keeps where the voxel is chosen from the scans", low=256, high=200_000
    )
    outlier_ratio: float = setting(
        0.0,
        "Points whose mean distance to their 20 neighbours exceeds the usual by this many standard deviations form no "
        "patches and get the score of the nearest other point; 0 keeps all",
        low=0.0,
        high=20.0,
        paper="in the making of Industrial3D-AD",
    )
    align: Literal["auto", "none", "any"] = setting(
        "none",
        "Whether scans are laid on a good part first: none, from any pose, or where the good scans allow it (auto)",
        choices=("auto", "none", "any"),
        paper="none",
    )
    fill_gaps: bool = setting(
        False,
        "Whether what a scan did not measure is filled from good scans before patches are cut, where scans are "
        "aligned; a gap at which something was measured that good scans do not have stays open",
        paper=False,
    )
    patches: int = setting(1024, "Patches a scan", low=8, high=8192, paper=1024)
    patch_points: int = setting(32, "Points a patch", low=4, high=256, paper=32)
    patch_scale: float = setting(
        0.0,
        "Mean radius that patches are scaled to before the backbone, in radii of the shapes that it was trained on; "
        "0 leaves them at the part's scale",
        low=0.0,
        high=2.0,
    )
    layer: int = setting(
        12,
        "Transformer block whose output is the patch feature; 0 is the token encoder alone",
        low=0,
        high=12,
        paper=12,
    )
    fpfh_radius: float = setting(5.0, "Radius of the geometric descriptor", unit="voxels", low=1.0, high=50.0)

    aggregation: bool = setting(True, "Spatial Context Aggregation; off is the paper's ablation '- SCA'")
    prototypes: float = setting(
        0.1, "Prototypes as a share of the patches", unit="share", low=0.001, high=1.0, paper=0.1
    )
    prototype_neighbors: int = setting(10, "K, patches that a prototype aggregates", low=1, high=256, paper=10)
    mask_radius: float = setting(
        0.5, "tau, farther prototypes do not exchange", unit="part radii", low=0.0, high=10.0, paper=0.5
    )
    bandwidth: float = setting(
        0.1, "tau_c of the kernel of places", unit="part radii squared", low=1e-4, high=100.0, paper=0.1
    )
    temperature: float = setting(0.05, "t of every Sinkhorn normalisation", low=0.001, high=10.0, paper=0.05)
    sinkhorn_iterations: int = setting(20, "Iterations of every Sinkhorn normalisation", low=1, high=1000, paper=20)
    assignment_rounds: int = setting(2, "Alternations of assignment and centroids", low=1, high=30)
    residual: float = setting(
        0.5,
        "Share of a feature that each step of the aggregation keeps",
        unit="share",
        low=0.0,
        high=1.0,
        paper="not stated",
    )
    affinity: Literal["both", "geometry", "feature"] = setting(
        "both",
        "Affinities that are fused; geometry and feature are the paper's ablations",
        choices=("both", "geometry", "feature"),
        paper="both",
    )
    fusion: Literal["rows", "softmax"] = setting(
        "rows",
        "How fused affinities become weights: by their row sums, or the paper's literal softmax",
        choices=("rows", "softmax"),
        paper="softmax",
    )
    global_step: bool = setting(True, "Exchange among prototypes; off is the paper's ablation", paper=True)
    snap: Literal["soft", "hard", "off"] = setting(
        "soft",
        "Snapping to the nearest prototypes; off is the paper's ablation",
        choices=("soft", "hard", "off"),
        paper="on",
    )
    prototype_mass: Literal["density", "uniform"] = setting(
        "density", "mu: prototypes get mass by the patches near them, or equally", choices=("density", "uniform")
    )

    feature_width: int = setting(
        0, "Principal components that features are reduced to and whitened; 0 keeps them as they are", low=0, high=384
    )
    anchors: int = setting(
        0,
        "Places of the part at which the good scans' features are remembered, to judge each patch by what is usual "
        "there; 0 judges all places alike. Needs aligned scans",
        low=0,
        high=20_000,
        paper=0,
    )
    anchor_floor: float = setting(0.3, "Share of the usual variance that is added at every anchor", low=0.0, high=10.0)
    token_weight: float = setting(
        1.0, "Weight of the backbone's features among the patch features", low=0.0, high=100.0
    )
    fpfh_weight: float = setting(
        0.0,
        "Weight of the geometric descriptor among the patch features; 0 uses it in the aggregation only",
        low=0.0,
        high=100.0,
        paper=0,
    )
    placed_weight: float = setting(
        0.0,
        "Weight of the patch's height above the good parts' mean surface among the patch features; needs anchors",
        low=0.0,
        high=100.0,
        paper=0,
    )
    turn: Literal["cosine", "angle"] = setting(
        "cosine",
        "How the turn of a patch against the mean surface is measured: by the mean of 1 - |cos| over all its normals, "
        "or as an angle, over the normals that the points around determine, each counted by how surely they do",
        choices=("cosine", "angle"),
    )

    adaptor: bool = setting(True, "Feature Adaptor; off is the paper's ablation '- FA'", paper=True)
    adaptor_share: float = setting(
        0.5, "alpha, share of the adapted feature", unit="share", low=0.0, high=1.0, paper=0.5
    )
    corruption: float = setting(
        0.5,
        "p, share of patches that get noise; 1 is SimpleNet's generator",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.5,
    )
    noise: float = setting(0.1, "sigma of the noise", low=0.0001, high=100.0, paper=0.1)
    noise_octaves: float = setting(
        0.0,
        "Each corrupted patch's noise is scaled by a factor drawn from this many octaves about 1",
        low=0.0,
        high=8.0,
        paper=0,
    )
    gamma_low: float = setting(0.5, "Least value of the learnable factor of the noise", low=0.0, high=1.0)
    gamma_high: float = setting(2.0, "Largest value of the learnable factor of the noise", low=1.0, high=100.0)
    clean_pass: bool = setting(
        False, "Show the discriminator scans without any noise as well, as it will meet them", paper=False
    )
    heads: int = setting(4, "Attention heads of the discriminator", low=1, high=16, paper=4)
    hidden: float = setting(
        4.0, "Width of the discriminator's hidden layer in widths of the feature", low=0.25, high=16.0, paper=4
    )
    dropout: float = setting(0.1, "Dropout of the discriminator", unit="share", low=0.0, high=0.9, paper=0.1)
    attention: bool = setting(True, "Cross-patch attention; off is the paper's per-token MLP ablation", paper=True)
    energy: bool = setting(
        False,
        "Let the discriminator see how far a feature lies from the usual, which its layer norm hides from it",
        paper=False,
    )
    position: Literal["coordinates", "learned", "none"] = setting(
        "coordinates",
        "Where the discriminator's position embedding comes from: the patch centre, the patch's number "
        "(the paper's free vectors), or nothing",
        choices=("coordinates", "learned", "none"),
        paper="learned",
    )

    copies: int = setting(4, "Augmented copies of each scan that training draws from", low=1, high=64)
    yaw: float = setting(
        180.0, "Largest random turn about the vertical", unit="degrees", low=0.0, high=180.0, paper=180
    )
    jitter: float = setting(
        0.005, "Standard deviation of random shifts of points", unit="part radii", low=0.0, high=0.1, paper=0.005
    )
    scaling: float = setting(0.05, "Largest random change of size", unit="share", low=0.0, high=0.5, paper=0.05)
    epochs: int = setting(100, "Passes over the scans", unit="epochs", low=1, high=10_000, paper=100)
    batch: int = setting(8, "Scans a step", low=1, high=64, paper=8)
    learning_rate: float = setting(1e-4, "Initial learning rate, falling as a cosine", low=1e-7, high=1.0, paper=1e-4)
    weight_decay: float = setting(1e-4, "Decoupled weight decay", low=0.0, high=1.0, paper=1e-4)
    clip: float = setting(1.0, "Largest norm of a gradient", low=1e-3, high=1e6, paper=1.0)

    starts: int = setting(
        1,
        "How many differently placed sets of patches a scan is judged with; a point gets their mean",
        low=1,
        high=16,
        paper=1,
    )
    projection: Literal["max", "interpolate"] = setting(
        "max",
        "A point's score: the highest of the patches that contain it, or between the nearest centres",
        choices=("max", "interpolate"),
        paper="max",
    )
    median_radius: float = setting(
        3.0, "Radius of the median filter; 0 turns it off", unit="voxels", low=0.0, high=20.0, paper=3
    )

    object_share: float = setting(
        0.0,
        "The object score is the mean of this share of highest point scores; 0 is the highest alone",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.0,
    )

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {
            "outlier_ratio": 2.0,
            "align": "auto",
            "patches": 2048,
            "patch_points": 20,
            "patch_scale": 0.15,
            "layer": 0,
            "feature_width": 48,
            "anchors": 2048,
            "placed_weight": 3.0,
            "turn": "angle",
            "fill_gaps": True,
            "noise": 1.0,
            "noise_octaves": 3.0,
            "clean_pass": True,
            "energy": True,
            "adaptor_share": 0.2,
            "copies": 1,
            "yaw": 0.0,
            "jitter": 0.0,
            "scaling": 0.0,
            "epochs": 12,
            "batch": 4,
            "learning_rate": 1e-3,
            "projection": "interpolate",
            "median_radius": 1.5,
            "object_share": 0.002,
        },
    }

    def aggregation_options(self) -> AggregationOptions:
        """The constants of Spatial Context Aggregation."""
        return AggregationOptions(
            neighbors=self.prototype_neighbors,
            mask_radius=self.mask_radius,
            bandwidth=self.bandwidth,
            temperature=self.temperature,
            iterations=self.sinkhorn_iterations,
            rounds=self.assignment_rounds,
            residual=self.residual,
            affinity=self.affinity,
            fusion=self.fusion,
            global_step=self.global_step,
            snap=self.snap,
            mass=self.prototype_mass,
        )
