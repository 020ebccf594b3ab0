"""The annotated PLY: the scan with its heatmap and every score as a scalar field.

Fields are named as CloudCompare and MeshLab want them: a name with ``scalar_`` loads without a question, and a name
that holds ``red``, ``green`` or ``blue`` would be taken for a colour channel, so none does.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.formats.fields import role_of
from core.formats.ply_writer import write_ply
from core.inspection.calibration import Calibration
from core.inspection.verdict import Inspection, Verdict
from core.reporting.colormap import display_range, heatmap
from core.reporting.summary import DECISION_RULE
from core.store.model_file import ModelCard
from core.version import VERSION

SCORE, ABOVE, DEFECT, TRUTH = (
    "scalar_anomaly_score",
    "scalar_above_threshold",
    "scalar_defect_id",
    "scalar_ground_truth",
)


def write_annotated_ply(
    path: Path,
    inspection: Inspection,
    *,
    card: ModelCard | None = None,
    calibration: Calibration | None = None,
    when: datetime | None = None,
) -> None:
    """Write an inspection as a point cloud, whole or not at all.

    Holds x y z, normals where the scan has them, heatmap colours, and the fields ``scalar_anomaly_score``,
    ``scalar_above_threshold``, ``scalar_defect_id``, one ``scalar_<key>`` a map, and ``scalar_ground_truth`` where it
    is known. A score stays NaN where the pipeline does not judge.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    scan, scores, defects = inspection.scan, inspection.scores, inspection.defects
    names = map_names(tuple(scores.maps))
    fields: dict[str, NDArray[Any]] = {
        SCORE: scores.points,
        ABOVE: defects.mask.astype(np.uint8),
        DEFECT: defects.ids.astype(np.int32),
    }
    fields |= {names[key]: shown.values for key, shown in scores.maps.items()}
    if scan.labels is not None:
        fields[TRUTH] = scan.labels.astype(np.uint8)
    low, high = display_range(scores.points, inspection.thresholds.point)
    comments = _comments(inspection, card, calibration, when or datetime.now().astimezone())
    comments.append(f"colours turbo from {low:.6g} to {high:.6g} of {SCORE}, grey where not judged")
    comments += [f"field {names[key]}: {shown.title} ({shown.kind})" for key, shown in scores.maps.items()]
    write_ply(
        path,
        scan.points,
        normals=scan.normals,
        colors=heatmap(scores.points, low, high),
        fields=fields,
        comments=comments,
    )


def map_names(keys: tuple[str, ...]) -> dict[str, str]:
    """The field name of each map: ``scalar_<key>``, changed where a program would take it for something else."""
    names: dict[str, str] = {}
    taken = {SCORE, ABOVE, DEFECT, TRUTH}
    for key in keys:
        plain = key
        for color, split in (("red", "re_d"), ("green", "gre_en"), ("blue", "bl_ue")):
            plain = plain.replace(color, split)
        name = f"scalar_{re.sub(r'[^a-z0-9_]', '_', plain)}"
        if role_of(name) is not None or name in taken:
            name += "_map"
        number = 2
        while name in taken:
            name = f"{name.rstrip('0123456789')}{number}"
            number += 1
        taken.add(name)
        names[key] = name
    return names


def _comments(
    inspection: Inspection, card: ModelCard | None, calibration: Calibration | None, when: datetime
) -> list[str]:
    scan, thresholds = inspection.scan, inspection.thresholds
    lines = [
        f"Nominal {VERSION}",
        f"date {when.isoformat(timespec='seconds')}",
        f"scan {scan.name if scan.source is None else scan.source.name}",
        f"unit {scan.unit}",
        f"model {card.name if card else inspection.model_name or 'unknown'}",
    ]
    if card is not None:
        lines.append(f"pipeline {card.pipeline}, preset {card.preset}, fitted on {card.scan_count} good scans")
        lines += [f"weights {name} sha256 {sha}" for name, sha in card.weights.items()]
    lines += [
        f"point_threshold {thresholds.point:.9g}",
        f"part_threshold {thresholds.part:.9g}",
        f"guard {thresholds.guard:.9g}",
        f"object_score {inspection.scores.object:.9g}",
        f"verdict {inspection.verdict}",
        f"decision rule: {DECISION_RULE}",
        f"defects {len(inspection.defects.defects)}",
    ]
    if inspection.lacking:
        lines.append(f"judged by shape alone: the scan has {inspection.lacking}")
    if inspection.scores.chunks is not None:
        rejected = sum(verdict is Verdict.REJECT for verdict in inspection.chunk_verdicts)
        lines.append(f"chunks {len(inspection.scores.chunks)}, rejected {rejected}")
    if calibration is not None:
        lines.append(f"calibration: {calibration.note}")
    return lines
