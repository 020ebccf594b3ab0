"""How much memory a piece of work takes at its highest."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from types import TracebackType

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets the peak resident set size to the current one


class Peak:
    """Within ``with``: the most memory beyond what was taken at its start.

    On the CPU the resident set of the process, as Linux counts it; on CUDA what torch allocated. ``mb`` is None where
    the system does not tell. Taking it costs time, so that no run is both timed and watched.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._before = 0.0
        self.mb: float | None = None

    def __enter__(self) -> Peak:
        gc.collect()
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated() / 1e6
            return self
        try:
            ctypes.CDLL(None).malloc_trim(0)  # else memory that was freed but kept would not count when used again
            _CLEAR.write_text(_RESET_PEAK)
        except (OSError, AttributeError):  # no Linux
            self._before = float("nan")
            return self
        self._before = _resident("VmRSS")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._cuda:
            self.mb = torch.cuda.max_memory_allocated() / 1e6 - self._before
        elif self._before == self._before:
            self.mb = max(0.0, _resident("VmHWM") - self._before)


def _resident(key: str) -> float:
    """One figure of the process's status, MB; NaN if it is not there."""
    for row in _STATUS.read_text().splitlines():
        if row.startswith(key):
            return int(row.split()[1]) * 1024 / 1e6
    return float("nan")
