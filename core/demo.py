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

    The scans are made once and kept. The model is the library's newest for this category that loads; else the newest
    of those that ship, where the weights it was fitted with are the ones installed; else ``deviation`` is fitted.

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
    path = _newest(library, name, runtime)
    if path is None:
        _copy_shipped(library, name)
        path = _newest(library, name, runtime)
    if path is None:
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


def _newest(library: Library, name: str, runtime: Runtime) -> Path | None:
    """The newest model of a category that loads, None if there is none."""
    for entry in library.models(name):
        try:
            workflow.load(entry.path, runtime)
        except NominalError:
            continue
        return entry.path
    return None


def _copy_shipped(library: Library, name: str) -> None:
    """The models that ship for a demo category, copied into the library."""
    folder = resources.files("resources") / "models"
    for source in folder.iterdir() if folder.is_dir() else ():
        if source.name.startswith(f"{name}-") and source.name.endswith(SUFFIX):
            target = library.model_path(name, source.name.removesuffix(SUFFIX))
            with resources.as_file(source) as file, written_whole(target) as temporary:
                shutil.copyfile(file, temporary)
