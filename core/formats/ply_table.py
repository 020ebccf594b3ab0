"""The records of one PLY element, as the bodies' readers give them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError
from core.formats.ply_header import DAMAGED, Element


@dataclass
class Table:
    """An element's records: plain properties by name, lists as (lengths (N,), all values in order)."""

    plain: dict[str, NDArray[Any]]
    lists: dict[str, tuple[NDArray[np.int64], NDArray[Any]]]


def short(path: Path, element: Element, held: int) -> ScanError:
    """The error for a body that ends after so many records."""
    return ScanError(
        f"{path} claims {element.count:,} {element.name} records but its body ends after {held:,}",
        DAMAGED,
    )
