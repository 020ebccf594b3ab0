"""Tables in plain text, for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1, markdown: bool = False) -> str:
    """A table whose first ``words`` columns are left-aligned, the others right-aligned.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequences of str
        As many cells each as ``head`` has.
    words : int
    markdown : bool
        With bars, and bars in cells escaped; else columns two blanks apart.
    """
    if markdown:
        rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(3, *(len(row[i]) for row in (head, *rows))) for i in range(len(head))]

    def put(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip()

    dashes = ["-" * width if i < words or not markdown else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    return "\n".join(put(row) for row in (head, dashes, *rows))
