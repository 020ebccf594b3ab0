"""Where the numbers are crunched: device, precision, memory budget and seed, decided once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from core.errors import DeviceError

DeviceChoice = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Runtime:
    """What the heavy steps may use.

    Attributes
    ----------
    device : torch.device
        CUDA where torch sees it, else the CPU.
    memory_budget : int
        Bytes that one chunk of work may take. Point operations size their chunks from it.
    seed : int
        Every random draw of a fit or a score starts from it.
    """

    device: torch.device
    memory_budget: int = 512 * 2**20
    seed: int = 0

    @classmethod
    def choose(cls, device: DeviceChoice = "auto", seed: int = 0) -> Runtime:
        """The runtime for a user's choice of device.

        Raises
        ------
        DeviceError
            If ``cuda`` is asked for and torch sees no CUDA device.
        """
        available = torch.cuda.is_available()
        if device == "cuda" and not available:
            raise DeviceError("CUDA was asked for, but torch sees no CUDA device", "Use --device cpu or auto")
        if device == "cpu" or not available:
            return cls(torch.device("cpu"), seed=seed)
        free, _ = torch.cuda.mem_get_info()
        return cls(torch.device("cuda"), memory_budget=max(256 * 2**20, free // 8), seed=seed)

    @property
    def title(self) -> str:
        """The device in words, for the status bar: its name and memory, or the number of CPU cores."""
        if self.device.type == "cuda":
            properties = torch.cuda.get_device_properties(self.device)
            return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
        return f"CPU, {os.cpu_count() or 1} cores"

    @property
    def native_bfloat16(self) -> bool:
        """Whether bfloat16 products are native here: on CUDA, and on CPUs with AMX."""
        if self.device.type == "cuda":
            return True
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(capabilities.get("amx_bf16", False))

    def generator(self, *salt: int) -> torch.Generator:
        """A torch generator on the CPU, seeded by ``seed`` and ``salt``, so that CPU and CUDA draw the same numbers."""
        return torch.Generator().manual_seed(int(np.random.SeedSequence([self.seed, *salt]).generate_state(1)[0]))

    def rng(self, *salt: int) -> np.random.Generator:
        """A numpy generator seeded by ``seed`` and ``salt``."""
        return np.random.default_rng([self.seed, *salt])

    def rows_per_chunk(self, bytes_per_row: int) -> int:
        """How many rows of ``bytes_per_row`` bytes fit the memory budget; at least one."""
        return max(1, self.memory_budget // max(1, bytes_per_row))


def in_chunks(count: int, size: int, work: Callable[[slice], None]) -> None:
    """Run ``work`` over ``range(count)`` in slices of ``size``; on out-of-memory the slice halves and the job goes on.

    Raises
    ------
    DeviceError
        If even a single row does not fit.
    """
    start = 0
    while start < count:
        try:
            work(slice(start, min(start + size, count)))
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            if size == 1:
                raise DeviceError("The GPU has too little memory for this scan", "Use --device cpu") from error
            size = max(1, size // 2)
        else:
            start += size


@contextmanager
def deterministic(threads: int | None = None) -> Iterator[None]:
    """Run torch with deterministic algorithms (where there are any) and, if given, this many CPU threads."""
    before, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    threads_before = torch.get_num_threads()
    torch.use_deterministic_algorithms(True, warn_only=True)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn)
        torch.set_num_threads(threads_before)
