"""What a benchmark has to do: one job for each category, pipeline and seed, and what makes two of them the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from core.consensus.pipeline import ConsensusConfig, ConsensusPipeline
from core.datasets.category import Category, recognise
from core.datasets.layouts import categories_below, detect
from core.errors import CategoryError, ConfigError, NominalError
from core.formats.reader import read_scan
from core.geometry.units import UNITS_IN_MM
from core.pipelines.base import Pipeline
from core.pipelines.config import Config
from core.pipelines.features import pinned
from core.pipelines.registry import general_ids, pipeline_class, pipeline_ids
from core.reporting.summary import plain
from core.version import VERSION

ALL = "all"
CONSENSUS = ConsensusPipeline.id
FORMAT = 1
"""Of the files of runs; other ones are not read."""

_IN_METRES = ("mvtec3d", "eyecandies")
_NO_PART = 1.0
"""mm; a scan of these layouts that seems smaller is in metres."""


@dataclass(frozen=True, eq=False)
class Job:
    """One training and evaluation.

    Attributes
    ----------
    category : Category
        Its name is unique within the benchmark.
    pipeline : str
    preset : str
    config : Config
        With its automatic features settled, so that better weights make it another job.
    seed : int
    members : tuple of Job
        What a consensus is of; empty for pipelines.
    serves : bool
        Whether a consensus needs its model.
    first : bool
        Whether its seed is the first: what is measured once is measured there.
    """

    category: Category
    pipeline: str
    preset: str
    config: Config
    seed: int
    members: tuple[Job, ...] = ()
    serves: bool = False
    first: bool = True

    @property
    def name(self) -> str:
        """What its files are called."""
        words = (self.category.name, self.pipeline, self.preset, f"seed{self.seed}")
        return "--".join(re.sub(r"[^\w.+-]+", "_", word) for word in words)

    @property
    def title(self) -> str:
        return f"{self.category.name}, {self.pipeline}, seed {self.seed}"

    def describe(self) -> dict[str, Any]:
        """What its result depends on."""
        described: dict[str, Any] = plain(
            {
                "format": FORMAT,
                "program_version": VERSION,
                "category": self.category.name,
                "layout": self.category.layout,
                "unit": self.category.unit,
                "data": data_digest(self.category),
                "pipeline": self.pipeline,
                "preset": self.preset,
                "config": self.config.to_mapping(),
                "seed": self.seed,
                "members": [member.fingerprint for member in self.members],
            }
        )
        return described

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same work: what was done under it need not be done again."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()


def make_jobs(
    categories: Sequence[Category], pipelines: Sequence[str], preset: str, seeds: Sequence[int]
) -> tuple[Job, ...]:
    """All jobs, those of one category after the other, a consensus after its members.

    Raises
    ------
    ConfigError
        If there is no such pipeline or preset, or a consensus would have fewer than two members.
    """
    ids = [name for name in pipelines if name != CONSENSUS]
    together = CONSENSUS in pipelines
    if together and len(ids) < 2:
        raise ConfigError("A consensus needs at least two pipelines", "Name them in --pipelines, or take all")
    configs = {name: pipeline_class(name).Config.preset(preset) for name in ids}
    jobs: list[Job] = []
    for category in categories:
        images = all(entry.image is not None for entry in category.good_train())
        for seed in seeds:
            members = tuple(
                Job(category, n, preset, _settled(configs[n], images), seed, (), together, seed == seeds[0])
                for n in ids
            )
            jobs += members
            if together:
                jobs.append(Job(category, CONSENSUS, preset, ConsensusConfig(), seed, members, False, seed == seeds[0]))
    return tuple(jobs)


def chosen_pipelines(text: str) -> tuple[str, ...]:
    """The ids that ``--pipelines`` means: with commas, or all there are and their consensus.

    Raises
    ------
    ConfigError
        If one is not there.
    """
    known = (*pipeline_ids(), CONSENSUS)
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if names == (ALL,):
        return (*general_ids(), CONSENSUS)
    if not names:
        raise ConfigError("--pipelines names none", f"Give {ALL}, or ids with commas: {', '.join(known)}")
    for name in names:
        if name not in known:
            raise ConfigError(f"There is no pipeline {name!r}", f"Choose one of {', '.join(known)}")
    return names


def titled(pipeline: str) -> type[Pipeline]:
    """The class of a pipeline or of the consensus."""
    return ConsensusPipeline if pipeline == CONSENSUS else pipeline_class(pipeline)


def find_categories(given: Sequence[str]) -> tuple[Category, ...]:
    """The categories of folders, or of the folders in them.

    Parameters
    ----------
    given : sequence of str
        ``DIR`` or ``DIR:UNIT``. Without a unit scans are in mm; in metres where a layout of that habit and the size of
        its first scan say so.

    Raises
    ------
    CategoryError
        If a folder neither is a category nor holds any.
    """
    found: list[Category] = []
    for text in given:
        folder, unit = folder_and_unit(text)
        name = folder.resolve().name
        below = [] if not folder.is_dir() or detect(folder, name) is not None else categories_below(folder)
        found += [_recognised(place, unit) for place in ([folder / child for child in below] or [folder])]
    names = Counter(category.name for category in found)
    seen: Counter[str] = Counter()
    unique = []
    for category in found:
        name = category.name
        if names[name] > 1:
            name = f"{category.root.resolve().parent.name} {name}"
            seen[name] += 1
            name += f" {seen[name]}" if seen[name] > 1 else ""
        unique.append(replace(category, name=name))
    return tuple(unique)


def data_digest(category: Category) -> str:
    """Changes when files of a category come, go or are written again; their content is not read."""
    lines = []
    for entry in category.entries:
        for path in (entry.path, entry.image, entry.ground_truth):
            if path is not None:
                state = path.stat()
                place = path.relative_to(category.root).as_posix()
                lines.append(f"{entry.split} {entry.defect} {place} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def code_digest() -> str:
    """Of the core's own source: runs of other states of the program are told apart, though they are not done again."""
    core = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for path in sorted(core.rglob("*.py")):
        digest.update(path.relative_to(core).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _settled(config: Config, images: bool) -> Config:
    try:
        return pinned(config, images=images)
    except NominalError:  # the run itself will say what is missing
        return config


def folder_and_unit(text: str) -> tuple[Path, str | None]:
    """The folder and, where it was given, the unit of ``DIR`` or ``DIR:UNIT``."""
    path, colon, unit = text.rpartition(":")
    return (Path(path), unit) if colon and unit in UNITS_IN_MM else (Path(text), None)


def _recognised(folder: Path, unit: str | None) -> Category:
    category = recognise(folder, unit=unit or "mm")
    if unit is None and category.layout in _IN_METRES:
        good = category.good_train()
        if not good:
            raise CategoryError(f"{folder} holds no good scans", "Put scans of good parts into its train folder")
        if read_scan(good[0].path).diagonal < _NO_PART:
            category = recognise(folder, unit="m")
    return category
