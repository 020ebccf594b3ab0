"""What figures of an evaluation say, a plain sentence each."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from app.quantities import number
from core.datasets.category import Category
from core.datasets.entry import Split
from core.evaluation.intervals import Measure, Rate
from core.evaluation.results import Confusion
from core.inspection.verdict import Verdict


def tr(text: str) -> str:
    return QCoreApplication.translate("Evaluation", text)


def metric_sentence(key: str, measure: Measure) -> str:
    """What a metric of that key and value says.

    Parameters
    ----------
    key : str
        As in ``Evaluation.metrics``.
    measure : Measure
    """
    share = number(100 * measure.value, 3) if 0.0 < measure.value < 1.0 else f"{100 * measure.value:.0f}"
    name, _, part = key.rpartition("_")
    if name == "frr":
        text = tr("Finding {part} % of the defective parts costs {share} % of the good ones.")
        return text.format(part=part, share=share)
    if name == "aupro":
        text = tr(
            "While at most {part} % of the good points are marked in error, {share} % of a defect is marked on average."
        )
        return text.format(part=part, share=share)
    texts = {
        "o_auroc": tr("Of a defective and a good part, the defective one scores higher in {share} % of all pairs."),
        "o_aupr": tr("Over all thresholds, {share} % of the rejected parts are defective on average."),
        "f1_max": tr(
            "The best balance of finding and not accusing that any part threshold has on these very parts: a bound, "
            "not a promise."
        ),
        "p_auroc": tr("Of a defective and a good point, the defective one scores higher in {share} % of all pairs."),
        "p_aupr": tr("Over all thresholds, {share} % of the marked points are defective on average."),
    }
    return texts[key].format(share=share)


def confusion_sentences(confusion: Confusion) -> list[str]:
    """What the verdicts at a threshold mean, with how sure that is."""
    lines = []
    if confusion.false_rejects.of:
        lines.append(
            tr("{rate} good parts rejected by mistake: {low} to {high} % of such parts.").format(
                **_rate(confusion.false_rejects)
            )
        )
    if confusion.misses.of:
        lines.append(
            tr("{rate} defective parts accepted: {low} to {high} % of such parts.").format(**_rate(confusion.misses))
        )
    reviews = confusion.good[Verdict.REVIEW] + confusion.defective[Verdict.REVIEW]
    if reviews:
        lines.append(tr("{n} of {of} parts are put before a person.").format(n=reviews, of=confusion.reviews.of))
    return lines


def _rate(rate: Rate) -> dict[str, str]:
    return {
        "rate": tr("{n} of {of}").format(n=rate.count, of=rate.of),
        "low": f"{100 * rate.low:.0f}",
        "high": f"{100 * rate.high:.0f}",
    }


def split_title(split: Split) -> str:
    """What a split is called."""
    return {"train": tr("Training scans"), "validation": tr("Validation scans"), "test": tr("Test scans")}[split]


def split_state(category: Category, split: Split) -> tuple[str, str, bool]:
    """What evaluating a split would measure.

    Returns
    -------
    text, role : str
        What there is, and the label's role.
    possible : bool
        Whether there is something to measure.
    """
    entries = category.split(split)
    good = sum(not entry.defect for entry in entries)
    if not entries:
        text = tr(
            "There are no {split} here. Put good parts into {folder}/good and defective ones beside it, a folder for "
            "each kind of defect."
        )
        return text.format(split=split_title(split).lower(), folder=split), "problem", False
    if good == len(entries):
        text = tr(
            "{n} good parts and no defective ones: only false rejects can be measured. For more, put defective parts "
            "into {folder}, a folder for each kind of defect."
        )
        return text.format(n=good, folder=split), "warning", True
    if good == 0:
        text = tr(
            "{n} defective parts and no good ones: nothing could be rejected by mistake, so nothing can be measured. "
            "Put good parts into {folder}/good, other ones than the model was trained on."
        )
        return text.format(n=len(entries), folder=split), "problem", False
    kinds: dict[str, int] = {}
    for entry in entries:
        if entry.defect:
            kinds[entry.defect] = kinds.get(entry.defect, 0) + 1
    text = tr("{good} good and {bad} defective parts: {kinds}.").format(
        good=good, bad=len(entries) - good, kinds=", ".join(f"{count} {kind}" for kind, count in kinds.items())
    )
    if split == "train":
        text += " " + tr("Models are trained on these: figures on scans that the model knows mean little.")
        return text, "warning", True
    if split == "validation":
        text += " " + tr("Thresholds are calibrated on these: verdicts on them flatter.")
        return text, "warning", True
    return text, "", True
