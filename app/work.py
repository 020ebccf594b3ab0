"""What the worker does for the window. Runs without Qt, in the worker thread; the heavy imports happen there too.

Importing torch, open3d and the methods takes seconds. This module is light, so that the window is on the screen first.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from core.errors import ModelError, NominalError
from core.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.backbones.feature_names import FeatureChoice
    from core.datasets.category import Category, ScanEntry
    from core.geometry.carrying import Carried
    from core.inspection.calibration import Calibration
    from core.inspection.thresholds import Thresholds
    from core.inspection.verdict import Inspection
    from core.pipelines.config import Setting
    from core.pipelines.explanation import Explanation
    from core.pipelines.features import FeatureUse
    from core.pipelines.modes import ModeUse
    from core.runtime import DeviceChoice, Runtime
    from core.scan import Scan
    from core.store.history import History
    from core.store.library import Library
    from core.store.model_file import ModelCard
    from core.workflow import Judged, Model


@dataclass(frozen=True)
class TrainRequest:
    """What to train.

    Attributes
    ----------
    category : Category
        As recognised.
    pipeline, preset : str
    changes : mapping
        Settings that differ from the preset's.
    name : str
        The model's name; empty for the default.
    part_budget, point_budget : float
        Share of good parts that may be rejected, of good points that may be marked.
    """

    category: Category
    pipeline: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    part_budget: float = 0.05
    point_budget: float = 0.001


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that is now in the library."""

    path: Path
    model: Model

    @property
    def card(self) -> ModelCard:
        return self.model.card

    @property
    def calibration(self) -> Calibration:
        return self.model.calibration


@dataclass(frozen=True, eq=False)
class Opened:
    """A scan that was read, and the entry that it was read from."""

    entry: ScanEntry
    scan: Scan


@dataclass(frozen=True)
class Method:
    """A pipeline as the window offers it."""

    id: str
    title: str
    summary: str
    paper: str
    reference: bool
    presets: tuple[str, ...]
    min_scans: int
    settings: tuple[Setting, ...]
    preset_values: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class FeatureRequest:
    """Which settings of which method, for scans with or without photographs and a grid: what features are asked for."""

    pipeline: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    images: bool = False
    organised: bool = True


@dataclass(frozen=True)
class ScanFacts:
    """What the first good scan of a folder holds."""

    organised: bool
    image: bool


@dataclass(frozen=True)
class Imported:
    """What came of importing weights.

    Attributes
    ----------
    names : tuple of str
        The sets that are here now.
    refused : tuple of str
        Names of the files that were not taken.
    problems : tuple of NominalError
        Why not, in the same order.
    """

    names: tuple[str, ...]
    refused: tuple[str, ...]
    problems: tuple[NominalError, ...]


@lru_cache(maxsize=4)
def runtime(device: str) -> Runtime:
    """The runtime for a choice of device."""
    from core.runtime import Runtime

    return Runtime.choose(cast("DeviceChoice", device))


@lru_cache(maxsize=1)
def methods() -> tuple[Method, ...]:
    """All pipelines, the papers' first."""
    from core.pipelines.registry import pipeline_class, pipeline_ids

    found = []
    for pipeline_id in pipeline_ids():
        cls = pipeline_class(pipeline_id)
        found.append(
            Method(
                id=pipeline_id,
                title=cls.title,
                summary=cls.summary,
                paper=cls.paper,
                reference=cls.reference,
                presets=tuple(cls.Config.PRESETS),
                min_scans=cls.min_scans,
                settings=cls.Config.settings(),
                preset_values={name: cls.Config.preset(name).to_mapping() for name in cls.Config.PRESETS},
            )
        )
    return tuple(found)


def recognise(folder: Path, unit: str, name: str | None) -> Category:
    """The category that a folder is."""
    from core.datasets.category import recognise as recognised

    return recognised(folder, unit=unit, name=name)


def open_entry(category: Category | None, entry: ScanEntry, unit: str) -> Opened:
    """Read a scan, of a category or a loose one."""
    from core.formats.reader import read_scan

    if category is not None:
        return Opened(entry, category.load(entry))
    return Opened(entry, read_scan(entry.path, unit=unit))


