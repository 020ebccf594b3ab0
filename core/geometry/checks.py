"""What every point operation asks of its arguments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.runtime import Runtime


def as_points(points: ArrayLike, name: str = "points", *, least: int = 0) -> NDArray[np.float32]:
    """``points`` as a contiguous (N, 3) float32 array.

    Raises
    ------
    ValueError
        If the shape is another, or there are fewer than ``least`` points.
    """
    array = np.ascontiguousarray(points, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"{name} have shape {array.shape}, not (N, 3)")
    if len(array) < least:
        raise ValueError(f"{len(array)} {name}, but at least {least} are needed")
    return array


def on_cuda(runtime: Runtime | None) -> bool:
    """Whether the work may go to a CUDA device. Without a runtime it stays on the CPU."""
    return runtime is not None and runtime.device.type == "cuda"
