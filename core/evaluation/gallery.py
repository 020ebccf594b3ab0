"""Pictures of the parts that a model is most wrong about: a bounded number, however many parts are judged."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.evaluation.results import PartResult
from core.inspection.calibration import Calibration
from core.inspection.thresholds import Thresholds
from core.reporting.colormap import display_range
from core.reporting.part_picture import part_picture
from core.scan import Scan
from core.scores import Scores

Picture = NDArray[np.uint8]

log = logging.getLogger(__name__)


class Gallery:
    """Watches an evaluation (its ``look`` is the ``watch`` of ``evaluate``) and keeps what the worst parts look like.

    Parameters
    ----------
    calibration : Calibration
        Of the model: all pictures have one range of colours, which its good points and the point threshold set.
    thresholds : Thresholds
    most : int
        Pictures kept of the defective parts with the lowest scores, and of the good ones with the highest.
    size : int
        Pixels of a picture a side; a picture takes 4 size² bytes.
    """

    def __init__(self, calibration: Calibration, thresholds: Thresholds, *, most: int = 24, size: int = 168) -> None:
        self._range = display_range(calibration.point_sample, thresholds.point)
        self._most, self._size = most, size
        self._kept: dict[bool, list[tuple[float, str]]] = {False: [], True: []}
        self._pictures: dict[str, Picture] = {}

    @property
    def pictures(self) -> Mapping[str, Picture]:
        """(size, size, 4) uint8 by the parts' keys."""
        return dict(self._pictures)

    def look(self, part: PartResult, scan: Scan, scores: Scores) -> None:
        """Take a picture of a part if it is among the worst so far; a part that cannot be drawn has none."""
        assert part.score is not None
        heap = self._kept[part.defective]
        badness = -part.score if part.defective else part.score
        if len(heap) >= self._most and badness <= heap[0][0]:
            return
        try:
            picture = part_picture(scan, scores, *self._range, size=self._size)
        except Exception:  # a picture is no reason to lose the evaluation
            log.exception("%s could not be drawn", part.path)
            return
        heapq.heappush(heap, (badness, part.key))
        self._pictures[part.key] = picture
        if len(heap) > self._most:
            del self._pictures[heapq.heappop(heap)[1]]
