"""The one door through which an inspection is written to files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from core.errors import ConfigError
from core.inspection.calibration import Calibration
from core.inspection.verdict import Inspection
from core.reporting.annotated_ply import write_annotated_ply
from core.reporting.formats import ALL_FORMATS, FORMATS, RECONSTRUCTION, file_name
from core.reporting.inspection_json import write_json
from core.reporting.reconstruction_ply import require_reconstruction, write_reconstruction
from core.reporting.scores_npz import write_scores
from core.reporting.tables import write_defects_csv
from core.store.model_file import ModelCard

__all__ = ["FORMATS", "export"]


def export(
    inspection: Inspection,
    out_stem: Path,
    formats: Sequence[str],
    *,
    card: ModelCard | None = None,
    calibration: Calibration | None = None,
) -> tuple[Path, ...]:
    """Write an inspection in each of ``formats``, each file whole or not at all.

    Parameters
    ----------
    out_stem : Path
        Where the files go, without their endings: ``results/bent/000`` gives ``results/bent/000.ply`` and so on.
    formats : sequence of str
        Out of ``ALL_FORMATS``.
    card, calibration : optional
        What is known of the model; the reports then say it.

    Returns
    -------
    tuple of Path
        The files, in the order of ``formats``.

    Raises
    ------
    ConfigError
        If a format is not known, or a reconstruction is asked for where there is none. Nothing is written then.
    OutputError
        If a file cannot be written.
    """
    unknown = [name for name in formats if name not in ALL_FORMATS]
    if unknown:
        raise ConfigError(f"There is no output format {unknown[0]!r}", f"Choose among {', '.join(ALL_FORMATS)}")
    if RECONSTRUCTION in formats:
        require_reconstruction(inspection)
    when = datetime.now().astimezone()
    writers: dict[str, Callable[[Path], None]] = {
        "ply": lambda path: write_annotated_ply(path, inspection, card=card, calibration=calibration, when=when),
        "json": lambda path: write_json(path, inspection, card=card, calibration=calibration, when=when),
        "csv": lambda path: write_defects_csv(path, inspection),
        "npz": lambda path: write_scores(path, inspection),
        RECONSTRUCTION: lambda path: write_reconstruction(path, inspection, card=card, when=when),
    }
    written = []
    for name in dict.fromkeys(formats):
        path = out_stem.with_name(file_name(out_stem.name, name))
        writers[name](path)
        written.append(path)
    return tuple(written)
