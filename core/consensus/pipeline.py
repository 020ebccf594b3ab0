"""The consensus: several models of a category judge a scan, and their surprises become one judgement."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, isfinite, log10
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.consensus.maps import disagreement, surprise_map, taken_over, who_flags
from core.consensus.members import Jury, Member
from core.consensus.weights import validated_weights
from core.errors import ConfigError, NominalError
from core.inspection.calibration import Calibration, calibrate
from core.inspection.conformal import COMBINATIONS, Combine, part_grid, part_score
from core.inspection.point_surprise import PointSurprise
from core.pipelines.base import Pipeline
from core.pipelines.config import Config, setting
from core.pipelines.explanation import Explanation
from core.pipelines.state import below, joined
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores
from core.store.validation_score import ValidationScore

_MEMBERS = "members"


@dataclass(frozen=True)
class ConsensusConfig(Config):
    """How the members' surprises become one."""

    combination: Literal["fisher", "harmonic"] = setting(
        "fisher",
        "How p-values are combined: fisher asks for agreement, harmonic follows whoever is surest",
        choices=("fisher", "harmonic"),
    )
    weighing: Literal["validation", "equal"] = setting(
        "validation",
        "What a model counts: by how well it tells the defects of validation parts, where every model was measured on "
        "the same ones, or all the same",
        choices=("validation", "equal"),
    )
    flag_share: float = setting(
        0.001, "Share of good points that each member alone flags in the maps", unit="share", low=1e-5, high=0.5
    )


