"""How large the good parts of a category are: a scan of another size is in another unit, or shows another part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError

_RANGE = 2.5
"""How many times larger or smaller a scan may be."""


@dataclass(frozen=True)
class UsualSize:
    """The median diagonal of the good parts' bounding boxes.

    Attributes
    ----------
    diagonal : float
        Above 0.
    unit : str
        Of it, for errors.
    """

    diagonal: float
    unit: str

    @classmethod
    def of(cls, parts: Sequence[NDArray[np.float32]], unit: str) -> UsualSize:
        """Of good parts (M, 3).

        Raises
        ------
        ScanError
            If they have no extent.
        """
        diagonal = float(np.median([_diagonal(part) for part in parts]))
        if not diagonal > 0:
            raise ScanError("The good scans have no extent", "Check the files")
        return cls(diagonal, unit)

    def check(self, part: NDArray[np.float32], name: object) -> None:
        """Refuse a part (M, 3) of another size.

        Parameters
        ----------
        name : str or Path
            What the error calls the scan.

        Raises
        ------
        ScanError
        """
        diagonal = _diagonal(part)
        if not self.diagonal / _RANGE <= diagonal <= self.diagonal * _RANGE:
            raise ScanError(
                f"Scan {name} measures {diagonal:.4g} {self.unit} across, the good parts "
                f"{self.diagonal:.4g} {self.unit}",
                "Check the unit of the scan, and that it shows this part",
            )


def _diagonal(points: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0))) if len(points) else 0.0
