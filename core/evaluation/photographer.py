"""The pictures that the feature probe shows an image network: photographs, or renders from one view or several."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from core.backbones.pictures import SIZE, Pictures, photograph
from core.errors import CategoryError
from core.evaluation.probe_scans import ProbeScan, ProbeScans
from core.geometry.shading import Rendering, render_normals
from core.geometry.views import ViewSet, covering_views
from core.progress import Progress

_MOST_VIEWS = 6

Kind = Literal["rgb", "rendered"]


class Photographer:
    """Makes the pictures of a category's scans, all from the same views at the same scale.

    Parameters
    ----------
    scans : ProbeScans
        Organised scans are rendered from their sensor, others from views that cover the first good part.
    kind : "rgb" or "rendered"

    Raises
    ------
    CategoryError
        If RGB is asked for and a scan has no image.
    """

    def __init__(self, scans: ProbeScans, kind: Kind) -> None:
        if kind == "rgb" and not scans.photographed:
            raise CategoryError(
                f"Not every scan of {scans.category} has an RGB image", "Probe on the rendered pictures instead"
            )
        self._kind = kind
        self._views: ViewSet | None = None
        self._extent = 1.0
        if kind == "rendered":
            if scans.organised:
                self._extent = float(np.median([np.ptp(scan.points, axis=0).max() for scan in scans.train]))
            else:
                self._views = covering_views(scans.train[0].points, scans.train[0].normals, _MOST_VIEWS)

    @property
    def views(self) -> int:
        """Pictures of each scan."""
        return 1 if self._views is None else len(self._views.views)

    def take(self, scan: ProbeScan) -> Pictures:
        """The pictures of one scan."""
        if self._kind == "rgb":
            assert scan.image is not None
            assert scan.grid is not None
            return photograph(scan.image, scan.grid, scan.part, scan.points)
        if self._views is not None:
            renderings, seen = self._views.render(scan.points, scan.normals, size=SIZE)
        else:
            one = render_normals(scan.points, scan.normals, size=SIZE, extent=self._extent)
            # From a sensor's own view nothing hides anything, and what the picture cuts keeps its edge's score.
            renderings, seen = (one,), np.ones((len(scan.points), 1), bool)
        return _rendered(scan, renderings, seen)


def take_all(photographer: Photographer, scans: tuple[ProbeScan, ...], progress: Progress) -> tuple[Pictures, ...]:
    """Pictures of many scans, kept as bytes: a few hundred kB each."""
    return tuple(photographer.take(scan) for scan in progress.over(scans, "picture {i} of {n}"))


def _rendered(scan: ProbeScan, renderings: tuple[Rendering, ...], seen: NDArray[np.bool_]) -> Pictures:
    images = np.stack([(one.image * 255.0 + 0.5).astype(np.uint8) for one in renderings])
    part = np.stack([one.index >= 0 for one in renderings])
    pixels = tuple(one.pixels.astype(np.float32) for one in renderings)
    return Pictures(torch.from_numpy(images)[:, None], torch.from_numpy(part), pixels, seen, scan.points)
