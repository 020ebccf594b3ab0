"""Rows of numbers in text, the body of every ASCII format."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ScanError


def read_table(
    path: Path, *, skip: int = 0, rows: int | None = None, columns: int | None = None, delimiter: str | None = None
) -> NDArray[np.float64]:
    """Rows of numbers from line ``skip + 1`` on.

    Parameters
    ----------
    skip : int
        Lines before the first row.
    rows : int, or None
        How many rows to read; None for all that follow. Fewer are an error.
    columns : int, or None
        How many numbers a row must hold; None for as many as the first.
    delimiter : str, or None
        None for blanks and tabs.

    Returns
    -------
    (rows, columns) float64

    Raises
    ------
    ScanError
        That names the line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "input contained no data" is the error below
            # Given a path, NumPy parses in C, in chunks: 2 M rows of 3 columns in 0.4 s.
            table: NDArray[Any] = np.loadtxt(
                str(path),
                dtype=np.float64,
                comments=None,
                delimiter=delimiter,
                skiprows=skip,
                max_rows=rows,
                ndmin=2,
                encoding="latin-1",
            )
    except (ValueError, OverflowError, MemoryError, OSError) as error:
        raise _line_error(path, skip, rows, columns, delimiter, error) from None
    if rows is not None and len(table) < rows:
        raise ScanError(
            f"{path} claims {rows:,} rows but holds only {len(table):,}",
            "The file is cut short: copy or export it again",
        )
    if columns is not None and table.shape[1] != columns:
        raise ScanError(
            f"{path}, line {skip + 1}: holds {table.shape[1]} numbers where {columns} are declared",
            "Export the file again, with one point a line",
        )
    return table


def _line_error(
    path: Path, skip: int, rows: int | None, columns: int | None, delimiter: str | None, error: Exception
) -> ScanError:
    """The error of the first bad line: searched only once reading has failed."""
    remedy = "Correct or remove that line, or export the file again"
    with path.open("r", encoding="latin-1", newline="") as file:
        for number, line in enumerate(itertools.islice(file, skip, None), skip + 1):
            tokens = line.split(delimiter)
            if not line.strip():
                continue
            if rows is not None and number > skip + rows:
                break
            columns = columns or len(tokens)
            if len(tokens) != columns:
                return ScanError(f"{path}, line {number}: holds {len(tokens)} values where {columns} are due", remedy)
            for token in tokens:
                try:
                    float(token)
                except ValueError:
                    return ScanError(f"{path}, line {number}: {token.strip()[:40]!r} is no number", remedy)
    return ScanError(f"{path} cannot be read as rows of numbers ({str(error)[:120]})", remedy)
