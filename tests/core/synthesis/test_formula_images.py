"""Images made by formula: a class is the same in every run, its images differ, and its kinds keep what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from core.synthesis import formula_images as module
from core.synthesis.formula_images import KINDS, formula_image


@pytest.mark.parametrize("label", range(2 * len(KINDS)))
def test_images_of_every_kind(label: int) -> None:
    image = formula_image(label, np.random.default_rng(3), 64)
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.float32
    assert 0.0 <= image.min() < image.max() <= 1.0
    assert image.std() > 0.02, "there is something to see"
    np.testing.assert_array_equal(image, formula_image(label, np.random.default_rng(3), 64))
    assert not np.array_equal(image, formula_image(label, np.random.default_rng(4), 64))


def test_a_lattice_keeps_its_frequency_and_a_field_its_spectrum() -> None:
    """Power spectra of two images of a class are more alike than those of images of two classes."""

    def spectrum(kind: int, number: int, image: int) -> np.ndarray:
        of_class = np.random.default_rng([9, number])
        field = KINDS[kind](of_class, np.random.default_rng([1, image]), 64)
        power = np.log1p(np.abs(np.fft.rfft2(field - field.mean())) ** 2)
        return power.ravel() - power.mean()

    def alike(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    for kind in (0, 1):
        own = np.mean([alike(spectrum(kind, c, 0), spectrum(kind, c, 1)) for c in range(8)])
        other = np.mean([alike(spectrum(kind, c, 0), spectrum(kind, c + 1, 1)) for c in range(8)])
        assert own > other + 0.1


def test_shading_follows_the_cosine_without_highlight() -> None:
    """A ramp of normals under one light: brighter the nearer a normal lies to the light."""

    class Draws:
        def uniform(self, low: float, high: float, *_: int) -> float:
            return low  # no ambient light, light from the eye, diffuse 0.4, no highlight

        def integers(self, *_: int) -> int:
            return 1

        def random(self, *size: int) -> float | np.ndarray:
            return np.ones(size) if size else 0.0  # an albedo of one

    tilt = np.linspace(0, np.pi / 2, 7)
    normals = np.stack([np.sin(tilt), np.zeros(7), np.cos(tilt)], -1)[None]
    shaded = module._shaded(normals, Draws())  # type: ignore[arg-type]
    np.testing.assert_allclose(shaded[0, :, 0], 0.4 * np.cos(tilt), atol=1e-6)
