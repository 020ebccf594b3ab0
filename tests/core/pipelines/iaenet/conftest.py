"""Small surfaces for the parts of IAENet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.runtime import Runtime

Floats = NDArray[np.float32]


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    return Runtime.choose("cpu")


def dome(seed: int, count: int = 600) -> Floats:
    """A lopsided dome of 40 x 24, with noise."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-20, 20, count), rng.uniform(-12, 12, count)
    z = 10 * np.exp(-(((x + 8) / 9) ** 2) - (y / 7) ** 2) + rng.normal(0, 0.02, count)
    return np.column_stack([x, y, z]).astype(np.float32)


@pytest.fixture(scope="session")
def cloud() -> Callable[..., Floats]:
    return dome


@pytest.fixture(scope="session")
def small() -> SdfSettings:
    """Few and small patches, few steps: for the mechanics."""
    return SdfSettings(patch_points=40, overlap=3, train_overlap=2, queries=16, epochs=3, batch=8, sigma_neighbor=10)