def shading_normals(scan: Scan) -> NDArray[np.float32]:
    """(N, 3) normals for the light in the view. On the CPU: the GPU may be full of a model."""
    from core.geometry.normals import estimate_normals

    return estimate_normals(scan.points)


def carry(scan: Scan, reconstruction: NDArray[np.float32]) -> Carried:
    """The way of each measured point to the reconstructed part."""
    from core.geometry.carrying import carry

    return carry(scan.points, reconstruction)


def load_model(path: Path, device: str) -> Model:
    """Read a model for a device."""
    from core import workflow

    return workflow.load(path, runtime(device))


def score(model: Model, scan: Scan, progress: Progress, *, reduced: bool = False) -> Judged:
    """Score a scan; ``reduced`` also one that lacks something of what the model was trained with."""
    from core import workflow

    return workflow.score(model, scan, progress, reduced=reduced)


def explain(model: Model, scan: Scan, point: int, progress: Progress) -> Explanation | None:
    """The good surface that the score of a point rests on."""
    from core import workflow

    return workflow.explain(model, scan, point, progress)


def note(
    judged: Judged, thresholds: Thresholds, history: History, scan: Path | None, model: Path
) -> NominalError | None:
    """Write an inspection to the history; a history that cannot be written does not lose the result."""
    if scan is None:
        return None
    try:
        history.add(judged.inspect(thresholds), scan, str(model))
    except NominalError as error:
        return error
    return None


def demo(library: Library, device: str, progress: Progress) -> tuple[Category, Path]:
    """The demo category and a model for it, made where missing."""
    from core.demo import ensure_demo

    return ensure_demo(library, runtime(device), progress)


def import_model(path: Path, library: Library) -> Path:
    """Copy a model file into the library; one that is there already stays where it is."""
    from core.files import written_whole
    from core.store.model_file import read_card

    card = read_card(path)
    if any(entry.path.samefile(path) for entry in library.models(card.category)):
        return path
    target = library.model_path(card.category, card.name)
    try:
        with written_whole(target) as temporary:
            shutil.copyfile(path, temporary)
    except OSError as error:
        raise ModelError(f"{path} could not be copied to the library", "Check that the file can be read") from error
    return target


def feature_choices(kind: str) -> tuple[FeatureChoice, ...]:
    """What a setting that names features can hold."""
    from core.pipelines.features import feature_choices as choices

    return choices(kind)


def feature_uses(request: FeatureRequest) -> tuple[FeatureUse, ...]:
    """What a method's settings that name features mean on this computer now."""
    from core.pipelines.features import feature_uses as uses
    from core.pipelines.registry import pipeline_class

    config = pipeline_class(request.pipeline).Config
    return uses(config, config.preset(request.preset, **request.changes).to_mapping(), images=request.images)


def mode_use(request: FeatureRequest) -> ModeUse | None:
    """The mode that a method's settings mean for scans with or without images; None for methods without modes."""
    from core.pipelines.modes import mode_use as use
    from core.pipelines.registry import pipeline_class

    config = pipeline_class(request.pipeline).Config
    values = config.preset(request.preset, **request.changes).to_mapping()
    return use(config, values, images=request.images, organised=request.organised)


def scan_facts(category: Category) -> ScanFacts:
    """What the first good scan of a category holds."""
    scan = category.load(category.good_train()[0])
    return ScanFacts(scan.organised, scan.image is not None)


def import_weights(paths: Sequence[Path], progress: Progress) -> Imported:
    """Import weights from files; one that is refused does not stop the others."""
    from core.backbones.importing import import_weights as imported

    names, refused, problems = [], [], []
    for i, path in enumerate(paths):
        progress.update(i / len(paths), path.name)
        try:
            names.append(imported(path).name)
        except NominalError as error:
            refused.append(path.name)
            problems.append(error)
    return Imported(tuple(names), tuple(refused), tuple(problems))


def download_weights(name: str, progress: Progress) -> str:
    """Download a published set; the name that it is here by."""
    from core.backbones.downloading import download

    return download(name, progress).name


def export(
    inspection: Inspection,
    stem: Path,
    formats: tuple[str, ...],
    card: ModelCard | None,
    calibration: Calibration | None,
) -> tuple[Path, ...]:
    """Write an inspection in these formats."""
    from core.reporting.export import export as exported

    return tuple(exported(inspection, stem, formats, card=card, calibration=calibration))
