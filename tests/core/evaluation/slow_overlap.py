"""The per-region overlap, written down slowly from its definition: one threshold after the other, sets of pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def components(truth: np.ndarray) -> list[set[tuple[int, int]]]:
    """8-connected components of True pixels, by flooding."""
    left = {(int(i), int(j)) for i, j in zip(*np.nonzero(truth), strict=True)}
    found = []
    while left:
        start = left.pop()
        region, edge = {start}, [start]
        while edge:
            i, j = edge.pop()
            for step in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)):
                near = (i + step[0], j + step[1])
                if near in left:
                    left.remove(near)
                    region.add(near)
                    edge.append(near)
        found.append(region)
    return found


def slow_aupro(maps: list[np.ndarray], truths: list[np.ndarray], limit: float, thresholds: int | None) -> float:
    """Area under the overlap over the false-positive rate, up to ``limit``, over ``limit``."""
    good = sorted(float(s) for m, t in zip(maps, truths, strict=True) for s in m[~t])
    regions = [(m, region) for m, t in zip(maps, truths, strict=True) for region in components(t)]
    if thresholds is None:
        cuts = [(t, sum(g > t for g in good) / len(good)) for t in sorted(set(good), reverse=True)]
    else:
        ranks = [int(r) for r in np.linspace(0, len(good) - 1, thresholds)]
        cuts = [(good[r], 1 - (r + 1) / len(good)) for r in reversed(ranks)]
    line = []
    for cut, rate in cuts:
        shares = [sum(m[pixel] > cut for pixel in region) / len(region) for m, region in regions]
        line.append((rate, sum(shares) / len(shares)))
    line.append((1.0, 1.0))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(line):
        end = min(x1, limit)
        if end > x0:
            y_end = y0 + (y1 - y0) * (end - x0) / (x1 - x0)
            area += (end - x0) * (y0 + y_end) / 2
    return area / limit
