"""What a scan did not measure, filled from good ones, and what is missing of the part, which stays open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.geometry.gaps import GoodSurface

Floats = NDArray[np.float32]

SIDE = 1.0


def plate(*, hole: float = 0.0, wall: float = 0.0, far: float = 40.0) -> Floats:
    """Points of a plate, one a millimetre, without those within ``hole`` of (15, 15); there a wall goes down."""
    x, y = (part.ravel() for part in np.meshgrid(np.arange(0, far), np.arange(0, 40), indexing="ij"))
    kept = np.hypot(x - 15, y - 15) >= hole
    points = np.column_stack([x, y, np.zeros_like(x)])[kept]
    if wall > 0:
        turn, depth = (part.ravel() for part in np.meshgrid(np.linspace(0, 2 * np.pi, 24), np.arange(1.0, wall)))
        bared = np.column_stack([15 + hole * np.cos(turn), 15 + hole * np.sin(turn), -depth])
        points = np.concatenate([points, bared])
    return points.astype(np.float32)


def learned() -> GoodSurface:
    surface = GoodSurface.learn([plate(), plate(), plate()], SIDE)
    assert surface is not None
    return surface


def filled(cloud: Floats) -> Floats:
    surface = learned()
    return surface.points[surface.lacking(cloud)]


def test_nothing_is_filled_where_nothing_is_missing() -> None:
    assert learned().lacking(plate()).shape == (0,)


def test_a_patch_that_was_not_measured_is_filled_with_the_usual_surface() -> None:
    filling = filled(plate(hole=4.0))
    inside = np.hypot(filling[:, 0] - 15, filling[:, 1] - 15)
    assert len(filling) == (np.hypot(*(np.indices((40, 40)) - 15)) < 4.0).sum()
    assert (inside < 4.0).all()
    assert (filling[:, 2] == 0).all()


def test_a_hole_whose_wall_was_measured_stays_open() -> None:
    assert len(filled(plate(hole=4.0, wall=4.0))) == 0


def test_gaps_are_judged_one_by_one() -> None:
    cloud = plate(hole=4.0, wall=4.0)
    cloud = cloud[np.hypot(cloud[:, 0] - 32, cloud[:, 1] - 30) >= 3.0]
    filling = filled(cloud)
    assert len(filling) > 0
    assert (np.hypot(filling[:, 0] - 32, filling[:, 1] - 30) < 3.0).all()


def test_what_only_few_good_scans_show_is_no_usual_surface() -> None:
    surface = GoodSurface.learn([plate(far=30), plate(far=30), plate(far=40)], SIDE)
    assert surface is None or surface.points[:, 0].max() < 31.5


def test_good_scans_that_show_different_sides_have_no_usual_surface() -> None:
    left, right = plate(far=28), plate(far=28) + np.array([12, 0, 0], np.float32)
    assert GoodSurface.learn([left, right, left, right], SIDE) is None


def test_it_survives_saving() -> None:
    surface = learned()
    again = GoodSurface.from_state(surface.state())
    assert np.array_equal(again.lacking(plate(hole=4.0)), surface.lacking(plate(hole=4.0)))
    assert again.outwards is None


def test_it_knows_its_outside_where_the_other_side_of_a_wall_is_nearer_than_the_rim_of_a_gap() -> None:
    top, bottom = plate(), plate() - np.array([0, 0, 2], np.float32)
    wall = np.concatenate([top, bottom])
    up = np.repeat(np.array([[0, 0, 1], [0, 0, -1]], np.float32), len(top), axis=0)
    surface = GoodSurface.learn([wall, wall, wall], SIDE, [up, up, up])
    assert surface is not None
    surface = GoodSurface.from_state(surface.state())
    rows = surface.lacking(np.concatenate([plate(hole=6.0), bottom]))
    assert len(rows) > 50
    assert surface.outwards is not None
    assert (surface.outwards[rows, 2] > 0).all()
