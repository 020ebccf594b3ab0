"""The demo category as the first start and the headless run find it: its scans and a model, made where missing."""

from __future__ import annotations

import shutil
from datetime import datetime
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
from core.store.model_file import SUFFIX, ModelCard, read_card

FIRST_CATEGORY = "bracket"


def ensure_demo(
    library: Library, runtime: Runtime, progress: Progress, name: str = FIRST_CATEGORY
) -> tuple[Category, Path]:
    """The demo category ``name`` in the library, with a model that is ready to inspect.

    The scans are made once and kept. The model is the library's newest for this category that loads. The ones that
    ship are copied into it where it has none, and where they are newer than all it has, as after an update of the
    program. If none was fitted with the weights that are installed, ``deviation`` is fitted.

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
    _copy_newer(library, name)
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


def _copy_newer(library: Library, name: str) -> None:
    """The models that ship for a demo category, copied into the library if they are newer than all it has.

    One that the user has deleted comes back only where no other is left.
    """
    known = [_made(entry.card) for entry in library.models(name) if entry.card is not None]
    folder = resources.files("resources") / "models"
    for source in folder.iterdir() if folder.is_dir() else ():
        if not (source.name.startswith(f"{name}-") and source.name.endswith(SUFFIX)):
            continue
        with resources.as_file(source) as file:
            if known and (library.deleted(name, file.name) or _made(read_card(file)) <= max(known)):
                continue
            with written_whole(library.model_path(name, file.name.removesuffix(SUFFIX))) as temporary:
                shutil.copyfile(file, temporary)


def _made(card: ModelCard) -> datetime:
    return datetime.fromisoformat(card.created)
