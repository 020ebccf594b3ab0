"""The settings of CMDR-IAD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from core.pipelines.config import Config, setting

Mode = Literal["2d+3d", "3d", "2d"]


@dataclass(frozen=True)
class CmdrIadConfig(Config):
    """Constants of CMDR-IAD; where paper (P3) and published code differ, ``README.md`` says which is followed."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {
            "align": "auto",
            "grid": "auto",
            "side": 56,
            "views_side": 44,
            "fill": True,
            "pictures": "auto",
            "fill_gaps": True,
            "voxel_points": 12_000,
            "patches": 2000,
            "patch_points": 32,
            "standardise": True,
            "decoder2d_width": 48,
            "decoder3d_width": 0.25,
            "epochs": 10,
            "window": 32,
            "cells_per_step": 512,
            "smoothing_errors": 1,
            "smoothing2d_5": 0,
            "smoothing2d_7": 0,
            "relative": True,
            "smoothing_3": 1,
            "smoothing_5": 0,
            "smoothing_7": 0,
        },
    }

    mode: Literal["auto", "2d+3d", "3d", "2d"] = setting(
        "auto",
        "What is looked at: surface and photograph, one of them, or (auto) whatever all good scans have",
        choices=("auto", "2d+3d", "3d", "2d"),
        paper="2d+3d",
    )
    pictures: Literal["photographs", "auto"] = setting(
        "photographs",
        "What the image of a part is: the sensor's photograph, or (auto) for clouds without one its views, drawn by "
        "their shading",
        choices=("photographs", "auto"),
        paper="photographs",
    )
    background: Literal["auto", "none", "plane"] = setting(
        "auto", "Whether a table below the part is removed", choices=("auto", "none", "plane"), paper="plane"
    )
    align: Literal["none", "auto", "any"] = setting(
        "none",
        "Whether scans that are seen in views are laid on one another: never, where that works well, or from any pose",
        choices=("none", "auto", "any"),
        paper="none",
    )
    grid: Literal["auto", "sensor", "views"] = setting(
        "sensor",
        "Where features lie: on the sensor's own grid (scans without one are seen from several sides), on views of the "
        "part in its common pose, or (auto) on such views where parts lie differently on the grid and can be aligned",
        choices=("auto", "sensor", "views"),
        paper="sensor",
    )
    side: int = setting(
        224,
        "Cells a side of the square that the sensor's grid is brought to",
        unit="cells",
        low=16,
        high=1024,
        paper=224,
    )
    views_side: int = setting(
        92, "Cells a side of a view: six of 92 have as many as the paper's grid", unit="cells", low=16, high=1024
    )
    views: int = setting(6, "Most views of a part that has no sensor grid", unit="views", low=1, high=26)
    fill: bool = setting(
        False, "Whether a cell whose middle was not measured takes the nearest measurement within it", paper=False
    )
    fill_gaps: bool = setting(
        False,
        "Whether places that a cloud did not measure are taken from good scans, so that they look like no hole",
        paper=False,
    )
    voxel_points: int = setting(
        0,
        "About how many points a part is thinned to before features are taken; 0 takes the point of each cell",
        unit="points",
        low=0,
        high=500_000,
        paper=0,
    )
    patches: int = setting(
        1024,
        "Places spread evenly over the part where the surface is described; 0 takes every thinned point",
        unit="patches",
        low=0,
        high=100_000,
        paper=1024,
    )
    patch_points: int = setting(128, "Points of a patch, for networks that look at patches", low=8, high=512, paper=128)
    features: str = setting("auto", "What describes the surface, by name", features="point", paper="point_mae-shapenet")
    normalisation: Literal["cloud_statistics", "unit_sphere"] = setting(
        "cloud_statistics",
        "How a network's coordinates are brought to its scale: by the statistics of the cloud, as the published code "
        "does without saying so, or as in the network's own training",
        choices=("cloud_statistics", "unit_sphere"),
        paper="cloud_statistics",
    )
    normal_neighbors: int = setting(30, "Points that make a normal", unit="points", low=3, high=200)
    fpfh_radius: float = setting(
        5.0,
        "Radius of the FPFH, of which at most 100 points count, in mean distances of thinned points",
        unit="distances",
        low=1.0,
        high=100.0,
    )
    image_features: str = setting(
        "auto:rgb",
        "What describes the images, by name; auto takes the best on this computer, of drawn ones that for these",
        features="image",
        paper="vit_base_patch8-dino",
    )
    image_layers: str = setting(
        "", "Layers of a residual network that these are taken from, with commas; empty takes all"
    )
    standardise: bool = setting(
        False,
        "Whether each feature is brought to mean 0 and deviation 1 over the good parts before anything is compared",
        paper=False,
    )
    pooling: bool = setting(True, "Whether surface features are averaged over 3 x 3 cells, as P3 3.1 does", paper=True)
    decoder2d_width: int = setting(
        384, "Channels of the 2D decoder's hidden layers", unit="channels", low=24, high=1536, paper=384
    )
    window: int = setting(
        128, "Consecutive cells that attend to each other in the 2D decoder", unit="cells", low=8, high=4096, paper=128
    )
    decoder3d_width: float = setting(
        1.0, "Factor of the 3D decoder's inner channels 768, 512, 256 and 128", low=0.02, high=4.0, paper=1.0
    )
    gate: Literal["squeeze_excite", "residual"] = setting(
        "squeeze_excite",
        "What the 3D decoder ends with: one weight a channel as in the published code, or the paper's mask, which "
        "differs from place to place",
        choices=("squeeze_excite", "residual"),
        paper="squeeze_excite",
    )
    dropout: float = setting(
        0.1,
        "Share of the networks' inner values that are left out at each step of training",
        low=0.0,
        high=0.9,
        paper=0.1,
    )
    epochs: int = setting(50, "Passes over the good scans", unit="epochs", low=1, high=1000, paper=50)
    cells_per_step: int = setting(
        0,
        "Cells, drawn anew each time, that a network which sees each place alone is shown in a step; 0 shows all, and "
        "so does a training on fewer than ten scans",
        unit="cells",
        low=0,
        high=1_000_000,
        paper=0,
    )
    learning_rate: float = setting(1e-3, "Step size of Adam", low=1e-6, high=0.1, paper=1e-3)
    smoothing_errors: int = setting(
        0, "Means over 3 x 3 cells of every network's errors, before anything else", low=0, high=20, paper=0
    )
    smoothing2d_5: int = setting(3, "Means over 5 x 5 cells of the 2D decoder's errors", low=0, high=20, paper=3)
    smoothing2d_7: int = setting(2, "Means over 7 x 7 cells after these", low=0, high=20, paper=2)
    relative: bool = setting(
        False,
        "Whether an error counts by how far it exceeds what good parts have at the same place, for parts that lie "
        "alike",
        paper=False,
    )
    relative_reach: int = setting(
        1,
        "How far from a place the good parts may have had it, for parts that lie nearly alike",
        unit="cells",
        low=0,
        high=10,
    )
    relative_scale: float = setting(
        4.0, "Standard deviations above the good parts' mean by which an error counts e times as much", low=0.5, high=50
    )
    gate_base: float = setting(4.0, "Steepness of the mapping's gate where nothing varies", low=0.0, high=50, paper=4.0)
    gate_slope: float = setting(
        2.0, "How much steeper it is where mapping errors vary more than usual", low=0.0, high=50.0, paper=2.0
    )
    temperature: float = setting(
        0.3, "How fast trust in a decoder falls with its error (B)", low=0.0, high=10.0, paper=0.3
    )
    case: Literal["full", "1", "2", "3", "4", "5", "6"] = setting(
        "full",
        "How mapping and reconstruction errors make one score: the full method, or a case of the paper's ablation",
        choices=("full", "1", "2", "3", "4", "5", "6"),
        paper="full",
    )
    smoothing_3: int = setting(0, "Means over 3 x 3 cells of the final score", low=0, high=20, paper=0)
    smoothing_5: int = setting(5, "Means over 5 x 5 cells of the final score", low=0, high=20, paper=5)
    smoothing_7: int = setting(3, "Means over 7 x 7 cells after these", low=0, high=20, paper=3)
    normalise: Literal["none", "mean", "root_mean"] = setting(
        "mean",
        "What a scan's point scores are divided by: nothing, so that scans compare; their mean where there is a score "
        "(as for the paper's AUPRO); or the root of the mean of all (as for its P-AUROC)",
        choices=("none", "mean", "root_mean"),
        paper="mean",
    )
    normalise_part: bool = setting(
        True,
        "Whether the part's score is divided by the root of the scan's mean score, which lets a part that is bad all "
        "over look better than one that is bad in one place",
        paper=True,
    )

    def named_features(self, *, images: bool) -> dict[str, str]:
        """The features in use: those of the modes that the scans and the settings allow.

        ``auto:rgb`` means ``auto:rendered`` where images are drawn.
        """
        named = {}
        if self.mode != "2d":
            named["features"] = self.features
        if self.mode != "3d" and images:
            named["image_features"] = self.image_features
        elif self.mode != "3d" and self.pictures == "auto":
            drawn = self.image_features == "auto:rgb"
            named["image_features"] = "auto:rendered" if drawn else self.image_features
        return named
