"""What a training came to, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.quantities import duration, number, percent
from app.work import Trained
from core.store.validation_score import LABELLED

if TYPE_CHECKING:
    from core.store.validation_score import ValidationScore


def validation_line(measured: ValidationScore | None) -> str:
    """What the methods were compared on."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("TrainDialog", text)

    if measured is None:
        return tr("They were not compared: there are too few scans to hold any out, or it was not wanted.")
    text = tr(
        "Compared on validation: {good} good parts and {bad} {what}. Few parts tell methods apart only roughly: mind "
        "the intervals."
    )
    what = tr("defective ones") if measured.basis == LABELLED else tr("copies of them with made defects")
    return text.format(good=measured.good, bad=measured.defective, what=what)


def report_lines(trained: Trained, seconds: float) -> list[str]:
    """The calibration report, a line a fact."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("TrainDialog", text)

    card, calibration = trained.card, trained.calibration
    lines = [
        tr("Trained on {n} good scans in {time}.").format(n=card.scan_count, time=duration(seconds)),
        tr("Thresholds from {n} good parts, {method}.").format(
            n=len(calibration.part_scores), method=calibration.method
        ),
        tr("Part threshold {value} ± {guard}: {n} of {total} good parts would be rejected.").format(
            value=number(calibration.part_threshold),
            guard=number(calibration.guard, 2),
            n=calibration.rejected(calibration.part_threshold + calibration.guard),
            total=len(calibration.part_scores),
        ),
        tr("Point threshold {value}: {share} of good points would be marked.").format(
            value=number(calibration.point_threshold),
            share=percent(calibration.marked_share(calibration.point_threshold)),
        ),
    ]
    if calibration.best_f1_point is not None:
        lines.append(
            tr("Best point threshold on the labelled defects: {value}.").format(value=number(calibration.best_f1_point))
        )
    score = card.validation.get("value")
    if score is not None:
        lines.append(
            tr("O-AUROC {value} on validation, {good} good parts and {bad} of: {basis}.").format(
                value=f"{score:.3f}",
                good=card.validation["good"],
                bad=card.validation["defective"],
                basis=card.validation["basis"],
            )
        )
    if card.weights:
        lines.append(tr("Backbone weights: {names}.").format(names=", ".join(card.weights)))
    return lines
