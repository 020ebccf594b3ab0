"""Calibration: where the thresholds come from, and how far they can be trusted.

The part threshold is the split-conformal quantile (Vovk, Gammerman, Shafer: *Algorithmic Learning in a Random World*,
2005, ch. 4; Lei et al.: *Distribution-free predictive inference for regression*, JASA 2018, eq. 4): of n good object
scores it is the k-th smallest, k = ceil((n + 1) (1 - a)). If the scores of these parts and of a new good part are
exchangeable, the new part lies above it with probability at most a, whatever the distribution. If k > n, then n parts
cannot support the budget a: no finite threshold has the property.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from math import ceil
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

from core.errors import CategoryError, ConfigError
from core.inspection.held_out import HeldOut
from core.inspection.outstanding import Outstanding, outstanding
from core.inspection.thresholds import Thresholds
from core.scan import Scan
from core.scores import Scores

_SAMPLE = 100_000
"""Most good points' scores that a calibration keeps."""
_RANKS = np.unique(np.round(np.concatenate([np.arange(1, 11), np.geomspace(10, 100_000, 61)])).astype(np.int64))
"""Of each good part the 1st, 2nd, ... highest point scores that are kept: every rank to 10, then 15 a decade."""
_ROUNDING = 1e-9  # keeps (n + 1)(1 - a) that is whole in decimals from being rounded up to the next whole number


