"""Labels that have names: in the list of maps, in the view's colours, and in what the view is told."""

from __future__ import annotations

import numpy as np

from app.fields import field_of
from app.panels.maps import value_text
from app.viewer.colormaps import categorical, table_for
from core.scores import ScoreMap

WHO = ScoreMap(np.array([0.0, 2.0, np.nan]), "Who", "label", names=("nobody", "SCA only", "several"))


def test_a_picked_point_says_the_name():
    assert value_text(WHO, 1) == "several"
    assert value_text(ScoreMap(WHO.values, "Group", "label"), 1) == "2"
    assert value_text(WHO, 2) == value_text(ScoreMap(WHO.values, "S"), 2)  # unknown is unknown


def test_what_is_nothing_special_is_grey_and_the_others_keep_their_colours():
    colors = categorical(3, quiet=True)
    assert np.ptp(colors[0].astype(int)) < 20
    assert (colors[1:] == categorical(2)).all()
    assert (table_for("label", count=3, quiet=True) == colors).all()


def test_the_view_is_told_the_names():
    assert field_of("who", WHO, "mm", None).names == WHO.names
