"""What an evaluation found, as plain values that reports and the window show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.evaluation.curves import Curve
from core.evaluation.intervals import Measure, Rate, rate
from core.inspection.thresholds import Thresholds
from core.inspection.verdict import Verdict, decide
from core.store.model_file import ModelCard

GOOD = "good"

_TITLES = {
    "o_auroc": "O-AUROC",
    "o_aupr": "O-AUPR",
    "f1_max": "F1-max",
    "p_auroc": "P-AUROC",
    "p_aupr": "P-AUPR",
}


def metric_title(key: str) -> str:
    """What a metric is called: ``aupro_30`` is "AUPRO@30 %", ``frr_95`` "good rejected at 95 % recall"."""
    name, _, share = key.rpartition("_")
    if name == "aupro":
        return f"AUPRO@{share} %"
    if name == "frr":
        return f"good rejected at {share} % recall"
    return _TITLES[key]


def share_key(name: str, share: float) -> str:
    """The key of a metric at a share: ("aupro", 0.3) is ``aupro_30``."""
    return f"{name}_{100 * share:g}"


@dataclass(frozen=True)
class PartResult:
    """One scan of the evaluation.

    Attributes
    ----------
    key : str
        Its name in its split.
    path : Path
    defect : str
        Kind of defect; "" for a good part.
    score : float or None
        Object score; None if the scan could not be judged.
    verdict : Verdict or None
        At the evaluation's thresholds.
    seconds : float
        How long scoring took.
    points : int
    labelled : bool
        Whether it is known of each point if it is defective.
    error : str
        Why the scan could not be judged; empty if it was.
    lacking : str
        What it lacked of what the model was trained with, where that is why and the model has a mode without.
    notes : tuple of str
        What must be known before trusting its score.
    """

    key: str
    path: Path
    defect: str
    score: float | None = None
    verdict: Verdict | None = None
    seconds: float = 0.0
    points: int = 0
    labelled: bool = False
    error: str = ""
    lacking: str = ""
    notes: tuple[str, ...] = ()

    @property
    def defective(self) -> bool:
        return self.defect != ""

    @property
    def kind(self) -> str:
        """Kind of defect, "good" for a good part."""
        return self.defect or GOOD


@dataclass(frozen=True)
class Confusion:
    """How many good and how many defective parts get which verdict; parts that could not be judged are in neither.

    Attributes
    ----------
    good, defective : mapping of Verdict to int
    """

    good: Mapping[Verdict, int]
    defective: Mapping[Verdict, int]

    @property
    def false_rejects(self) -> Rate:
        """Good parts that are rejected."""
        return rate(self.good[Verdict.REJECT], sum(self.good.values()))

    @property
    def misses(self) -> Rate:
        """Defective parts that are accepted."""
        return rate(self.defective[Verdict.ACCEPT], sum(self.defective.values()))

    @property
    def reviews(self) -> Rate:
        """Parts that a person has to look at."""
        everything = sum(self.good.values()) + sum(self.defective.values())
        return rate(self.good[Verdict.REVIEW] + self.defective[Verdict.REVIEW], everything)


@dataclass(frozen=True)
class TypeResult:
    """One kind of defect, held against all good parts.

    Attributes
    ----------
    defect : str
    parts : int
        Judged ones.
    verdicts : mapping of Verdict to int
    metrics : mapping of str to Measure
    """

    defect: str
    parts: int
    verdicts: Mapping[Verdict, int]
    metrics: Mapping[str, Measure]


@dataclass(frozen=True)
class Published:
    """Point metrics as the published evaluation codes take them, to be held against published figures only.

    Every point or pixel counts, the background as good and below every score; the overlap is taken at few ranks.
    MVTec 3D-AD's figures are of maps of 224 x 224 pixels, these are of the scan's own resolution.

    Attributes
    ----------
    p_auroc, p_aupr : float
    aupro : mapping of (thresholds, limit) to float
        Empty for scans without a grid.
    """

    p_auroc: float
    p_aupr: float
    aupro: Mapping[tuple[int, float], float]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model held against scans of which it is known what is defective.

    Attributes
    ----------
    category, split, unit : str
    source : Path
        The category's folder.
    card : ModelCard
        Of the model.
    device : str
    created : str
        Local time with zone, ISO 8601.
    thresholds : Thresholds
    parts : tuple of PartResult
        In the category's order.
    metrics : mapping of str to Measure
        By key (``metric_title`` names them); what cannot be measured is missing. Those of points are over judged
        points, and defective points that were not judged count as missed.
    by_defect : tuple of TypeResult
    published : Published or None
        None where no defective point is known.
    curves : mapping of str to Curve
        "p_roc", "p_pr" and "overlap" of the points, thinned; those of parts follow from ``parts``.
    notes : tuple of str
        What to know before trusting the figures.
    reduced : bool
        Whether all scans were judged in the model's reduced mode, by shape alone; ``thresholds`` are of that mode.
    """

    category: str
    split: str
    unit: str
    source: Path
    card: ModelCard
    device: str
    created: str
    thresholds: Thresholds
    parts: tuple[PartResult, ...]
    metrics: Mapping[str, Measure]
    by_defect: tuple[TypeResult, ...] = ()
    published: Published | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reduced: bool = False

    @property
    def judged(self) -> tuple[PartResult, ...]:
        """The parts that have a score."""
        return tuple(part for part in self.parts if part.score is not None)

    @property
    def failures(self) -> tuple[PartResult, ...]:
        """The parts that could not be judged."""
        return tuple(part for part in self.parts if part.score is None)

    def confusion(self, thresholds: Thresholds | None = None) -> Confusion:
        """The verdicts at other thresholds, by default the evaluation's own."""
        at = thresholds or self.thresholds
        return Confusion(*(verdicts_of([p for p in self.judged if p.defective is bad], at) for bad in (False, True)))

    def at(self, thresholds: Thresholds) -> Evaluation:
        """The same scores with the verdicts of other thresholds; metrics and curves do not depend on them."""
        parts = tuple(p if p.score is None else replace(p, verdict=decide(p.score, thresholds)) for p in self.parts)
        kinds = tuple(
            replace(one, verdicts=verdicts_of([p for p in self.judged if p.defect == one.defect], thresholds))
            for one in self.by_defect
        )
        return replace(self, thresholds=thresholds, parts=parts, by_defect=kinds)

    def misses(self) -> tuple[PartResult, ...]:
        """The defective parts by object score, the lowest (worst missed) first."""
        return tuple(sorted((p for p in self.judged if p.defective), key=lambda p: p.score or 0.0))

    def false_alarms(self) -> tuple[PartResult, ...]:
        """The good parts by object score, the highest (worst accused) first."""
        return tuple(sorted((p for p in self.judged if not p.defective), key=lambda p: -(p.score or 0.0)))


def verdicts_of(parts: Sequence[PartResult], thresholds: Thresholds) -> dict[Verdict, int]:
    """How many of the parts get each verdict."""
    found = [decide(part.score, thresholds) for part in parts if part.score is not None]
    return {verdict: found.count(verdict) for verdict in Verdict}
