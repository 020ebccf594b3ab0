"""What the worker does for the Combine dialog. Runs without Qt; the heavy imports happen there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app import work
from app.work import Trained
from core.errors import NominalError
from core.progress import Progress
from core.store.library import Library, ModelEntry

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


def combine(paths: Sequence[Path], combination: str, library: Library, device: str, progress: Progress) -> Trained:
    """Make the consensus of these models and put it into the library."""
    from core import workflow
    from core.consensus.pipeline import ConsensusConfig

    models = [
        workflow.load(path, work.runtime(device))
        for path in progress.part(0.0, 0.7, "Loading the models").over(paths, "{i} of {n}")
    ]
    progress.update(0.7, "Comparing good parts")
    model = workflow.combine(models, config=ConsensusConfig.from_mapping({"combination": combination}))
    progress.check()
    path = library.model_path(model.card.category, f"{CONSENSUS} {combination}")
    workflow.save(model, path)
    return Trained(path, model)
