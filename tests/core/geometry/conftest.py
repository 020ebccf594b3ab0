from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from core.runtime import Runtime


def _load():
    spec = importlib.util.spec_from_file_location("geometry_reference", Path(__file__).with_name("reference.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_REFERENCE = _load()


@pytest.fixture(scope="session")
def slow():
    """The plain reference implementations."""
    return _REFERENCE


@pytest.fixture(scope="session")
def cpu() -> Runtime:
    return Runtime(torch.device("cpu"))


@pytest.fixture
def cuda() -> Runtime:
    if not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    return Runtime.choose("cuda")


@pytest.fixture(scope="session")
def ellipsoid() -> np.ndarray:
    """(3000, 3) points of an ellipsoid with a little noise, in no order."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((3000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return (points * [30, 20, 15] + rng.normal(0, 0.02, points.shape)).astype(np.float32)
