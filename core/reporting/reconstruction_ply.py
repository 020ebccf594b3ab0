"""The reconstructed part as PLY: what it should have been, in the scan's frame."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from core.errors import ConfigError
from core.formats.ply_writer import write_ply
from core.inspection.verdict import Inspection
from core.store.model_file import ModelCard
from core.version import VERSION

DISTANCE = "scalar_distance_to_measured"


def require_reconstruction(inspection: Inspection) -> None:
    """Refuse where there is nothing to write.

    Raises
    ------
    ConfigError
        If the method does not reconstruct the part.
    """
    if inspection.scores.reconstruction is None:
        raise ConfigError(
            f"The method of {inspection.model_name or 'this model'} judges a part without reconstructing it",
            "Leave the reconstruction out of the formats, or inspect with a method that reconstructs",
        )


def write_reconstruction(
    path: Path, inspection: Inspection, *, card: ModelCard | None = None, when: datetime | None = None
) -> None:
    """Write the reconstruction as a point cloud, whole or not at all.

    Holds x y z and ``scalar_distance_to_measured``, from each point to the nearest measured one in the scan's unit:
    high where material is missing, or where nothing was measured.

    Raises
    ------
    ConfigError
        If the method does not reconstruct the part.
    OutputError
        If the file cannot be written.
    """
    require_reconstruction(inspection)
    points, scan = inspection.scores.reconstruction, inspection.scan
    assert points is not None
    distance, _ = cKDTree(scan.points).query(points, workers=-1)
    comments = [
        f"Nominal {VERSION}",
        f"date {(when or datetime.now().astimezone()).isoformat(timespec='seconds')}",
        f"reconstruction of scan {scan.name if scan.source is None else scan.source.name}",
        f"unit {scan.unit}",
        f"model {card.name if card else inspection.model_name or 'unknown'}",
    ]
    write_ply(path, points, fields={DISTANCE: distance.astype(np.float32)}, comments=comments)
