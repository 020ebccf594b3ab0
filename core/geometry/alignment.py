"""How the scans of a category are laid on one another: decided once, on the good ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import RegistrationError
from core.geometry.registration import Reference, needs_any_pose, register, register_near
from core.progress import Progress

Floats = NDArray[np.float32]

_GOOD_FIT = 0.8
"""Share of a scan that must lie on the reference for a category to be judged alignable."""
_POOR_FIT = 0.3
"""Share below which a good scan is on no pose at all."""


def fullest(clouds: Sequence[Floats]) -> int:
    """The number of the cloud with the most points: it shows most of the part, so most others can be laid on it."""
    return int(np.argmax([len(cloud) for cloud in clouds]))


@dataclass(frozen=True, eq=False)
class CommonPose:
    """Where the scans of a category are brought to.

    Attributes
    ----------
    reference : Reference, or None where scans stay as they lie
    any_pose : bool
        Whether a scan may lie in any pose, or near the reference's.
    seed : int
    """

    reference: Reference | None
    any_pose: bool
    seed: int

    @classmethod
    def learn(
        cls, clouds: Sequence[Floats], mode: str, seed: int, progress: Progress
    ) -> tuple[CommonPose, list[NDArray[np.float64]]]:
        """Decide for a category; gives also the (4, 4) transforms of its good scans.

        Parameters
        ----------
        clouds : sequence of (N, 3) float32
            Good scans without their background, thinned alike.
        mode : str
            ``none``; ``any``, from any pose; or ``auto``, where the good scans can be laid on each other well, from any
            pose if they lie in many.

        Raises
        ------
        RegistrationError
            If ``mode`` is ``any`` and a good scan cannot be laid on the fullest.
        Cancelled
        """
        stay = cls(None, False, seed), [np.eye(4) for _ in clouds]
        if mode == "none" or len(clouds) < 2:
            return stay
        reference = Reference(clouds[fullest(clouds)])
        progress.update(0.0, "finding out how the parts lie")
        any_pose = mode == "any" or needs_any_pose(clouds, reference, seed)
        transforms, fits = [], []
        for cloud in progress.over(clouds, "{i} of {n}"):
            try:
                found = register(cloud, reference, any_pose=any_pose, seed=seed, min_fitness=_POOR_FIT)
            except RegistrationError:
                if mode == "auto":
                    return stay
                raise
            transforms.append(found.transform)
            fits.append(found.fitness)
        if mode == "auto" and np.median(fits) < _GOOD_FIT:
            return stay
        return cls(reference, any_pose, seed), transforms

    def find(self, cloud: Floats, name: object) -> NDArray[np.float64]:
        """The (4, 4) transform of a scan; one that does not lie as the good scans did is searched in any pose.

        Parameters
        ----------
        cloud : (N, 3) float32
            Thinned as the good scans were.
        name : str or Path
            What errors call the scan.

        Raises
        ------
        RegistrationError
            If it lies in no pose.
        """
        if self.reference is None:
            return np.eye(4)
        try:
            if self.any_pose:
                return register(cloud, self.reference, any_pose=True, seed=self.seed).transform
            return register_near(cloud, self.reference, seed=self.seed).transform
        except RegistrationError as error:
            raise RegistrationError(f"Scan {name}: {error.problem}", error.remedy) from error

    def state(self) -> dict[str, NDArray[Any]]:
        """As plain arrays."""
        state: dict[str, NDArray[Any]] = {
            "any_pose": np.array(self.any_pose),
            "seed": np.array(self.seed, np.int64),
        }
        if self.reference is not None:
            state |= {f"reference/{key}": value for key, value in self.reference.state().items()}
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> CommonPose:
        """What ``state`` gave, which may lie among other keys."""
        prefix = "reference/"
        reference = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        return cls(Reference.from_state(reference) if reference else None, bool(state["any_pose"]), int(state["seed"]))
