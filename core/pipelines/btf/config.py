"""The settings of BTF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from core.pipelines.config import Config, setting


@dataclass(frozen=True)
class BtfConfig(Config):
    """Constants of BTF. Lengths on the surface are in voxels, so that they fit parts of any size: a voxel stands for a
    pixel of the paper's 224 x 224 images."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {
            "patches": 2000,
            "pooling": 3.0,
            "smoothing": 2.0,
            "image_layers": "",
            "coreset": 0.25,
            "memory": 10_000,
            "reweighting": False,
        },
    }

    background: Literal["auto", "none", "plane"] = setting(
        "auto", "Whether a table below the part is removed", choices=("auto", "none", "plane"), paper="plane"
    )
    voxel: float = setting(
        0.0, "Side of the voxels that a scan is thinned by, in the scans' unit; 0 chooses by the next setting", low=0.0
    )
    voxel_points: int = setting(
        16_000,
        "About how many points a scan is thinned to where no voxel is given",
        unit="points",
        low=100,
        high=500_000,
        paper="224 x 224 pixels",
    )
    features: str = setting("fpfh", "What describes the shape around a point, by name", features="point", paper="fpfh")
    normal_neighbors: int = setting(30, "Points that make a normal", unit="points", low=3, high=200, paper=30)
    fpfh_radius: float = setting(
        5.0,
        "Radius of the FPFH, of which at most 100 points count",
        unit="voxels",
        low=1.0,
        high=100.0,
        paper="250 mm, which the 100 points end first",
    )
    patches: int = setting(
        784,
        "Patches of a part that are judged, spread evenly; 0 judges every thinned point",
        unit="patches",
        low=0,
        high=100_000,
        paper=784,
    )
    patch_points: int = setting(
        32, "Points of a patch, for networks that look at patches; the FPFH has its radius", low=8, high=512
    )
    pooling: float = setting(
        4.5,
        "Descriptions are averaged over this radius on the surface: calmer, but blind to what is smaller; 0 does not",
        unit="voxels",
        low=0.0,
        high=20.0,
        paper="8 x 8 pixels",
    )
    image: Literal["auto", "none"] = setting(
        "auto",
        "Whether photographs are looked at too: where every good scan has one (auto), or never",
        choices=("auto", "none"),
        paper="auto",
    )
    image_features: str = setting(
        "auto:rgb",
        "What describes the photographs, by name; auto takes the best on this computer",
        features="image",
        paper="wide_resnet50_2-racm_in1k",
    )
    image_layers: str = setting(
        "layer2,layer3",
        "Layers of a residual network that these are taken from, with commas; empty takes all",
        paper="layer2,layer3",
    )
    coreset: float = setting(
        0.1, "Share of the good patches that the memory keeps", unit="share", low=0.0001, high=1.0, paper=0.1
    )
    memory: int = setting(
        20_000, "Never more patches than these are kept", unit="patches", low=1, high=1_000_000, paper="not bounded"
    )
    neighbors: int = setting(
        1,
        "A patch's score is its mean distance to this many nearest patches of the memory",
        low=1,
        high=50,
        paper=1,
    )
    reweighting: bool = setting(
        True,
        "Whether a part's score counts less where the memory knows many good patches like the worst one's match",
        paper=True,
    )
    reweighting_neighbors: int = setting(
        3, "Patches of the memory that this is judged by, the match itself among them", low=2, high=50, paper=3
    )
    smoothing: float = setting(
        4.0,
        "Standard deviation of the Gaussian that smooths scores along the surface; 0 turns it off",
        unit="voxels",
        low=0.0,
        high=20.0,
        paper=4.0,
    )
    image_smoothing: float = setting(
        4.0,
        "The same on photographs, which are 224 pixels wide",
        unit="pixels",
        low=0.0,
        high=50.0,
        paper=4.0,
    )
    top: float = setting(
        0.0,
        "The object score is the mean of this share of the patches, the worst; 0 takes the worst alone",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.0,
    )
    top_smoothed: bool = setting(
        False, "Whether these are taken after smoothing, so that one stray patch does not decide", paper=False
    )

    def named_features(self, *, images: bool) -> dict[str, str]:
        """The features in use: those of photographs only where there are some and they are looked at."""
        named = {"features": self.features}
        if images and self.image == "auto":
            named["image_features"] = self.image_features
        return named
