"""What is kept at hand so that going back costs nothing: results and loaded models. The oldest go first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.datasets.entry import ScanEntry
from core.scan import Scan

if TYPE_CHECKING:
    from core.workflow import Judged, Model

KEPT_POINTS = 6_000_000
"""Results are kept up to this many points together."""
KEPT_MODELS = 3


@dataclass(frozen=True, eq=False)
class Document:
    """One state of what is shown: a scan, and what a model says of it. References only."""

    entry: ScanEntry | None = None
    scan: Scan | None = None
    model_path: Path | None = None
    judged: Judged | None = None

    @property
    def name(self) -> str:
        return self.entry.key if self.entry is not None else ""


class KeptResults:
    """The last documents with a result, by scan and model."""

    def __init__(self) -> None:
        self._documents: OrderedDict[tuple[Path, Path], Document] = OrderedDict()

    def find(self, entry: ScanEntry | None, model: Path | None) -> Document | None:
        """What ``model`` said of the scan, if it is still known."""
        return None if entry is None or model is None else self._documents.get((entry.path, model))

    def put(self, document: Document) -> None:
        """Keep a document's result; one without a result means that what was kept is void."""
        if document.entry is None or document.model_path is None:
            return
        key = (document.entry.path, document.model_path)
        self._documents.pop(key, None)
        if document.judged is None:
            return
        self._documents[key] = document
        while len(self._documents) > 1 and self._points() > KEPT_POINTS:
            self._documents.popitem(last=False)

    def clear(self) -> None:
        self._documents.clear()

    def _points(self) -> int:
        return sum(len(document.scan) for document in self._documents.values() if document.scan is not None)


class KeptModels:
    """The last models that were loaded, by their file."""

    def __init__(self) -> None:
        self._models: OrderedDict[Path, Model] = OrderedDict()

    def find(self, path: Path | None) -> Model | None:
        return None if path is None else self._models.get(path)

    def put(self, path: Path, model: Model, chosen: Path | None) -> None:
        """Keep a model; the oldest makes room, but never the ``chosen`` one."""
        self._models[path] = model
        self._models.move_to_end(path)
        while len(self._models) > KEPT_MODELS:
            del self._models[next(p for p in self._models if p != chosen)]

    def clear(self) -> None:
        self._models.clear()
