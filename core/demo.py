"""The demo category as the first start and the headless run find it: its scans and a model, made where missing."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from core import workflow
from core.datasets.category import Category, recognise
from core.datasets.demo import demo_folder, make_demo
from core.errors import NominalError
from core.files import written_whole
from core.pipelines.registry import pipeline_class
from core.progress import Progress
from core.runtime import Runtime
from core.store.library import Library
from core.store.model_file import SUFFIX

FIRST_CATEGORY = "bracket"


def ensure_demo(
    library: Library, runtime: Runtime, progress: Progress, name: str = FIRST_CATEGORY
) -> tuple[Category, Path]:
    """The demo category ``name`` in the library, with a model that is ready to inspect.

    The scans are made once and kept. The model is the library's newest for this category that loads; else the one that
    ships, where the weights it was fitted with are the ones installed; else ``deviation`` is fitted, in seconds.

    Returns
    -------
    category : Category
    model : Path

    Raises
    ------
    OutputError
        If the user's data folder cannot be written.
    Cancelled
    """
    folder = make_demo(name, demo_folder(), progress=progress.part(0.0, 0.5, "Making the demo parts"))
    category = recognise(folder, unit="mm", name=name)
    library.add_category(folder, category.unit, name)
    for entry in library.models(name):
        if entry.card is not None and _loads(entry.path, runtime):
            progress.update(1.0, "Ready")
            return category, entry.path
    path = _shipped(library, name)
    if path is None or not _loads(path, runtime):
        path = library.model_path(name, "deviation fast")
        model = workflow.train(
            category,
            "deviation",
            pipeline_class("deviation").Config.preset("fast"),
            runtime=runtime,
            preset="fast",
            progress=progress.part(0.5, 1.0, "Learning the good parts"),
        )
        workflow.save(model, path)
    progress.update(1.0, "Ready")
    return category, path


def _loads(path: Path, runtime: Runtime) -> bool:
    try:
        workflow.load(path, runtime)
    except NominalError:
        return False
    return True


def _shipped(library: Library, name: str) -> Path | None:
    """The model that ships for a demo category, copied into the library; None if none ships."""
    source = resources.files("resources") / "models" / f"{name}{SUFFIX}"
    if not source.is_file():
        return None
    target = library.model_path(name, f"{name} SCA fast")
    with resources.as_file(source) as file, written_whole(target) as temporary:
        shutil.copyfile(file, temporary)
    return target
