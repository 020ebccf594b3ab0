"""Oracles for the tests of this folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def slow_aupro() -> Callable[..., float]:
    spec = importlib.util.spec_from_file_location("slow_overlap", Path(__file__).with_name("slow_overlap.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.slow_aupro
