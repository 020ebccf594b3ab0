"""The settings of CMDR-IAD's mode for long unorganised scans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from core.errors import ConfigError
from core.pipelines.config import Config, setting


@dataclass(frozen=True)
class StripsConfig(Config):
    """Constants of the polyurethane mode (P3 3.6, 4.2, 5.2). The paper's values are those of the published code where
    the text says nothing."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {
            "trees": 50,
            "show_outliers": False,
            "cuts": 4,
            "training_chunks": 200,
            "scaling": "category",
            "standardise": True,
            "layers": "last",
            "width": 0.25,
            "epochs": 8,
            "scale": "none",
            "top": 0.1,
        },
    }

    chunk_side: int = setting(
        96,
        "A chunk is the square of this many points, in the order of measuring; the paper also tries 64",
        unit="points",
        low=16,
        high=160,
        paper=96,
    )
    detector: Literal["isolation_forest", "lof", "hybrid", "none"] = setting(
        "isolation_forest",
        "What finds outlying points in the good scans, so that chunks full of them are not learnt from",
        choices=("isolation_forest", "lof", "hybrid", "none"),
        paper="isolation_forest",
    )
    contamination: float = setting(
        1e-4,
        "Share of each scan's points that are taken for outliers; the paper also tries 0.00015",
        unit="share",
        low=1e-6,
        high=0.1,
        paper=1e-4,
    )
    trees: int = setting(200, "Trees of the isolation forest", low=10, high=2000, paper=200)
    lof_neighbors: int = setting(30, "Neighbours of the local outlier factor", low=2, high=500, paper=30)
    chunk_outliers: float = setting(
        0.0025,
        "Good chunks with at least this share of outliers are not learnt from",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.0025,
    )
    show_outliers: bool = setting(
        True, "Whether the outliers of an inspected scan are shown as a map; takes seconds a scan", paper=True
    )
    cuts: int = setting(
        1,
        "How often each good scan is cut into chunks, every time from another start: the decoder knows places of a "
        "chunk apart, and a line of the sensor may begin at any",
        low=1,
        high=32,
        paper=1,
    )
    training_chunks: int = setting(
        0, "Most good chunks that are learnt from, drawn at random; 0 takes all", unit="chunks", low=0, paper=0
    )
    held_back: float = setting(
        0.1,
        "Share of the good chunks that are not learnt from, for the second curve of the training",
        unit="share",
        low=0.0,
        high=0.5,
        paper=0.1,
    )
    scaling: Literal["chunk", "category"] = setting(
        "chunk",
        "Whether every chunk is stretched to the same box, or all keep their shape in the scale of good ones",
        choices=("chunk", "category"),
        paper="chunk",
    )
    features: str = setting(
        "auto", "What describes the shape of patches, by name", features="point", paper="point_mae-official"
    )
    normalisation: Literal["cloud_statistics", "unit_sphere"] = setting(
        "cloud_statistics",
        "Whether Point-MAE normalises by the chunk's own statistics, as published, or as it was pretrained",
        choices=("cloud_statistics", "unit_sphere"),
        paper="cloud_statistics",
    )
    layers: Literal["all", "last"] = setting(
        "all", "Outputs of Point-MAE that are used: of blocks 4, 8 and 12, or the last", choices=("all", "last"),
        paper="all",
    )  # fmt: skip
    standardise: bool = setting(
        False,
        "Whether each feature is brought to mean 0 and deviation 1 over the good chunks before anything is compared",
        paper=False,
    )
    patches: int = setting(96, "Patches of a chunk", unit="patches", low=8, high=1024, paper=96)
    patch_points: int = setting(32, "Points of a patch", unit="points", low=4, high=256, paper=32)
    width: float = setting(
        1.0, "Factor of the decoder's inner channels 768, 512, 256 and 128", low=0.05, high=2.0, paper=1.0
    )
    gate: Literal["squeeze_excite", "residual"] = setting(
        "squeeze_excite",
        "The decoder's last gate: the published code's, or the one that the paper draws",
        choices=("squeeze_excite", "residual"),
        paper="squeeze_excite",
    )
    epochs: int = setting(50, "Passes over the good chunks", unit="epochs", low=1, high=1000, paper=50)
    batch: int = setting(4, "Chunks a step", unit="chunks", low=1, high=64, paper=4)
    learning_rate: float = setting(1e-3, "Step size of AdamW", low=1e-6, high=1.0, paper=1e-3)
    weight_decay: float = setting(0.01, "Weight decay of AdamW", low=0.0, high=1.0, paper=0.01)
    smoothing_5: int = setting(
        1, "Passes of a 5 x 5 mean over the scores; the text of the paper has 5", low=0, high=20, paper=1
    )
    smoothing_7: int = setting(
        0, "Passes of a 7 x 7 mean after them; the text of the paper has 3", low=0, high=20, paper=0
    )
    scale: Literal["chunk", "none"] = setting(
        "chunk",
        "Whether scores are divided by the root of their mean in the chunk (published code) or stand alone (text)",
        choices=("chunk", "none"),
        paper="chunk",
    )
    top: float = setting(
        0.0,
        "A chunk's score is the mean of this share of its points, the worst; 0 takes the worst alone",
        unit="share",
        low=0.0,
        high=1.0,
        paper=0.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk_side % 8:
            raise ConfigError(
                f"chunk_side = {self.chunk_side} does not divide by 8", "Give chunk_side 64, 96 or another such number"
            )
