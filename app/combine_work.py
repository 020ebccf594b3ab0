"""What the worker does for the Combine dialog. Runs without Qt; the heavy imports happen there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app import work
from app.work import Trained
from core.errors import NominalError
from core.progress import Progress
from core.store.library import Library, LibraryCategory, ModelEntry

if TYPE_CHECKING:
    from core.workflow import Model

CONSENSUS = "consensus"


def candidates(entries: Sequence[ModelEntry]) -> tuple[ModelEntry, ...]:
    """The models of these that a consensus can be of: usable, and no consensus themselves."""
    usable = (e for e in entries if e.card is not None and e.problem is None)
    return tuple(e for e in usable if e.card is not None and e.card.pipeline != CONSENSUS)


def known_parts(paths: Sequence[Path]) -> Mapping[Path, frozenset[str]]:
    """Of each model the good parts that it knows one by one; none where it was trained before models remembered them.

    A model that cannot be read knows none.
    """
    from core.store.model_file import read_calibration

    found = {}
    for path in paths:
        try:
            digests = read_calibration(path, "held_out/digests")
        except NominalError:
            digests = None
        found[path] = frozenset(() if digests is None else digests.tolist())
    return found


def combine(
    paths: Sequence[Path],
    combination: str,
    weighing: str,
    measured_on: LibraryCategory | None,
    library: Library,
    device: str,
    progress: Progress,
) -> Trained:
    """Make the consensus of these models and put it into the library.

    ``measured_on`` is the category on whose validation parts models are measured first that were not yet; their files
    keep the result.
    """
    from core import workflow
    from core.consensus.pipeline import ConsensusConfig
    from core.evaluation.validation import validated_alike

    library.check_writable()
    models = [
        workflow.load(path, work.runtime(device))
        for path in progress.part(0.0, 0.1, "Loading the models").over(paths, "{i} of {n}")
    ]
    if measured_on is not None:
        category = work.recognise(measured_on.folder, measured_on.unit, measured_on.name)
        measuring = progress.part(0.1, 0.95)
        models = validated_alike(models, category, measuring, lambda i, model: workflow.save(model, paths[i]))
    progress.update(0.95, "Comparing good parts")
    config = ConsensusConfig.from_mapping({"combination": combination, "weighing": weighing})
    model = workflow.combine(models, config=config)
    progress.check()
    path = library.model_path(model.card.category, f"{CONSENSUS} {combination}")
    workflow.save(model, path)
    return Trained(path, model)


def weighing_said(model: Model) -> str:
    """What each member of a consensus counts, for people."""
    from core.consensus.pipeline import ConsensusPipeline

    assert isinstance(model.pipeline, ConsensusPipeline)
    return model.pipeline.weighing_said