@dataclass(frozen=True, eq=False)
class Calibration:
    """Thresholds, and the good parts' scores that they come from.

    Attributes
    ----------
    part_scores : (n,) float64
        Object scores of good parts that the model was not fitted on, ascending, raw.
    point_sample : (s,) float32
        Sorted sample of those parts' point scores, the same number from each part, s at most 100,000.
    part_points : (n, q) float32
        For each part its ``point_ranks``-th highest point scores; -inf where it has fewer points.
    point_ranks : (q,) int64
    part_budget, point_budget : float
        Share of good parts that may be rejected; share of good points that may be marked.
    part_threshold, point_threshold, guard : float
    best_f1_point : float or None
        The point threshold of the highest F1 on labelled defects, where there were any.
    supported : bool
        Whether n good parts can support ``part_budget``.
    method : str
        How the good scores were held out: "held-out", "cross-fitted, 5 folds", "validation split".
    note : str
        What this calibration is worth, in plain words.
    map_scales : mapping of str to (float, float)
        Of each map of kind ``score``, by its key: the median over the good points, and the value that ``point_budget``
        of them exceed, so that maps of different measures can be held against each other.
    held_out : HeldOut or None
        The good parts' scores part by part and place by place, for combining models; None where they are not known.
    """

    part_scores: NDArray[np.float64]
    point_sample: NDArray[np.float32]
    part_points: NDArray[np.float32]
    point_ranks: NDArray[np.int64]
    part_budget: float
    point_budget: float
    part_threshold: float
    point_threshold: float
    guard: float
    best_f1_point: float | None
    supported: bool
    method: str
    note: str
    map_scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    held_out: HeldOut | None = None

    def thresholds(self) -> Thresholds:
        """The calibrated thresholds, with no limit on a defect's size but the default."""
        return Thresholds(point=self.point_threshold, part=self.part_threshold, guard=self.guard)

    @property
    def outstanding(self) -> Outstanding | None:
        """The good part that alone sets the part threshold, far above the others, where there is one."""
        found = outstanding(self.held_out)
        return found if found is not None and self.part_threshold >= found.score else None

    @property
    def sound(self) -> bool:
        """Whether the parts support the budget and none of them stands out."""
        return self.supported and self.outstanding is None

    @property
    def advice(self) -> str:
        """The note, and what to look at."""
        doubt = self.outstanding
        return self.note if doubt is None else f"{self.note} {doubt.said}"

    def rejected(self, part_threshold: float) -> int:
        """How many of the good parts would lie above a part threshold."""
        return int(len(self.part_scores) - np.searchsorted(self.part_scores, part_threshold, side="right"))

    def reviewed(self, thresholds: Thresholds) -> int:
        """How many of the good parts would be put to review."""
        low, high = thresholds.part - thresholds.guard, thresholds.part + thresholds.guard
        return int(((self.part_scores > low) & (self.part_scores <= high)).sum())

    def marked_share(self, point_threshold: float) -> float:
        """Share of good points above a point threshold, each part counting the same."""
        above = len(self.point_sample) - np.searchsorted(self.point_sample, point_threshold, side="right")
        return float(above / len(self.point_sample))

    def marked_parts(self, point_threshold: float, min_points: int = 10) -> int:
        """How many of the good parts have at least ``min_points`` points above a point threshold.

        Exact where ``min_points`` is one of ``point_ranks`` (all up to 10), else for the next rank below. A part
        shows a defect only if such points are also connected, so this is the most that could show one.
        """
        column = max(0, int(np.searchsorted(self.point_ranks, min_points, side="right")) - 1)
        return int((self.part_points[:, column] > point_threshold).sum())

    def rebudgeted(self, part_budget: float | None = None, point_budget: float | None = None) -> Self:
        """The calibration for other budgets, from the scores that are kept.

        Raises
        ------
        ConfigError
            If a budget is not a share between 0 and 1.
        """
        part = self.part_budget if part_budget is None else _share(part_budget, "part_budget")
        changes: dict[str, Any] = _part_rule(self.part_scores, part, self.method)
        if point_budget is not None:
            changes["point_budget"] = _share(point_budget, "point_budget")
            changes["point_threshold"] = _quantile_above([self.point_sample], point_budget)
        return replace(self, part_budget=part, **changes)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything as plain arrays."""
        best = np.nan if self.best_f1_point is None else self.best_f1_point
        state = {name: np.asarray(best if name == "best_f1_point" else getattr(self, name)) for name in _FIELDS}
        state |= {f"{_SCALES}/{key}": np.array(scale) for key, scale in self.map_scales.items()}
        return state | (self.held_out.state() if self.held_out is not None else {})

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Calibration:
        """The calibration that ``state`` gave.

        Raises
        ------
        KeyError
            If a field is missing.
        """
        values: dict[str, Any] = {}
        for name in _FIELDS:
            array = np.asarray(state[name])
            values[name] = array if array.ndim else array.item()
            if isinstance(values[name], bytes):
                values[name] = values[name].decode()
        if not np.isfinite(values["best_f1_point"]):
            values["best_f1_point"] = None
        scales = {  # none in models of before they were kept
            key.removeprefix(f"{_SCALES}/"): (float(scale[0]), float(scale[1]))
            for key, scale in state.items()
            if key.startswith(f"{_SCALES}/")
        }
        return cls(**values, map_scales=scales, held_out=HeldOut.from_state(state))


_SCALES = "map_scales"
_FIELDS = tuple(name for name in Calibration.__dataclass_fields__ if name not in (_SCALES, "held_out"))


def calibrate(
    good: Sequence[Scores],
    *,
    part_budget: float = 0.05,
    point_budget: float = 0.001,
    method: str = "held-out",
    labelled: Sequence[tuple[Scores, ArrayLike]] = (),
    scans: Sequence[Scan] = (),
) -> Calibration:
    """Thresholds from the scores of good parts that the model was not fitted on.

    The part threshold is the conformal quantile for ``part_budget``. Where the parts are too few for the budget it is
    the highest good score, the lowest threshold that rejects none of them, and the note says which rate that supports.
    The guard band is one standard error of the threshold over repeated draws of n good parts (``threshold_error``).
    The point threshold is the lowest score that leaves at most ``point_budget`` of the good points above it, each part
    counting the same, whatever its number of points.

    Parameters
    ----------
    good : sequence of Scores
        One a part. Points that are not judged (NaN) are left out.
    part_budget, point_budget : float
        Shares, above 0 and below 1.
    method : str
        How these scores were held out, for the user.
    labelled : sequence of (Scores, (N,) bool)
        Scans with ground truth, for the F1-best point threshold.
    scans : sequence of Scan
        The scans of ``good``, in order; without them the model cannot be combined with others.

    Raises
    ------
    CategoryError
        If no good scan has a score.
    ConfigError
        If a budget is not a share between 0 and 1.
    """
    _share(part_budget, "part_budget")
    _share(point_budget, "point_budget")
    fit_for_use = [bool(np.isfinite(scores.object) and scores.judged.any()) for scores in good]
    usable = list(compress(good, fit_for_use))
    if not usable:
        raise CategoryError(
            "There is no good scan with a score to set the thresholds by",
            "Add good scans to the category, or keep some out of the fit",
        )
    part_scores = np.sort(np.array([scores.object for scores in usable], dtype=np.float64))
    points = [np.sort(scores.points[scores.judged]) for scores in usable]
    each = max(1, _SAMPLE // len(points))
    return Calibration(
        part_scores=part_scores,
        point_sample=np.sort(np.concatenate([_evenly(p, each) for p in points])),
        part_points=np.stack([_highest(p) for p in points]),
        point_ranks=_RANKS,
        part_budget=part_budget,
        point_budget=point_budget,
        point_threshold=_quantile_above(points, point_budget),
        best_f1_point=_pooled_f1(labelled),
        method=method,
        map_scales=_map_scales(usable, point_budget),
        held_out=HeldOut.of(list(compress(scans, fit_for_use)), usable) if scans else None,
        **_part_rule(part_scores, part_budget, method),
    )


def conformal_rank(count: int, budget: float) -> int:
    """k = ceil((n + 1)(1 - a)): the k-th smallest of n good scores is the threshold; above n if n cannot support a."""
    return max(1, ceil((count + 1) * (1 - budget) - _ROUNDING))


def threshold_error(ordered: NDArray[Any], rank: int) -> float:
    """Standard error of the ``rank``-th smallest of n values over repeated draws.

    The exact bootstrap (the limit of infinitely many resamples, so nothing is drawn): the r-th smallest of a resample
    is the i-th smallest value with probability B(i/n) - B((i-1)/n), B the distribution function of Beta(r, n - r + 1)
    (Hutson and Ernst: *The exact bootstrap mean and variance of an L-estimator*, JRSS B 2000, eq. 2.2).

    Parameters
    ----------
    ordered : (n,) floating, ascending
    rank : int
        1 to n.
    """
    count = len(ordered)
    weights = np.diff(beta.cdf(np.arange(count + 1) / count, rank, count - rank + 1))
    centred = np.asarray(ordered, np.float64) - ordered[rank - 1]
    mean = float(weights @ centred)
    return float(np.sqrt(max(0.0, float(weights @ centred**2) - mean**2)))


def best_f1_threshold(scores: NDArray[np.float32], labels: NDArray[np.bool_]) -> float | None:
    """The threshold t for which ``score > t`` has the highest F1 against ``labels``; None without a labelled defect.

    Exact over all distinct scores: t is the highest score that is left unmarked (so it is a float32, and comparing in
    float32 is exact). Of equally good ones the highest.

    Parameters
    ----------
    scores : (N,) float32, finite
    labels : (N,) bool
    """
    positives = int(labels.sum())
    if positives == 0:
        return None
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    hits = np.cumsum(labels[order])
    last = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], True))  # the last point of each distinct score
    f1 = 2 * hits[last] / (positives + last + 1)  # 2 TP / (P + TP + FP)
    best = int(last[np.argmax(f1)])
    if best + 1 < len(ordered):
        return float(ordered[best + 1])
    return float(np.nextafter(ordered[-1], np.float32(-np.inf)))


def _part_rule(ordered: NDArray[np.float64], budget: float, method: str) -> dict[str, Any]:
    """Part threshold, guard, whether the budget is supported, and the note."""
    count = len(ordered)
    rank = conformal_rank(count, budget)
    supported = rank <= count
    used = min(rank, count)
    parts = f"{count} good part{'s' if count != 1 else ''}"
    if supported:
        note = (
            f"{parts} ({method}) support the false-reject rate of {_percent(budget)}: about {_percent(budget)} of "
            f"good parts or fewer lie above the part threshold, if they come from the same production as these"
        )
    else:
        needed = ceil(1 / budget - 1 - _ROUNDING)
        note = (
            f"{parts} ({method}) can support at best a false-reject rate of {_percent(1 / (count + 1))}, asked "
            f"{_percent(budget)}: the part threshold is their highest score. {needed} good parts would support it"
        )
    return {
        "part_threshold": float(ordered[used - 1]),
        "guard": threshold_error(ordered, used),
        "supported": supported,
        "note": note + ".",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _share(value: float, name: str) -> float:
    if not 0 < value < 1:
        raise ConfigError(f"{name} = {value!r} cannot be used", f"Give {name} a share above 0 and below 1")
    return value


def _quantile_above(points: Sequence[NDArray[np.float32]], budget: float) -> float:
    """The lowest score with at most ``budget`` of all points above it, each part counting the same."""
    values = np.concatenate(points)
    weights = np.concatenate([np.full(len(p), 1 / (len(p) * len(points))) for p in points])
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    above = 1.0 - np.cumsum(weights)
    last = np.append(values[1:] > values[:-1], True)  # of equal scores only the last has none of them above
    return float(values[np.flatnonzero(last & (above <= budget + _ROUNDING))[0]])


def _map_scales(good: Sequence[Scores], budget: float) -> dict[str, tuple[float, float]]:
    """For each map of kind ``score`` the values that half of the good points, and ``budget`` of them, exceed."""
    scales = {}
    for key in [key for key, shown in good[0].maps.items() if shown.kind == "score"]:
        values = [scores.maps[key].values for scores in good if key in scores.maps]
        known = [v[np.isfinite(v)] for v in values]
        known = [v for v in known if len(v)]
        if known:
            low, high = _quantile_above(known, 0.5), _quantile_above(known, budget)
            if high > low:
                scales[key] = (low, high)
    return scales


def _evenly(ordered: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(count,) values at evenly spread ranks of sorted values."""
    return ordered[((np.arange(count) + 0.5) / count * len(ordered)).astype(np.int64)]


def _highest(ordered: NDArray[np.float32]) -> NDArray[np.float32]:
    """(q,) the ``_RANKS``-th highest of ascending values, -inf beyond their number."""
    padded = np.append(ordered, np.float32(-np.inf))  # index -1 holds -inf
    return padded[np.where(len(ordered) >= _RANKS, len(ordered) - _RANKS, -1)]


def _pooled_f1(labelled: Sequence[tuple[Scores, ArrayLike]]) -> float | None:
    """The F1-best threshold over the judged points of all labelled scans."""
    if not labelled:
        return None
    scores = np.concatenate([s.points[s.judged] for s, _ in labelled])
    labels = np.concatenate([np.asarray(truth, dtype=np.bool_)[s.judged] for s, truth in labelled])
    return best_f1_threshold(scores, labels)
