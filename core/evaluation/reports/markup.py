"""The HTML that reports are made of: a page that needs nothing else, its style, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

CHART_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --rule: #d7dce3; --page: #ffffff; --good: #2b7bba;
  --bad: #d1495b; --mark: #7a5195; --band: #7a519533;
  --c3: #2e8b57; --c4: #b8860b; --c5: #7a5195; --c6: #00808a; --c7: #55606e; --c8: #c2601a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --dim: #9aa6b5; --rule: #364150; --page: #161b22;
  --good: #5aa9e6; --bad: #ff6b7d; --mark: #c79bef; --band: #c79bef33;
  --c3: #5fcf8f; --c4: #e3b341; --c5: #c79bef; --c6: #4fc6d0; --c7: #aab4c0; --c8: #f0975a; } }
svg { font: 11px system-ui, sans-serif; } svg text { fill: var(--dim); } .page { fill: var(--page); }
svg text.caption { fill: var(--ink); font-weight: 600; }
.frame { fill: none; stroke: var(--rule); } .grid { stroke: var(--rule); stroke-width: .5; }
.axis { stroke: var(--dim); } polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.first { stroke: var(--good); } .second { stroke: var(--bad); stroke-dasharray: 5 3; }
svg text.first { fill: var(--good); } svg text.second { fill: var(--bad); }
.third { stroke: var(--c3); stroke-dasharray: 9 3; } svg text.third { fill: var(--c3); }
.fourth { stroke: var(--c4); } svg text.fourth { fill: var(--c4); }
.fifth { stroke: var(--c5); stroke-dasharray: 2 3; } svg text.fifth { fill: var(--c5); }
.sixth { stroke: var(--c6); stroke-dasharray: 9 3 2 3; } svg text.sixth { fill: var(--c6); }
.seventh { stroke: var(--c7); } svg text.seventh { fill: var(--c7); }
.eighth { stroke: var(--c8); stroke-dasharray: 5 3; } svg text.eighth { fill: var(--c8); }
svg .legend { stroke: none; font-weight: 600; }
rect.good { fill: var(--good); } rect.bad { fill: var(--bad); } svg text.good { fill: var(--good); }
svg text.bad { fill: var(--bad); } .mark { stroke: var(--mark); stroke-width: 2; stroke-dasharray: 4 3; }
.band { fill: var(--band); }
"""
"""Of charts, in a page or in a file of their own."""

_PAGE_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 68rem; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p, figcaption { color: var(--dim); max-width: 60rem; }
.notes { border-left: 3px solid var(--mark); padding-left: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .text { text-align: left; } th { color: var(--dim); font-weight: 600; }
tr.wrong td { color: var(--bad); } td.reason { white-space: normal; text-align: left; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.5rem; }
figure { margin: 0; } figcaption { font-size: .9rem; }
figure > svg { width: 100%; height: auto; }
@media print { body { margin: 0; max-width: none; } figure, tr { break-inside: avoid; } }
"""


def document(title: str, body: Sequence[str]) -> str:
    """A whole page of these elements."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{CHART_STYLE}{_PAGE_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def figure(chart: str, caption: str) -> str:
    """A chart with its caption, which is escaped."""
    return f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text, its first column to the left."""
    made = "".join(row(cells) for cells in rows)
    return f'<div class="wide"><table><thead>{row(head, tag="th")}</thead><tbody>{made}</tbody></table></div>'


def row(cells: Sequence[str], style: str = "", tag: str = "td") -> str:
    """A row of text."""
    return f'<tr class="{style}">' + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
