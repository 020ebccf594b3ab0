"""The constants of IAENet, with the paper's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from core.pipelines.config import Config, setting
from core.pipelines.iaenet.iaf_training import IafSettings
from core.pipelines.iaenet.presets import FAST
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.pipelines.iaenet.settings_2d import Settings2D
from core.synthesis.cut_paste import CutPasteOptions


@dataclass(frozen=True)
class IaenetConfig(Config):
    """Config of IAENet. Defaults are the paper's where it gives one, else those of the works that it builds on; what
    they do not have is off. The preset ``fast`` is what Nominal recommends."""

    background: Literal["auto", "none", "plane"] = setting(
        "auto", "Whether a table below the part is removed", choices=("auto", "none", "plane"), paper="plane"
    )
    voxel_points: int = setting(
        0,
        "About how many points a scan is thinned to before both experts look at it; 0 keeps all",
        low=0,
        high=500_000,
        paper=0,
    )
    align: Literal["auto", "none", "any"] = setting(
        "none",
        "Whether scans are laid on a good part first: none, from any pose, or where the good scans allow it (auto)",
        choices=("auto", "none", "any"),
        paper="none",
    )
    normal_neighbors: int = setting(30, "Points that make a normal", unit="points", low=3, high=200, paper=30)

    image: Literal["render", "rgb", "auto"] = setting(
        "render",
        "What the 2D expert looks at: the surface shaded by its normals, the scans' RGB images (paper, section 4.3.8), "
        "or these where all good scans have one (auto)",
        choices=("render", "rgb", "auto"),
        paper="render",
    )
    views: int = setting(
        1,
        "Most sides that an unorganised scan is looked at from; organised ones are seen as their sensor saw them",
        unit="views",
        low=1,
        high=26,
        paper=1,
    )
    view_scores: Literal["mean", "facing", "max"] = setting(
        "mean",
        "What a point seen from several sides gets of their scores: the mean, one in which a side counts by how "
        "squarely it sees the point (facing), or the highest",
        choices=("mean", "facing", "max"),
    )
    fill_gaps: bool = setting(
        False,
        "Whether what a scan did not measure is filled from good scans in what the 2D expert looks at, where scans are "
        "aligned; a gap at which something was measured that good scans do not have stays open",
        paper=False,
    )
    features: str = setting(
        "auto:rendered",
        "Image features by name; auto takes the best on this computer for what the 2D expert looks at",
        features="image",
        paper="wide_resnet50_2-imagenet1k_v1",
    )
    layers: str = setting(
        "layer1,layer2", "Layers of a residual network that features are taken from, with commas", paper="layer1,layer2"
    )
    fpfh_radius: float = setting(
        250.0, "Radius of the geometric descriptor", unit="mm", low=0.01, high=10_000.0, paper=250.0
    )
    fpfh_neighbors: int = setting(
        100, "Most points in the geometric descriptor's neighbourhood", unit="points", low=3, high=1000, paper=100
    )
    neighbors_2d: int = setting(
        5, "k2, good vectors that a 2D vector is rebuilt from (Shape-Guided's)", low=1, high=100, paper="not stated"
    )
    search: Literal["linked", "bank"] = setting(
        "bank",
        "Among which good vectors the 2D expert searches: those that the retrieved 3D patches refer to "
        "(Shape-Guided), or all",
        choices=("linked", "bank"),
        paper="bank",
    )

    patch_points: int = setting(500, "Points of a patch of the 3D expert", unit="points", low=8, high=5000, paper=500)
    overlap: float = setting(10.0, "Patches that a point lies in, on average", low=0.5, high=50.0, paper=10.0)
    patches: int = setting(0, "Most patches of a scan; 0 does not bound them", low=0, high=100_000, paper=0)
    train_overlap: float = setting(
        5.0, "Patches that a point lies in, on average, while the 3D expert is trained", low=0.5, high=50.0, paper=5.0
    )
    patch_scale: Literal["extent", "radius"] = setting(
        "extent",
        "What a patch is divided by: its largest extent along an axis, or twice its radius, which does not change as "
        "the part turns",
        choices=("extent", "radius"),
        paper="extent",
    )
    patch_frame: Literal["scan", "principal"] = setting(
        "scan",
        "Whether patches keep the scan's axes, or are turned into their own, so that a surface has the same code "
        "wherever and however it lies",
        choices=("scan", "principal"),
        paper="scan",
    )
    x1: Literal["distance", "residual"] = setting(
        "distance",
        "What the 3D expert scores: each point's distance to the surface rebuilt from good codes, or how far a patch's "
        "code lies from these, which needs no trained field",
        choices=("distance", "residual"),
        paper="distance",
    )
    distance_unit: Literal["patch", "scan"] = setting(
        "patch", "X1 in sizes of the patch, or in millimetres", choices=("patch", "scan"), paper="patch"
    )
    start: str = setting(
        "none",
        "Weights that the 3D expert's training starts from: none, the best on this computer if there are any (auto), "
        "or a set by name",
        paper="none",
    )
    sdf_loss: Literal["pull", "distance"] = setting(
        "pull",
        "What the 3D expert's training asks of the field: to pull queries onto the surface along its gradient, or to "
        "be their signed distance to it, which takes far fewer steps",
        choices=("pull", "distance"),
        paper="pull",
    )
    trained: Literal["all", "decoder"] = setting(
        "all",
        "What that training changes: the whole network, or the field alone while codes stay those of the start",
        choices=("all", "decoder"),
        paper="all",
    )
    relative: bool = setting(False, "Whether X1 is held against what good patches of the same looks reach", paper=False)
    epochs: int = setting(
        1000, "Visits of every patch while the 3D expert is trained", unit="epochs", low=0, high=100_000, paper=1000
    )
    steps: int = setting(0, "Most steps of that; 0 does not bound them", unit="steps", low=0, high=10_000_000, paper=0)
    batch: int = setting(32, "Patches a step", low=2, high=4096, paper=32)
    queries: int = setting(
        0, "Queries that a patch contributes to a step; 0 takes one for each of its points", low=0, high=5000, paper=0
    )
    learning_rate: float = setting(1e-4, "Of the 3D expert's training", low=1e-7, high=1.0, paper=1e-4)
    schedule: Literal["constant", "cosine"] = setting(
        "constant",
        "Whether that learning rate stays, or falls as a cosine",
        choices=("constant", "cosine"),
        paper="constant",
    )
    surface_copies: int = setting(
        0,
        "Noisy copies of a patch's points, besides 13 nearer and 7 farther ones, that lie next to the surface",
        low=0,
        high=100,
        paper=0,
    )
    neighbors_3d: int = setting(
        10, "k1, good codes that a patch's code is rebuilt from (Shape-Guided's)", low=1, high=100, paper="not stated"
    )
    nonzeros: int = setting(
        3, "Of these, how many get a weight in the matching pursuit", low=1, high=100, paper="not stated"
    )
    max_codes: int = setting(
        0, "Most codes in the memory bank, kept by a greedy coreset; 0 keeps all", low=0, high=10_000_000, paper=0
    )
    max_vectors: int = setting(
        0, "Most 2D vectors in the memory bank, kept by a greedy coreset; 0 keeps all", low=0, high=10_000_000, paper=0
    )

    relative_2d: bool = setting(
        False,
        "Whether X2 is lessened by what good vectors of the same looks reach, which edges and corners do",
        paper=False,
    )

    place_spread: float = setting(
        0.0,
        "X2 counts half where good scans differ this many times as much from one another as they do in the median "
        "place, where scans are aligned; 0 lets all places count alike",
        low=0.0,
        high=100.0,
        paper=0.0,
    )
    blur: float = setting(
        4.0,
        "Standard deviation of the blur of both maps",
        unit="pixels of 224",
        low=0.0,
        high=50.0,
        paper=4.0,
    )
    edges: Literal["zero", "held"] = setting(
        "zero",
        "What lies beyond the part's outline when maps are blurred: zeros, or nothing that counts",
        choices=("zero", "held"),
        paper="zero",
    )
    object_share: float = setting(
        0.0,
        "A score of the part is the mean of this share of a map's highest points; 0 is the highest alone",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.0,
    )

    object_score: Literal["experts", "map"] = setting(
        "experts",
        "The part's score: both experts' scores of the part, fused as one more point, or the highest points of the "
        "fused map",
        choices=("experts", "map"),
        paper="experts",
    )

    fusion: Literal["iaf", "max", "addition", "ocsvm"] = setting(
        "iaf",
        "How both experts' scores become one: importance-aware, or as in the paper's comparison",
        choices=("iaf", "max", "addition", "ocsvm"),
        paper="iaf",
    )
    scaling: Literal["minmax", "aligned", "none"] = setting(
        "minmax",
        "How both experts' scores come to one scale: by the least and highest of the category's training maps, by "
        "bringing X2 to the mean and spread of X1 first (Shape-Guided), or not at all",
        choices=("minmax", "aligned", "none"),
        paper="not stated",
    )
    scaling_top: float = setting(
        0.0,
        "Share of the training maps' points that may lie above 1",
        unit="share",
        low=0.0,
        high=0.5,
        paper="not stated",
    )
    clip: bool = setting(True, "Whether scaled scores are cut to 0..1", paper="not stated")
    samples: int = setting(
        800, "Made defective scans that the fusion is trained on", unit="scans", low=1, high=100_000, paper=800
    )
    clean_maps: bool = setting(
        False, "Whether the good scans as they are belong to the fusion's training as well", paper=False
    )
    procedural_share: float = setting(
        0.5,
        "Share of the made defects whose surface is of a made shape; the others' is of another good scan. The paper "
        "takes other categories' scans, which a user of one category does not have",
        unit="share",
        low=0.0,
        high=1.0,
        paper="other categories",
    )
    shift_low: float = setting(
        0.2, "Least shift of a pasted piece towards the eye or away", unit="mm", low=0.0, high=1000.0, paper=0.2
    )
    shift_high: float = setting(
        2.0, "Largest shift of a pasted piece towards the eye or away", unit="mm", low=0.0, high=1000.0, paper=2.0
    )
    faintest: float = setting(
        1.0,
        "Made defects are weakened by a factor drawn from this to 1, so that the fusion meets faint ones as well; "
        "1 leaves them as they are",
        low=0.001,
        high=1.0,
        paper=1.0,
    )
    iaf_epochs: int = setting(
        150, "Passes of the fusion's training over its maps", unit="epochs", low=1, high=100_000, paper=150
    )
    iaf_batch: int = setting(32, "Maps a step", low=1, high=4096, paper=32)
    iaf_points: int = setting(
        0, "Points of a map that a step looks at, drawn anew each time; 0 looks at all", low=0, high=1_000_000, paper=0
    )
    iaf_balance: float = setting(
        0.0,
        "Share of these points that is drawn from the pasted ones, which are few; 0 draws all points alike",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.0,
    )
    iaf_learning_rate: float = setting(
        0.01, "Initial learning rate of the fusion, falling as a cosine", low=1e-7, high=1.0, paper=0.01
    )
    iaf_weight_decay: float = setting(
        0.01, "Decoupled weight decay of the fusion (AdamW's usual)", low=0.0, high=1.0, paper="not stated"
    )
    margin: float = setting(
        0.1, "m, by how much the fusion is to beat the better expert", low=0.0, high=10.0, paper=0.1
    )
    selector_weight: float = setting(0.1, "lambda, weight of the selector's loss", low=0.0, high=100.0, paper=0.1)
    linear_prior: float = setting(
        0.0,
        "Weight of a loss that holds the fusion near the best linear one where the made defects do not speak against "
        "it; without it the order of scores fainter or stronger than theirs is left to chance",
        low=0.0,
        high=100.0,
        paper=0.0,
    )
    cross_entropy: Literal["full", "positive"] = setting(
        "full",
        "Cross-entropy over both classes, or the paper's literal sum over the anomalous one, which does not punish "
        "false alarms",
        choices=("full", "positive"),
        paper="positive",
    )
    gate_gradient: bool = setting(True, "Whether the gradient passes through the performance gate r", paper=True)

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": FAST,
    }

    def named_features(self, *, images: bool) -> dict[str, str]:
        """The image features in use; ``auto:rendered`` means ``auto:rgb`` where photographs are looked at."""
        photographs = self.image == "rgb" or (self.image == "auto" and images)
        automatic = photographs and self.features == "auto:rendered"
        return {"features": "auto:rgb" if automatic else self.features}

    def sdf_settings(self) -> SdfSettings:
        """The constants of the 3D expert."""
        return SdfSettings(
            patch_points=self.patch_points,
            overlap=self.overlap,
            train_overlap=self.train_overlap,
            max_patches=self.patches,
            patch_scale=self.patch_scale,
            frame=self.patch_frame,
            unit=self.distance_unit,
            evidence=self.x1,
            relative=self.relative,
            loss=self.sdf_loss,
            trained=self.trained,
            surface_copies=self.surface_copies,
            queries=self.queries,
            epochs=self.epochs,
            steps=self.steps,
            batch=self.batch,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            neighbors=self.neighbors_3d,
            nonzeros=self.nonzeros,
        )

    def settings_2d(self) -> Settings2D:
        """The constants of the 2D expert."""
        return Settings2D(
            fpfh_radius=self.fpfh_radius,
            fpfh_neighbors=self.fpfh_neighbors,
            neighbors=self.neighbors_2d,
            nonzeros=self.nonzeros,
            linked=self.search == "linked",
            blur=self.blur,
            held=self.edges == "held",
            relative=self.relative_2d,
            highest=self.view_scores == "max",
            facing=self.view_scores == "facing",
            steadiness=self.place_spread,
        )

    def iaf_settings(self) -> IafSettings:
        """The constants of the fusion's training."""
        return IafSettings(
            epochs=self.iaf_epochs,
            batch=self.iaf_batch,
            points=self.iaf_points,
            balance=self.iaf_balance,
            learning_rate=self.iaf_learning_rate,
            weight_decay=self.iaf_weight_decay,
            margin=self.margin,
            weight=self.selector_weight,
            linear_prior=self.linear_prior,
            positive_only=self.cross_entropy == "positive",
            through_gate=self.gate_gradient,
        )

    def cut_paste_options(self) -> CutPasteOptions:
        """The constants of the made defects."""
        return CutPasteOptions(shift=(self.shift_low, max(self.shift_low, self.shift_high)), faintest=self.faintest)
