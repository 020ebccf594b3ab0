"""Training for the window: one method or several on one category. Runs without Qt, in the worker thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app import work
from core.progress import Progress

if TYPE_CHECKING:
    from core.several import Choice, Outcome
    from core.store.library import Library
    from core.workflow import Model


def train(
    request: work.TrainRequest, library: Library, device: str, validated: bool, progress: Progress
) -> work.Trained:
    """Train, calibrate and measure one model; cancelling or failing leaves nothing behind."""
    made: list[Model] = []
    (outcome,) = _trained((request,), library, device, validated, made, progress)
    if outcome.error is not None:
        raise outcome.error
    assert outcome.path is not None
    return work.Trained(outcome.path, made[0])


def train_several(
    request: work.TrainRequest,
    also: tuple[str, ...],
    library: Library,
    device: str,
    validated: bool,
    progress: Progress,
) -> tuple[Outcome, ...]:
    """Train the requested method and others with the same preset. Each finished model is in the library at once."""
    others = (replace(request, pipeline=name, changes={}) for name in also)
    return _trained((request, *others), library, device, validated, None, progress)


def _trained(
    requests: tuple[work.TrainRequest, ...],
    library: Library,
    device: str,
    validated: bool,
    made: list[Model] | None,
    progress: Progress,
) -> tuple[Outcome, ...]:
    from core import several, workflow
    from core.pipelines.registry import pipeline_class

    first = requests[0]
    library.check_writable()

    def choice(request: work.TrainRequest) -> Choice:
        cls = pipeline_class(request.pipeline)
        name = f"{request.name} {cls.title}" if request.name and len(requests) > 1 else request.name
        return several.Choice(
            request.pipeline,
            cls.Config.preset(request.preset, **request.changes),
            "custom" if request.changes else request.preset,
            name or None,
        )

    def keep(one: Choice, model: Model) -> Path:
        path = library.model_path(first.category.name, f"{one.pipeline} {model.card.preset}")
        workflow.save(model, path)
        if made is not None:
            made.append(model)
        return path

    return several.train_several(
        first.category,
        [choice(request) for request in requests],
        keep,
        runtime=work.runtime(device),
        part_budget=first.part_budget,
        point_budget=first.point_budget,
        validated=validated,
        progress=progress,
    )
