"""What the legend says: how the colours of the present picture are to be read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QCoreApplication

from app.viewer.colormaps import Rgb, categorical, table_for
from app.viewer.field import ViewMode
from app.viewer.legend import Bar, Key, number
from app.viewer.scene import Scene


def legend_of(scene: Scene) -> Bar | Key | None:
    """The legend for what a scene shows; None where there are no colours to explain."""
    theme, field, mode = scene.theme, scene.field, scene.effective_mode
    if scene.reconstruction.alone:
        return None
    if mode is ViewMode.MASK:
        return Key(_tr("Mask"), ((theme.mark, _tr("defect")), (theme.dimmed, _tr("no defect"))))
    if mode is ViewMode.GROUND_TRUTH:
        if not scene.masked:
            return Key(_tr("Ground truth"), ((theme.missed, _tr("defect")), (theme.dimmed, _tr("good"))))
        return Key(
            _tr("Ground truth"),
            (
                (theme.found, _tr("defect, found")),
                (theme.missed, _tr("defect, missed")),
                (theme.false_alarm, _tr("false alarm")),
                (theme.dimmed, _tr("good")),
            ),
        )
    if mode is not ViewMode.HEATMAP or field is None:
        return None
    unknown = bool(np.isnan(field.values).any())
    if field.kind == "label":
        shades = categorical(len(scene.names), quiet=bool(field.names))
        words = field.names or tuple(number(float(name)) for name in scene.names)
        entries = [((int(r), int(g), int(b)), word) for (r, g, b), word in zip(shades, words, strict=False)]
        if unknown:
            entries.append((theme.unknown, _tr("not judged")))
        return Key(field.title, tuple(entries))
    low, high = scene.range
    colors = table_for(field.kind, scene.score_map)
    ends = field.ends
    if field.kind == "height" and not any(ends):
        ends = (_tr("below"), _tr("above"))
    return Bar(field.title, field.unit, colors, low, high, signed=field.diverging, unknown=unknown, ends=ends)


def extra_of(scene: Scene, words: Mapping[str, str]) -> tuple[tuple[Rgb, str], ...]:
    """What the legend says of the clouds that are laid over the part: colours and words."""
    theme = scene.theme
    entries = (
        (scene.reconstruction.shown, theme.reference, words["reconstruction"]),
        (scene.explained, theme.explained, words["explained"]),
    )
    return tuple((rgb, said) for shown, rgb, said in entries if shown and said)


def _tr(text: str) -> str:
    return QCoreApplication.translate("Legend", text)
