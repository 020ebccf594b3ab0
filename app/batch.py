"""Inspecting many scans without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.console import Console
from core import workflow
from core.datasets.category import scan_paths
from core.errors import NominalError, ScanError
from core.files import check_writable_folder
from core.formats.reader import read_scan
from core.inspection.verdict import Verdict
from core.reporting.export import export

ACCEPTED, ERROR, REJECTED = 0, 2, 3


def inspect_paths(
    model: workflow.Model,
    paths: Sequence[Path],
    by_hand: Mapping[str, float],
    out: Path | None,
    formats: Sequence[str],
    console: Console,
    *,
    reduced: bool = False,
) -> int:
    """Judge every scan in ``paths``, write its reports under ``out``, and go on past the ones that cannot be judged.

    Parameters
    ----------
    by_hand : mapping
        Thresholds in the place of the calibrated ones.
    reduced : bool
        Whether scans that lack something of what the model was trained with are judged without it.

    Returns
    -------
    int
        0 all accepted, 3 some rejected or for review, 2 some could not be judged.

    Raises
    ------
    ScanError
        If there is no scan at all.
    OutputError
        If nothing can be written under ``out``.
    Cancelled
    """
    found = [(path, key) for given in paths for path, key in scan_paths(given)]
    if not found:
        raise ScanError(f"There is no scan in {', '.join(map(str, paths))}", "Name a scan or a folder of scans")
    if out is not None:
        check_writable_folder(out)
    failures: list[tuple[Path, NominalError]] = []
    verdicts: list[Verdict] = []
    with console.progress("Inspecting") as progress:
        for i, (path, key) in enumerate(found):
            step = progress.part(i / len(found), (i + 1) / len(found), f"{i + 1} of {len(found)}")
            step.update(0.0, key)
            try:
                judged = workflow.score(model, read_scan(path, unit=model.card.unit), step, reduced=reduced)
                calibration = model.calibration_for(judged.lacking)
                thresholds = calibration.thresholds().replaced(**by_hand)
                inspection = judged.inspect(thresholds)
                if out is not None:
                    export(inspection, out / key, formats, card=model.card, calibration=calibration)
            except NominalError as error:
                failures.append((path, error))
                console.result({"scan": str(path), "error": str(error)}, f"error    {key}: {error}")
                continue
            verdicts.append(inspection.verdict)
            record: dict[str, object] = {
                "scan": str(path),
                "verdict": str(inspection.verdict),
                "object_score": inspection.scores.object,
                "part_threshold": thresholds.part,
                "defects": len(inspection.defects.defects),
                "seconds": inspection.seconds,
                "lacking": inspection.lacking or None,
                "notes": list(inspection.scores.notes),
            }
            text = (
                f"{inspection.verdict:<8} {key}  score {inspection.scores.object:.4g} (threshold {thresholds.part:.4g})"
            )
            if inspection.lacking:
                text += f", by shape alone ({inspection.lacking})"
            if inspection.chunk_verdicts:
                rejected = [i + 1 for i, v in enumerate(inspection.chunk_verdicts) if v is Verdict.REJECT]
                record["chunks"] = [str(v) for v in inspection.chunk_verdicts]
                text += f", {len(rejected)} of {len(inspection.chunk_verdicts)} chunks rejected"
            console.result(record, f"{text}, {len(inspection.defects.defects)} defects, {inspection.seconds:.2f} s")
            for note in inspection.scores.notes:
                console.problem(f"{key}: {note}")
    counts = {str(verdict): verdicts.count(verdict) for verdict in Verdict}
    console.say(f"{len(found)} scans: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    if out is not None:
        console.say(f"Reports written to {out}.")
    for path, reason in failures:
        console.problem(f"Not inspected: {path}: {reason}")
    if failures:
        return ERROR
    return ACCEPTED if all(verdict is Verdict.ACCEPT for verdict in verdicts) else REJECTED
