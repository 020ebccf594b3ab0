"""What every test stands on: its own data folder, the platform that VTK draws on, few threads."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["QT_QPA_PLATFORM"] = "xcb"  # VTK cannot draw on Qt's own offscreen platform
os.environ["QT_ACCESSIBILITY"] = "0"

import pytest
import torch

torch.set_num_threads(1)

SAMPLE = Path(os.environ.get("NOMINAL_SAMPLE_DATA") or Path(__file__).parents[2] / "shared" / "data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs CUDA"))
        if item.get_closest_marker("sample") and not SAMPLE.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"needs the sample scans at {SAMPLE}"))


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or touches the user's library, history or weights."""
    folder = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("NOMINAL_DATA", str(folder))
    monkeypatch.delenv("NOMINAL_WEIGHTS", raising=False)
    return folder


@pytest.fixture(scope="session")
def sample_folder() -> Path:
    """The folder of the real scans (use with the ``sample`` marker)."""
    return SAMPLE
