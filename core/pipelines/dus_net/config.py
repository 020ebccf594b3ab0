"""The constants of DUS-Net, with the paper's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from core.backbones.down_up.losses import DownLoss, UpLoss
from core.backbones.down_up.noise import NoiseGen
from core.backbones.down_up.swelling import Swelling
from core.pipelines.config import Config, setting


@dataclass(frozen=True)
class DusNetConfig(Config):
    """Config of DUS-Net. Defaults are the paper's where it gives one, and the intended form of its formulas where they
    cannot be used as printed; what the paper does not have is off. The preset ``fast`` is what Nominal recommends."""

    start: bool = setting(True, "Start from pretrained weights; off draws the networks anew for every category")
    weights: str = setting(
        "auto",
        "Weights to start from, by name; auto takes the best set on this computer. They bring the networks' sizes",
        features="weights:dus_net",
    )
    width: int = setting(
        384, "Features of Down-Net (C1, C2, C3) where it starts from no weights; a multiple of heads", low=16, high=2048
    )
    depth: int = setting(4, "Transformer blocks of Down-Net where it starts from no weights", low=1, high=24)
    heads: int = setting(6, "Attention heads of Down-Net where it starts from no weights", low=1, high=32)
    background: Literal["auto", "none", "plane"] = setting(
        "auto", "Whether a table below the part is removed", choices=("auto", "none", "plane")
    )
    align: Literal["auto", "none", "any"] = setting(
        "auto",
        "Whether scans are laid on a good part first: none, from any pose, or where the good scans allow it (auto)",
        choices=("auto", "none", "any"),
        paper="as Real3D-AD does",
    )
    voxel_points: int = setting(
        0,
        "About how many points a scan is thinned to before it is cut into patches; 0 keeps all. All are judged",
        unit="points",
        low=0,
        high=2_000_000,
        paper="none",
    )
    patches: int = setting(8192, "G, patches a scan", low=8, high=32768, paper=8192)
    patch_points: int = setting(640, "K, points a patch", low=4, high=2048, paper="640 (section 4.1), 512 (4.4)")
    upsampling: int = setting(8, "gamma, rebuilt points a centre", unit="points", low=1, high=32, paper=8)

    alpha: float = setting(
        0.08, "Noise-Gen: standard deviation of the noise on centres", unit="noise_unit", low=0.0, high=2.0, paper=0.08
    )
    beta: float = setting(
        0.15, "Noise-Gen: the same on the points of patches", unit="noise_unit", low=0.0, high=2.0, paper=0.15
    )
    noise_unit: Literal["patch", "part", "scan"] = setting(
        "patch",
        "What alpha and beta are measured in: the radius of a patch, the radius of the part, or the scan's unit",
        choices=("patch", "part", "scan"),
        paper="not stated",
    )
    noise_kind: Literal["gaussian", "uniform", "salt_and_pepper"] = setting(
        "gaussian",
        "Distribution of Noise-Gen's noise (the paper's table 6)",
        choices=("gaussian", "uniform", "salt_and_pepper"),
        paper="gaussian",
    )
    noise_draws: int = setting(
        1, "Draws of the noise whose centres are averaged when a scan is judged", low=1, high=64, paper=1
    )
    swellings: int = setting(
        0,
        "Beyond the paper: at most this many dents and bulges, noise that neighbours share, in each training sample",
        low=0,
        high=64,
        paper=0,
    )
    memory: bool = setting(
        False,
        "Beyond the paper: the position of a centre is told relative to the surface of the good scans, too, where "
        "scans are aligned; without it smooth dents stay",
        paper="no",
    )
    follow: bool = setting(
        False,
        "Beyond the paper: Up-Net's points go to the surface of the good scans by the share that Down-Net gave their "
        "centre; only with memory",
        paper="no",
    )
    down_net: bool = setting(True, "Off is the paper's ablation: farthest points instead of Down-Net's centres")
    up_net: bool = setting(True, "Off is the paper's ablation: the centres alone are the reconstruction")
    down_output: Literal["offset", "absolute"] = setting(
        "offset",
        "What Down-Net predicts: steps from the noisy centres, or the centres themselves (eq. 4 as printed)",
        choices=("offset", "absolute"),
        paper="absolute",
    )
    up_output: Literal["offset", "absolute"] = setting(
        "offset",
        "What Up-Net predicts: offsets from the parent centre, or the points themselves",
        choices=("offset", "absolute"),
        paper="not stated",
    )

    up_axes: Literal["local", "world"] = setting(
        "local",
        "Beyond the paper: Up-Net looks at and predicts along the principal axes of each neighbourhood; world leaves "
        "them along the part's",
        choices=("local", "world"),
        paper="world",
    )

    pairing: Literal["paired", "all_pairs"] = setting(
        "paired",
        "Eq. 5 and 6: each centre against its own prediction, or every one against every one as printed, which is "
        "smallest where all predictions collapse to one point",
        choices=("paired", "all_pairs"),
        paper="all_pairs",
    )
    mse_weight: float = setting(1.0, "Weight of eq. 5; 0 is the ablation M1", low=0.0, high=1000.0, paper=1.0)
    cosine_weight: float = setting(1.0, "Weight of eq. 6; 0 is the ablation M2", low=0.0, high=1000.0, paper=1.0)
    chamfer_weight: float = setting(1.0, "Weight of eq. 7; 0 is the ablation M3", low=0.0, high=1000.0, paper=1.0)
    repulsion_form: Literal["pu_net", "pu_net_port", "literal"] = setting(
        "pu_net",
        "Eq. 12: PU-Net's, the one of its PyTorch port, or as printed, which pushes points apart without limit",
        choices=("pu_net", "pu_net_port", "literal"),
        paper="literal",
    )
    repulsion_weight: float = setting(
        1.0, "Weight of eq. 12; 0 is the ablation M4", low=0.0, high=1000.0, paper="1; PU-Net has 1"
    )
    distribution_form: Literal["two_sided", "one_sided", "sliced"] = setting(
        "two_sided",
        "Eq. 13: distances to the nearest both ways, one way as printed, or the sliced earth mover's distance",
        choices=("two_sided", "one_sided", "sliced"),
        paper="one_sided",
    )
    distribution_weight: float = setting(
        100.0, "Weight of eq. 13; 0 is the ablation M5", low=0.0, high=1000.0, paper="1; PU-Net has 100"
    )

    steps: int = setting(
        200, "Training steps of Down-Net on the category's good scans", unit="steps", low=0, high=10**6
    )
    up_steps: int = setting(60, "Training steps of Up-Net after that, Down-Net frozen", unit="steps", low=0, high=10**6)
    train_patches: int = setting(1024, "Patches of a scan that a training step looks at", low=8, high=32768)
    learning_rate: float = setting(3e-4, "Of both networks, at its peak", low=1e-7, high=1.0)
    turning: float = setting(
        1.0, "Augmentation: standard deviation of small turns about each axis", unit="degrees", low=0.0, high=180.0
    )
    scaling: float = setting(0.005, "Augmentation: standard deviation of the scale", unit="share", low=0.0, high=0.5)
    jitter: float = setting(
        0.0005, "Augmentation: standard deviation of noise on every point", unit="part radii", low=0.0, high=0.5
    )
    cropping: float = setting(
        0.5, "Augmentation: share of the steps that look at one region instead of the whole part", low=0.0, high=1.0
    )

    score: Literal["distance", "height"] = setting(
        "distance",
        "What judges a point: its distance to the rebuilt points (eq. 15), or to the rebuilt surface, point to plane "
        "and averaged over a few points",
        choices=("distance", "height"),
        paper="distance",
    )
    weighting: bool = setting(True, "Eq. 16: the distance times the weight by the three nearest points", paper="yes")
    relative: bool = setting(
        False,
        "Beyond the paper: heights are held against how far good scans, each rebuilt with the help of the others, "
        "depart at the same place",
        paper="no",
    )
    shrink: float = setting(
        4.0,
        "How many scans the spread of the whole part counts for beside the spread at one place",
        unit="scans",
        low=0.0,
        high=100.0,
    )
    smoothing: float = setting(
        2.5, "Heights are averaged over this radius on the scan", unit="point spacings", low=0.0, high=8.0
    )
    border: bool = setting(
        True,
        "Beyond the paper: what lies beside the end of the rebuilt surface, about level with it, is judged by its "
        "height alone, so that the border of a partial scan is not flagged",
        paper="no",
    )
    object_share: float = setting(
        0.0,
        "The part's score is the mean of this share of the point scores, the highest; 0 takes the highest (eq. 17)",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.0,
    )

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {
            "voxel_points": 24_000,
            "patches": 3072,
            "patch_points": 32,
            "swellings": 6,
            "memory": True,
            "follow": True,
            "steps": 60,
            "up_steps": 40,
            "train_patches": 512,
            "learning_rate": 5e-4,
            "score": "height",
            "relative": True,
            "object_share": 0.001,
        },
    }

    def named_features(self, *, images: bool) -> dict[str, str]:
        return {"weights": self.weights} if self.start else {}

    def noise(self) -> NoiseGen:
        """Noise-Gen as set."""
        return NoiseGen(self.alpha, self.beta, self.noise_unit, self.noise_kind)

    def swelling(self) -> Swelling:
        """The noise that neighbours share, as set."""
        return Swelling(self.swellings)

    def down_loss(self) -> DownLoss:
        """Eq. 8 as set."""
        return DownLoss(self.mse_weight, self.cosine_weight, self.chamfer_weight, self.pairing)

    def up_loss(self) -> UpLoss:
        """Eq. 14 as set."""
        return UpLoss(self.repulsion_weight, self.distribution_weight, self.repulsion_form, self.distribution_form)
