"""Cut-Paste on real geometry: pieces of one surface, cut along noise, take the place of another's (paper: G2SF).

Surfaces are height images: how far each pixel's point lies towards the eye, NaN where there is nothing. An organised
scan is one by itself; any other cloud is one from each side that it is looked at. A pasted pixel keeps its place in the
image, and takes the height of the source, brought to the target's mean there and then shifted: of the shift that the
recipe draws for every axis only this one remains, as it gives x and y back to the target's own grid afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Heights = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CutPasteOptions:
    """The recipe's constants; the defaults are its own.

    Attributes
    ----------
    noise_size : int
        Side of the noise image, in pixels.
    exponents : (int, int)
        The noise has 2^e cells along each axis, e drawn from this closed range for each.
    threshold : float
        Pieces are where the noise exceeds it.
    least, most : int
        Pixels of a piece in the noise image.
    total : int
        Noise is drawn until the pieces have so many pixels together.
    shift : (float, float)
        Least and largest shift in height, either way, in the heights' unit.
    angle, translate : float
        Largest turn of the source in degrees, and its largest displacement in shares of the image.
    zoom : (float, float)
        Range of the source's magnification.
    flips : bool
        Whether the source is mirrored by chance.
    on_part : float
        A piece of which less than this share falls on the target is moved onto it.
    faintest : float
        Each piece's departure from the target is multiplied by a factor drawn from this to 1, evenly in its logarithm;
        1, the recipe's, leaves it.
    """

    noise_size: int = 512
    exponents: tuple[int, int] = (0, 4)
    threshold: float = 0.4
    least: int = 100
    most: int = 1600
    total: int = 300
    shift: tuple[float, float] = (0.2, 2.0)
    angle: float = 45.0
    translate: float = 0.1
    zoom: tuple[float, float] = (0.8, 1.25)
    flips: bool = True
    on_part: float = 2 / 3
    faintest: float = 1.0


_DRAWS = 25
"""Noise images that are tried before a part is taken for too small for whole pieces."""


@dataclass(frozen=True, eq=False)
class Pasted:
    """A surface with pieces of another.

    Attributes
    ----------
    heights : (H, W) float32
    mask : (H, W) bool
        The pasted pixels.
    source : (H, W) int32
        For each pasted pixel the source's pixel, row by row; -1 elsewhere.
    """

    heights: Heights
    mask: Mask
    source: NDArray[np.int32]


def perlin_noise(size: int, cells: tuple[int, int], rng: np.random.Generator) -> Heights:
    """(size, size) gradient noise (K. Perlin, SIGGRAPH 1985 and 2002) with ``cells`` cells along each axis.

    Its values lie within ±1: those of the gradients' products within ±1/√2, scaled by √2.
    """
    angles = rng.uniform(0.0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    gradients = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    places = [np.arange(size) * (count / size) for count in cells]
    cell = [np.minimum(place.astype(np.int64), count - 1) for place, count in zip(places, cells, strict=True)]
    row, column = (place - whole for place, whole in zip(places, cell, strict=True))

    def corner(down: int, right: int) -> NDArray[np.float64]:
        gradient = gradients[np.ix_(cell[0] + down, cell[1] + right)]
        return gradient[..., 0] * (row - down)[:, None] + gradient[..., 1] * (column - right)[None]

    fade_row, fade_column = (t**3 * (t * (t * 6 - 15) + 10) for t in (row, column))
    top = corner(0, 0) + fade_column[None] * (corner(0, 1) - corner(0, 0))
    bottom = corner(1, 0) + fade_column[None] * (corner(1, 1) - corner(1, 0))
    return (np.sqrt(2.0) * (top + fade_row[:, None] * (bottom - top))).astype(np.float32)


def pieces(part: Mask, rng: np.random.Generator, options: CutPasteOptions) -> list[Mask]:
    """What is cut: connected (H, W) masks on ``part``, at least one if ``part`` is not empty.

    Noise, turned by up to 90°, is thresholded on the part; components of the right size are kept until there are
    enough, brought to the part's image by nearest pixels and grown by one pixel. A part too small for that gives the
    largest component found.
    """
    size = options.noise_size
    large = part[np.ix_(*(_nearest(side, size) for side in part.shape))]
    found: list[Mask] = []
    largest, total, most = None, 0, 0
    for _ in range(_DRAWS if part.any() else 0):
        low, high = options.exponents
        cells = tuple(int(2**e) for e in rng.integers(low, high + 1, 2))
        noise = perlin_noise(size, (cells[0], cells[1]), rng)
        noise = ndimage.rotate(noise, rng.uniform(-90, 90), reshape=False, order=1, mode="constant")
        named, count = ndimage.label((noise > options.threshold) & large, structure=np.ones((3, 3)))
        areas = np.bincount(named.ravel(), minlength=count + 1)
        areas[0] = 0
        if areas.max() > most and areas.max() <= options.most:
            most, largest = int(areas.max()), named == areas.argmax()
        for name in np.flatnonzero((areas >= options.least) & (areas <= options.most)):
            found.append(_brought_to(named == name, part.shape))
            total += int(areas[name])
            if total >= options.total:
                return found
    if not found and part.any():
        if largest is None:
            rows, columns = np.nonzero(part)
            chosen = rng.integers(len(rows))
            spot = np.zeros(part.shape, bool)
            spot[rows[chosen], columns[chosen]] = True
            return [ndimage.binary_dilation(spot, np.ones((3, 3)))]
        found.append(_brought_to(largest, part.shape))
    return found


def _brought_to(mask: Mask, shape: tuple[int, ...]) -> Mask:
    near = mask[np.ix_(*(_nearest(mask.shape[0], side) for side in shape))]
    return np.asarray(ndimage.binary_dilation(near, np.ones((3, 3))))


def _nearest(of: int, count: int) -> NDArray[np.int64]:
    """(count,) the pixels, of ``of`` in a line, that lie in the middles of ``count`` pixels over the same length."""
    return (2 * np.arange(count) + 1) * of // (2 * count)


def augmented(
    heights: Heights, rng: np.random.Generator, options: CutPasteOptions
) -> tuple[Heights, NDArray[np.int32]]:
    """A source turned, mirrored, displaced and magnified at random in its image plane.

    Returns
    -------
    heights : (H, W) float32
        By nearest pixels, NaN where nothing is.
    origin : (H, W) int32
        The pixel of ``heights`` that each one is from, row by row; -1 for none.
    """
    shape = np.array(heights.shape)
    angle = np.radians(rng.uniform(-options.angle, options.angle))
    zoom = rng.uniform(*options.zoom)
    moved = rng.uniform(-options.translate, options.translate, 2) * shape
    mirror = np.diag(np.where(options.flips & (rng.random(2) < 0.5), -1.0, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ mirror / zoom
    middle = (shape - 1) / 2
    rows, columns = np.indices(heights.shape).reshape(2, -1)
    places = np.rint((np.stack([rows, columns], axis=1) - middle - moved) @ turn.T + middle).astype(np.int64)
    inside = ((places >= 0) & (places < shape)).all(axis=1)
    origin = np.where(inside, places[:, 0] * shape[1] + places[:, 1], -1)
    result = np.where(inside, heights.ravel()[origin], np.nan).astype(np.float32)
    origin = np.where(np.isfinite(result), origin, -1).astype(np.int32)
    return result.reshape(heights.shape), origin.reshape(heights.shape)


def cut_paste(target: Heights, source: Heights, rng: np.random.Generator, options: CutPasteOptions) -> Pasted:
    """``target`` with pieces of ``source`` in its surface.

    Parameters
    ----------
    target, source : (H, W) float32
        Heights towards the eye in one unit, NaN where there is nothing; each with at least one pixel.
    rng : numpy Generator
        The only source of chance.

    Raises
    ------
    ValueError
        If shapes differ or one of them is empty.
    """
    if target.shape != source.shape or not np.isfinite(target).any() or not np.isfinite(source).any():
        raise ValueError(f"target {target.shape} and source {source.shape} must match and show something")
    turned, origin = augmented(source, rng, options)
    if not np.isfinite(turned).any():
        turned, origin = source, np.arange(source.size, dtype=np.int32).reshape(source.shape)
    heights, own = target.copy(), np.isfinite(target)
    mask, taken = np.zeros(target.shape, bool), np.full(target.shape, -1, np.int32)
    for piece in pieces(np.isfinite(turned), rng, options):
        rows, columns = np.nonzero(piece & np.isfinite(turned))
        if len(rows) == 0:
            continue
        to_rows, to_columns = rows, columns
        if own[rows, columns].mean() < options.on_part:
            there = np.argwhere(own)[rng.integers(int(own.sum()))]
            to_rows = rows + there[0] - round(float(rows.mean()))
            to_columns = columns + there[1] - round(float(columns.mean()))
        inside = (to_rows >= 0) & (to_rows < own.shape[0]) & (to_columns >= 0) & (to_columns < own.shape[1])
        inside[inside] = own[to_rows[inside], to_columns[inside]]
        if not inside.any():
            continue
        at, piece_heights = (to_rows[inside], to_columns[inside]), turned[rows[inside], columns[inside]]
        shift = rng.uniform(*options.shift) * rng.choice([-1.0, 1.0])
        departure = piece_heights - piece_heights.mean() + target[at].mean() + shift - target[at]
        heights[at] = target[at] + departure * np.exp(rng.uniform(np.log(options.faintest), 0.0))
        mask[at] = True
        taken[at] = origin[rows[inside], columns[inside]]
    return Pasted(heights, mask, taken)