class ConsensusPipeline(Pipeline):
    """Members and how they vote. It is made of fitted models, not fitted itself."""

    id = "consensus"
    title = "Consensus"
    paper = "Several models by weighted conformal p-values, calibrated together on good parts that none was fitted on"
    summary = "Asks several models of a category and combines what they find surprising; shows who flags what."
    min_scans = 2
    explains = True
    Config = ConsensusConfig

    def __init__(self, config: ConsensusConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._jury: Jury | None = None
        self._laws: dict[tuple[int, ...], PointSurprise] = {}
        self._last: tuple[weakref.ref[Scan], NDArray[np.float32]] | None = None

    @classmethod
    def of(cls, members: Sequence[Member], config: ConsensusConfig, runtime: Runtime) -> ConsensusPipeline:
        """A consensus of these members, which run in this order.

        Raises
        ------
        ModelError
            If they do not fit together.
        """
        made = cls(config, runtime)
        made._jury = Jury.of(members)
        return made

    @property
    def jury(self) -> Jury:
        """The members.

        Raises
        ------
        ConfigError
            If there are none.
        """
        if self._jury is None:
            raise ConfigError("This consensus has no members", "Combine trained models of one category")
        return self._jury

    @property
    def member_weights(self) -> NDArray[np.float64] | None:
        """(m,) what each member counts, of the sum 1; None where all count the same."""
        if self.config.weighing == "equal":
            return None
        cards = [member.card for member in self.jury.members]
        return validated_weights([ValidationScore.from_mapping(card.validation) for card in cards])

    @property
    def weighing_said(self) -> str:
        """What each member counts, for people."""
        weights = self.member_weights
        if weights is None:
            unlike = self.config.weighing == "validation"
            return "All count the same" + (
                ", as not all were measured on the same validation parts." if unlike else "."
            )
        shares = ", ".join(f"{title} {share:.0%}" for title, share in zip(self.jury.titles, weights, strict=True))
        return f"They count by how well they tell defects of validation parts: {shares}."

    @property
    def members_named(self) -> str:
        """What it is a consensus of, in a few words."""
        members = self.jury.members
        names = [member.pipeline.title for member in members]
        if len(set(names)) < len(names):
            names = list(self.jury.titles)
        return f"Consensus of {', '.join(names)}" if len(names) <= 4 else f"Consensus of {len(names)} models"

    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        """Refused: its members are fitted.

        Raises
        ------
        ConfigError
        """
        raise ConfigError("A consensus is not trained", "Train models of the category, then combine them")

    def score(self, scan: Scan, progress: Progress) -> Scores:
        """What the members make of a scan together, on the scale of -log10 p.

        A member that cannot judge the scan is left out, and the notes say so: the others' combination is calibrated
        without it, so that what is promised of good parts still holds.

        Raises
        ------
        NominalError
            If no member can judge it: what the first one said.
        Cancelled
        """
        return self.score_knowing(scan, {}, progress)

    def score_knowing(self, scan: Scan, known: Mapping[int, Scores], progress: Progress) -> Scores:
        """``score`` where some members' scores are at hand already: ``known``, by their places in the jury."""
        jury = self.jury
        said: dict[int, Scores] = {}
        refused: dict[int, NominalError] = {}
        count = len(jury.members)
        for m, member in enumerate(jury.members):
            share = 0.95 / count
            step = progress.part(m * share, (m + 1) * share, f"{jury.titles[m]} ({m + 1} of {count})")
            step.update(0.0, "")
            try:
                said[m] = known[m] if m in known else member.pipeline.score(scan, step)
            except NominalError as error:
                refused[m] = error
        if not said:
            raise refused[0]
        progress.update(0.95, "Combining")
        scores, surprises = self._combined(said, refused)
        self._last = (weakref.ref(scan), surprises)
        progress.update(1.0, "Done")
        return scores

    def _combined(
        self, said: Mapping[int, Scores], refused: Mapping[int, NominalError]
    ) -> tuple[Scores, NDArray[np.float32]]:
        """The judgement, and the (N, m) surprise of each member; NaN throughout for those that are left out."""
        jury, present = self.jury, tuple(said)
        titles = [jury.titles[m] for m in present]
        single, combined = self._law(present)(np.stack([s.points for s in said.values()], axis=1))
        maps = who_flags(single, titles, -log10(self.config.flag_share))
        if len(present) > 1:
            maps["disagreement"] = disagreement(single)
        for m, own in zip(present, single.T, strict=True):
            maps[f"{jury.keys[m]}_surprise"] = surprise_map(jury.titles[m], own)
        for m in present:
            maps |= taken_over(said[m], jury.titles[m], jury.keys[m])
        surprises = np.full((len(combined), len(jury.members)), np.nan, np.float32)
        surprises[:, present] = single
        made = Scores(
            combined,
            self.part_together({m: float(s.object) for m, s in said.items()}),
            maps,
            reconstruction=next((s.reconstruction for s in said.values() if s.reconstruction is not None), None),
            notes=tuple(self._notes(said, refused)),
        )
        return made, surprises

    def part_together(self, said: Mapping[int, float]) -> float:
        """The object score from what the members say of the part as a whole; NaN where none has a finite one."""
        known = {m: value for m, value in said.items() if isfinite(value)}
        if not known:
            return float("nan")
        values = np.array(list(known.values()))
        return part_score(self.jury.parts.scores[:, list(known)], values, self._combine(tuple(known)))

    def _notes(self, said: Mapping[int, Scores], refused: Mapping[int, NominalError]) -> list[str]:
        titles = self.jury.titles
        notes = [f"{titles[m]} could not judge this scan and has no vote. {error}" for m, error in refused.items()]
        notes += [
            f"{titles[m]} gave the part no score, only its points." for m, s in said.items() if np.isnan(s.object)
        ]
        notes += [f"{titles[m]}: {note}" for m, s in said.items() for note in s.notes]
        if len(said) == 1:
            notes.append(f"The judgement is {titles[next(iter(said))]}'s alone.")
        return notes

    def _combine(self, present: tuple[int, ...]) -> Combine:
        """How the surprises of these members become one."""
        weights = self.member_weights
        return partial(
            COMBINATIONS[self.config.combination], weights=None if weights is None else weights[list(present)]
        )

    def _law(self, present: tuple[int, ...]) -> PointSurprise:
        """The law of good points for these members, worked out once."""
        if present not in self._laws:
            self._laws[present] = PointSurprise.of(self.jury.parts.points[:, :, present], self._combine(present))
        return self._laws[present]

    def calibration(self, part_budget: float, point_budget: float) -> Calibration:
        """Thresholds from the members' good parts: none of their scans is looked at again.

        The good parts' own scores are those that their ranks stand for (``part_grid``).
        """
        parts = self.jury.parts
        law = self._law(tuple(range(len(self.jury.members))))
        names = [f"{key}_surprise" for key in self.jury.keys]
        good = []
        for combined, single, value in zip(law.good_combined, law.good, part_grid(len(parts)), strict=True):
            maps = {name: surprise_map(name, own) for name, own in zip(names, single.T, strict=True)}
            good.append(Scores(combined, float(value), maps | {"disagreement": disagreement(single)}))
        weighed = "" if self.member_weights is None else ", weighed by validation parts"
        found = calibrate(
            good,
            part_budget=part_budget,
            point_budget=point_budget,
            method=f"held out by all {len(self.jury.members)} models, each compared with the others{weighed}",
        )
        highest = _highest(law.good_combined, parts.sizes, found.point_ranks)
        return dataclasses.replace(found, part_points=highest)

    def explain(self, scan: Scan, point: int, progress: Progress) -> Explanation | None:
        """The good surface of the member that is most surprised at this point, of those that compare with one."""
        jury = self.jury
        order = [m for m, member in enumerate(jury.members) if member.pipeline.explains]
        if self._last is not None and self._last[0]() is scan:
            surprises = self._last[1][point]
            order.sort(key=lambda m: -np.nan_to_num(surprises[m], nan=-1.0))
        for m in order:
            found = jury.members[m].pipeline.explain(scan, point, progress)
            if found is not None:
                return replace(found, title=f"{jury.titles[m]}: {found.title}")
        return None

    @property
    def weights(self) -> Mapping[str, str]:
        return {name: sha for member in self.jury.members for name, sha in member.pipeline.weights.items()}

    def state(self) -> dict[str, NDArray[Any]]:
        return joined({f"{_MEMBERS}/{m:02}": member.state() for m, member in enumerate(self.jury.members)})

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        members = below(state, _MEMBERS)
        groups = sorted({name.split("/")[0] for name in members})
        self._laws.clear()
        self._jury = Jury.of([Member.from_state(below(members, group), self.runtime) for group in groups])


def _highest(points: NDArray[np.float32], sizes: NDArray[np.int64], ranks: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, q) about the ``ranks``-th highest score of each part, from the (n, k) that were kept of its ``sizes``.

    Of k out of N points the one of rank r in N is about that of rank r k / N, rounded up.
    """
    rows = []
    for kept, size in zip(points, sizes, strict=True):
        known = -np.sort(-kept[np.isfinite(kept)])
        share = min(1.0, len(kept) / size)
        at = np.array([ceil(rank * share) - 1 for rank in ranks])
        rows.append(np.append(known, np.float32(-np.inf))[np.minimum(at, len(known))])
    return np.stack(rows)
