"""Where Nominal keeps what is the user's: models, categories, history, imported weights."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path


def data_folder() -> Path:
    """The user's data folder; ``NOMINAL_DATA`` names another one."""
    chosen = os.environ.get("NOMINAL_DATA")
    return Path(chosen) if chosen else user_data_path("nominal", appauthor=False)
