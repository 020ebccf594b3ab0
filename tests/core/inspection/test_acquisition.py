"""How scans were measured, and what is said of one that was measured otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.inspection.acquisition import Acquisition, UsualAcquisition
from core.scan import Scan
from core.synthesis.scan_alterations import altered_scan

STEP, NOISE = 0.5, 0.02


def plate(seed: int, step: float = STEP, noise: float = NOISE) -> NDArray[np.float32]:
    """A flat grid with a step in its middle, (N, 3)."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(0, 40, step), np.arange(0, 30, step))
    z = np.where(x > 20, 5.0, 0.0)
    points = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    return (points + rng.normal(scale=noise, size=points.shape)).astype(np.float32)


def scan(points: NDArray[np.float32]) -> Scan:
    return Scan(points=points, unit="mm", name="part")


@pytest.fixture(scope="module")
def usual() -> UsualAcquisition:
    found = UsualAcquisition.of([scan(plate(seed)) for seed in range(5)])
    assert found is not None
    return found


def test_spacing_and_noise_are_those_that_the_surface_was_made_with() -> None:
    found = Acquisition.of(plate(0))
    assert found is not None
    assert found.spacing == pytest.approx(STEP, rel=0.1)
    assert found.noise == pytest.approx(NOISE, rel=0.3)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_they_follow_the_unit(scale: float) -> None:
    one, other = Acquisition.of(plate(0)), Acquisition.of(plate(0) * np.float32(scale))
    assert one is not None
    assert other is not None
    assert other.spacing == pytest.approx(one.spacing * scale, rel=1e-3)
    assert other.noise == pytest.approx(one.noise * scale, rel=1e-2)


def test_too_few_points_and_points_at_one_place_have_none() -> None:
    assert Acquisition.of(np.zeros((0, 3), np.float32)) is None
    assert Acquisition.of(plate(0)[:16]) is None
    assert Acquisition.of(np.ones((100, 3), np.float32)) is None
    assert UsualAcquisition.of([scan(plate(0)[:16])]) is None


def test_points_on_lines_have_a_spacing_but_no_noise(usual: UsualAcquisition) -> None:
    x = np.arange(0, 40, 0.01)
    points = np.concatenate([np.column_stack([x, np.full_like(x, y), np.zeros_like(x)]) for y in (0, 10, 20)])
    found = Acquisition.of(points.astype(np.float32))
    assert found is not None
    assert np.isnan(found.noise)
    assert "noise" not in usual.caution(scan(points.astype(np.float32)))


def test_nothing_is_said_of_scans_like_the_good_ones(usual: UsualAcquisition) -> None:
    assert not any(usual.caution(scan(plate(seed))) for seed in range(10, 20))


@pytest.mark.parametrize(("kind", "level"), [("missing", 0.3), ("pose", 60.0), ("pose", 180.0)])
def test_a_gap_or_another_pose_is_not_another_way_of_measuring(
    usual: UsualAcquisition, kind: str, level: float
) -> None:
    altered = altered_scan(scan(plate(7)), kind, level, np.random.default_rng(0))
    assert altered is not None
    assert usual.caution(altered) == ""


@pytest.mark.parametrize(
    ("step", "noise", "told"),
    [
        (0.5, 0.05, ["noise"]),
        (0.5, 0.0, ["noise"]),
        (1.0, NOISE, ["apart"]),
        (0.25, NOISE, ["apart"]),
        (1.0, 0.2, ["noise", "apart"]),
    ],
)
def test_it_says_what_differs(usual: UsualAcquisition, step: float, noise: float, told: list[str]) -> None:
    said = usual.caution(scan(plate(3, step, noise)))
    assert [word for word in ("noise", "apart") if word in said] == told
    assert "train with good scans like it" in said
    assert " mm" in said


def test_scans_without_noise_do_not_differ_by_their_rounding() -> None:
    made = UsualAcquisition.of([scan(plate(0, noise=0.0))])
    assert made is not None
    assert made.caution(scan(plate(0, noise=1e-6))) == ""
    assert "noise" in made.caution(scan(plate(0, noise=0.05)))


def test_it_is_kept_in_plain_values(usual: UsualAcquisition) -> None:
    assert UsualAcquisition.from_mapping(usual.to_mapping(), "mm") == usual
    assert UsualAcquisition.from_mapping({}, "mm") is None
    unknown = replace(usual, noise=(np.nan, np.nan))
    kept = unknown.to_mapping()
    assert kept["noise"] == [None, None]
    back = UsualAcquisition.from_mapping(kept, "mm")
    assert back is not None
    assert np.isnan(back.noise).all()
    assert "noise" not in back.text
    assert back.caution(scan(plate(0, noise=1.0)))  # such noise tears the spacing too
    assert usual.text.startswith("points 0.49")
