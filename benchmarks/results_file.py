"""The speed suite's figures: one JSON file a machine, and the table of them in docs/benchmarks.md.

A machine is described by what makes it fast (processor, cores, GPU), never by its name.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import torch

from benchmarks.stages import Timing, exponent
from core.files import written_whole
from core.reporting.text_table import text_table
from core.runtime import Runtime
from core.version import VERSION

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- speed tables: begin -->", "<!-- speed tables: end -->"


@dataclass
class Figures:
    """The figures of one machine.

    Attributes
    ----------
    path : Path
    machine : dict
    timings : dict of str to list of Timing
        By part of the suite.
    dates : dict of str to str
        When a part was last run.
    """

    path: Path
    machine: dict[str, Any]
    timings: dict[str, list[Timing]] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, described: dict[str, Any]) -> Figures:
        """What is kept of a machine; nothing of one that is new."""
        words = f"{described['processor']} {described['cores']} cores {described['device']}"
        path = RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}.json"
        return cls.of(path, described) if path.is_file() else cls(path, described)

    @classmethod
    def of(cls, path: Path, described: dict[str, Any] | None = None) -> Figures:
        """The figures of a file."""
        kept = json.loads(path.read_text(encoding="utf-8"))
        timings = {part: [Timing(**one) for one in found] for part, found in kept["timings"].items()}
        return cls(path, described or kept["machine"], timings, kept["dates"])

    def put(self, part: str, timings: Sequence[Timing]) -> None:
        """Take a part's new figures; all that it had at these sizes is replaced, steps that are no more included."""
        sizes = {t.points for t in timings}
        before = [t for t in self.timings.get(part, []) if t.points not in sizes]
        self.timings[part] = [*before, *timings]
        self.dates[part] = date.today().isoformat()

    def write(self) -> None:
        """Write the file whole."""
        record = {
            "machine": self.machine,
            "dates": self.dates,
            "timings": {part: [asdict(t) for t in found] for part, found in self.timings.items()},
        }
        with written_whole(self.path) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def machine(runtime: Runtime) -> dict[str, Any]:
    """This machine: processor, cores, memory, device, and the versions that matter."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "device": "cpu" if runtime.device.type == "cpu" else runtime.title,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "nominal": VERSION,
    }


def write_table() -> None:
    """Put the tables of all machines between their marks in docs/benchmarks.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(_BEGIN)
    tail = rest.partition(_END)[2]
    tables = "\n\n".join(tables_of(Figures.of(path)) for path in sorted(RESULTS.glob("*.json")))
    with written_whole(DOCUMENT) as temporary:
        temporary.write_text(f"{head}{_BEGIN}\n\n{tables}\n\n{_END}{tail}", encoding="utf-8")


def tables_of(figures: Figures) -> str:
    """One machine's tables: a row an operation, its medians by size, memory and ratio at the largest, and growth."""
    about = figures.machine
    device = "" if about["device"] == "cpu" else f", {about['device']}"
    texts = [f"### {about['processor']}, {about['cores']} cores{device}"]
    for part, timings in figures.timings.items():
        sizes = sorted({t.points for t in timings})
        head = ["operation", *(_size(size) for size in sizes), "memory", "faster than plain", "grows as"]
        rows = [
            _cells(name, [t for t in timings if t.name == name], sizes)
            for name in dict.fromkeys(t.name for t in timings)
        ]
        texts.append(f"**{part.replace('_', ' ')}** ({figures.dates[part]})\n\n{text_table(head, rows, markdown=True)}")
        notes = dict.fromkeys(
            f"{t.name}, {_size(t.points)}: {t.note}" for t in timings if t.note and t.median_s is None
        )
        if notes:
            texts.append("; ".join(notes) + ".")
    return "\n\n".join(texts)


def _cells(name: str, timings: Sequence[Timing], sizes: Sequence[int]) -> list[str]:
    by_size = {t.points: t for t in timings}
    times = [_time(by_size[size].median_s) if size in by_size else "" for size in sizes]
    known = [t for t in timings if t.median_s is not None]
    memory = next((f"{t.peak_mb:.0f} MB" for t in reversed(known) if t.peak_mb is not None), "")
    ratio = next((f"{t.ratio:.2g} × ({t.plain})" for t in reversed(known) if t.ratio is not None), "")
    growth = exponent(known)
    return [name, *times, memory, ratio, "" if growth is None else f"N^{growth:.2f}"]


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _size(points: int) -> str:
    return f"{points // 1_000_000} M" if points >= 1_000_000 else f"{points / 1000:.0f} k"


def _processor() -> str:
    """The processor's model, as Linux and others tell it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    name = found.group(1) if found else platform.processor() or platform.machine()
    return re.sub(r"\s+", " ", re.sub(r"\((R|TM)\)|@.*|CPU", "", name)).strip()
