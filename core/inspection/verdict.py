"""The verdict on a part, and the inspection that holds it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite

from core.inspection.defects import DefectFinder, Defects
from core.inspection.thresholds import Thresholds
from core.scan import Scan
from core.scores import Scores


class Verdict(StrEnum):
    """What becomes of a part."""

    ACCEPT = "accept"
    REVIEW = "review"
    REJECT = "reject"


def decide(object_score: float, thresholds: Thresholds) -> Verdict:
    """The verdict for an object score.

    The rule has the form of ISO 14253-1, with the guard band g in the place of the measuring uncertainty and the part
    threshold t in the place of the tolerance limit:

    - accept where the score is at most t - g: good beyond doubt about the threshold;
    - reject where the score is above t + g: bad beyond doubt about the threshold;
    - review between them, and where the score is not a number: a person decides.

    Only the object score decides. Marked points and defects show where to look; a part with a defect may be accepted,
    because the false-reject budget is a promise about the object score and the point threshold has a budget of its own.
    """
    if not isfinite(object_score):
        return Verdict.REJECT if object_score == float("inf") else Verdict.REVIEW
    if object_score > thresholds.part + thresholds.guard:
        return Verdict.REJECT
    return Verdict.ACCEPT if object_score <= thresholds.part - thresholds.guard else Verdict.REVIEW


@dataclass(frozen=True, eq=False)
class Inspection:
    """A judged scan.

    Attributes
    ----------
    scan : Scan
    scores : Scores
    thresholds : Thresholds
    defects : Defects
        Mask, defect ids and the measured defects.
    verdict : Verdict
    model_name : str
        The model that judged; empty if unknown.
    seconds : float
        How long scoring took, 0 if unknown.
    lacking : str
        What the scan lacked of what the model was trained with, such as "no RGB image": it was judged in the model's
        reduced mode, by that mode's thresholds. Empty where it lacked nothing.
    finder : DefectFinder
        Kept so that other thresholds cost nothing.
    """

    scan: Scan
    scores: Scores
    thresholds: Thresholds
    defects: Defects
    verdict: Verdict
    model_name: str = ""
    seconds: float = 0.0
    lacking: str = ""
    finder: DefectFinder = field(repr=False, kw_only=True)

    @property
    def chunk_verdicts(self) -> tuple[Verdict, ...]:
        """The verdict on each chunk of a long scan, which is judged as a part is; empty where there are none."""
        chunks = self.scores.chunks
        return () if chunks is None else tuple(decide(float(score), self.thresholds) for score in chunks.scores)

    def rethresholded(self, thresholds: Thresholds) -> Inspection:
        """The same scores judged by other thresholds; nothing is recomputed but the cut."""
        return replace(
            self,
            thresholds=thresholds,
            defects=self.finder.find(thresholds),
            verdict=decide(self.scores.object, thresholds),
        )


def judge(
    scan: Scan,
    scores: Scores,
    thresholds: Thresholds,
    finder: DefectFinder | None = None,
    *,
    model_name: str = "",
    seconds: float = 0.0,
    lacking: str = "",
) -> Inspection:
    """Mask, defects and verdict for scored points.

    Parameters
    ----------
    scan, scores : Scan, Scores
        Of the same N points.
    thresholds : Thresholds
    finder : DefectFinder, optional
        Made for this scan and these scores; made here if not given (the only slow step).
    model_name, seconds, lacking : str, float, str
        Noted in the inspection.
    """
    finder = finder or DefectFinder(scan, scores)
    return Inspection(
        scan=scan,
        scores=scores,
        thresholds=thresholds,
        defects=finder.find(thresholds),
        verdict=decide(scores.object, thresholds),
        model_name=model_name,
        seconds=seconds,
        lacking=lacking,
        finder=finder,
    )
