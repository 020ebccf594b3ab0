"""The tables that the papers print, as data: of the four methods and of those that they compare with.

``resources/published`` holds one file a paper. Figures are kept as printed, the paper's own mean beside its
categories. AUPRO depends on how many thresholds the curve is taken at, so every table of it says that.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

NAMES = {
    "mvtec3d": "MVTec 3D-AD",
    "eyecandies": "Eyecandies",
    "real3d_ad": "Real3D-AD",
    "anomaly_shapenet": "Anomaly-ShapeNet",
}
"""The benchmarks, by the layout of their folders."""


@dataclass(frozen=True)
class PublishedRow:
    """One method in one table.

    Attributes
    ----------
    method : str
        As the paper calls it.
    pipeline : str
        The pipeline that is this method; "" for others.
    values : mapping of str to float
        Share by category (``plain_name`` of it); empty where the paper gives a mean alone.
    mean : float
        As printed.
    """

    method: str
    pipeline: str
    values: Mapping[str, float]
    mean: float

    @property
    def mean_of_values(self) -> float | None:
        """What the mean over the printed categories really is; None where there are none."""
        return float(np.mean(list(self.values.values()))) if self.values else None


@dataclass(frozen=True)
class PublishedTable:
    """One table of a paper, or a part of it.

    Attributes
    ----------
    paper : str
    source : str
        The pipeline whose paper it is.
    number : str
    benchmark : str
        The layout of its folders.
    metric : str
        Key, as of ``core.evaluation.results.metric_title``.
    modality : str
        "2D", "3D" or "2D+3D": what the methods saw.
    thresholds : int or None
        How many ranks AUPRO is taken at.
    note : str
    categories : tuple of str
        As the benchmark's folders are called; empty for means alone.
    rows : tuple of PublishedRow
    """

    paper: str
    source: str
    number: str
    benchmark: str
    metric: str
    modality: str
    thresholds: int | None
    note: str
    categories: tuple[str, ...]
    rows: tuple[PublishedRow, ...]

    def covers(self, category: str) -> bool:
        """Whether it has a column of this category."""
        return plain_name(category) in {plain_name(name) for name in self.categories}


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """All tables, in the papers' order."""
    found = []
    for file in sorted((resources.files("resources") / "published").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            found += [_table(content["paper"], content["pipeline"], table) for table in content["table"]]
    return tuple(found)


def known_benchmark(layout: str, category: str) -> str | None:
    """The benchmark that a folder of this layout and name belongs to; None for parts of one's own."""
    known = any(table.benchmark == layout and table.covers(category) for table in published_tables())
    return layout if known else None


def plain_name(category: str) -> str:
    """A category's name as it is compared: "Cable Gland", "cable_gland" and "CableGland" are the same."""
    return re.sub(r"[^a-z0-9]", "", category.lower())


def _table(paper: str, source: str, content: Mapping[str, Any]) -> PublishedTable:
    scale = 100.0 if content.get("percent") else 1.0
    names = content["categories"]
    rows = []
    for row in content["rows"]:
        values = {
            plain_name(name): value / scale for name, value in zip(names, row["values"], strict=bool(row["values"]))
        }
        rows.append(PublishedRow(row["method"], row.get("pipeline", ""), values, row["mean"] / scale))
    return PublishedTable(
        paper=paper,
        source=source,
        number=content["number"],
        benchmark=content["benchmark"],
        metric=content["metric"],
        modality=content["modality"],
        thresholds=content.get("thresholds"),
        note=content.get("note", ""),
        categories=tuple(names),
        rows=tuple(rows),
    )
