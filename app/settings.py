"""What the user chose, kept between runs: a typed settings file, and the window's geometry."""

from __future__ import annotations

import dataclasses
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from PySide6.QtCore import QSettings

from core.errors import OutputError
from core.files import written_whole

_log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
RECENT_AT_MOST = 10


@dataclass
class Settings:
    """The user's choices. Every field has a default, so that a missing or damaged file costs nothing but the choices.

    Attributes
    ----------
    theme : str
        "system", "light" or "dark".
    device : str
        "auto", "cpu" or "cuda".
    point_size : float
        Pixels; 0 for as much as closes the surface.
    score_map : str
        Colours of the heatmap, one of the viewer's.
    eye_dome, parallel : bool
        Eye-dome lighting; parallel instead of perspective projection.
    inspect_on_open : bool
        Whether a scan is inspected as soon as it is opened.
    guide_done : bool
        Whether the first-start hint was followed or dismissed.
    unit : str
        The unit last given to a folder or scan.
    export_folder : str
    export_formats : list of str
    recent : list of str
        Scans, folders and models last opened, newest first.
    thresholds : mapping of str to mapping
        Thresholds changed by hand: model file to its fields.
    last_category, last_model : str
        What was open: category name, model file.
    log_counts : bool
        Whether the histogram counts on a logarithmic axis.
    evaluated : list of str
        Folders that models were last evaluated on, newest first.
    report_folder : str
        Where the last report of an evaluation went.
    """

    theme: str = "system"
    device: str = "auto"
    point_size: float = 0.0
    score_map: str = "turbo"
    eye_dome: bool = True
    parallel: bool = False
    inspect_on_open: bool = False
    guide_done: bool = False
    unit: str = "mm"
    export_folder: str = ""
    export_formats: list[str] = dataclasses.field(default_factory=lambda: ["ply", "json", "csv"])
    recent: list[str] = dataclasses.field(default_factory=list)
    thresholds: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    last_category: str = ""
    last_model: str = ""
    log_counts: bool = True
    evaluated: list[str] = dataclasses.field(default_factory=list)
    report_folder: str = ""

    def remember(self, path: Path) -> None:
        """Put ``path`` first among the recent ones."""
        self.recent = _first(path, self.recent)

    def remember_evaluated(self, folder: Path) -> None:
        """Put ``folder`` first among those that models were evaluated on."""
        self.evaluated = _first(folder, self.evaluated)


def _first(path: Path, others: list[str]) -> list[str]:
    text = str(path)
    return [text, *(p for p in others if p != text)][:RECENT_AT_MOST]


class SettingsFile:
    """The settings on disk, and beside them the window's geometry in an INI file of Qt's own.

    Parameters
    ----------
    folder : Path, optional
        By default the user's configuration folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_config_path("nominal", appauthor=False)

    @property
    def path(self) -> Path:
        return self.folder / "settings.json"

    def load(self) -> Settings:
        """The kept settings; what cannot be read or has another type than declared falls back to its default."""
        try:
            kept = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return Settings()
        except (OSError, ValueError) as error:
            _log.warning("settings cannot be read, using the defaults: %s", error)
            return Settings()
        values = kept.get("settings", {}) if isinstance(kept, dict) else {}
        return from_mapping(values if isinstance(values, dict) else {})

    def save(self, settings: Settings) -> None:
        """Write the settings whole; a folder that cannot be written is logged, since the user can do nothing here."""
        text = json.dumps({"version": SCHEMA_VERSION, "settings": dataclasses.asdict(settings)}, indent=1)
        try:
            with written_whole(self.path) as temporary:
                temporary.write_text(text, "utf-8")
        except OutputError as error:
            _log.warning("settings are not kept: %s", error)

    def geometry(self) -> QSettings:
        """Where the window keeps its size and docks."""
        return QSettings(str(self.folder / "window.ini"), QSettings.Format.IniFormat)


def from_mapping(values: dict[str, Any]) -> Settings:
    """Settings from plain values; unknown names are dropped, values of another type replaced by the default."""
    defaults = Settings()
    taken = {}
    for field in dataclasses.fields(Settings):
        default = getattr(defaults, field.name)
        value = values.get(field.name, default)
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is type(default):
            taken[field.name] = value
    return Settings(**taken)
