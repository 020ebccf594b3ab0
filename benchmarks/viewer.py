"""How long the 3D view takes to draw: at rest, while it moves, and when a slider moves the mask.

Run under a display, virtual or not: ``QT_QPA_PLATFORM=xcb python -m benchmarks.viewer [POINTS ...]``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
from PySide6.QtWidgets import QApplication

from app.viewer.viewer import Field, Viewer, ViewMode
from core.scan import Scan

SIZE = (1100, 800)
REPEATS = 7


def ball(count: int) -> tuple[Scan, np.ndarray]:
    """A dented ball of ``count`` points and a score for each."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(count, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    score = np.exp(-20.0 * ((points - [0.6, -0.6, 0.5]) ** 2).sum(axis=1)).astype(np.float32)
    return Scan(points=points * (50.0 - 4.0 * score[:, None])), score


def main(counts: list[int]) -> None:
    app = QApplication.instance() or QApplication([])
    for count in counts:
        scan, score = ball(count)
        viewer = Viewer()
        viewer.resize(*SIZE)
        viewer.show()
        app.processEvents()
        start = perf_counter()
        viewer.set_scan(scan)
        viewer.set_field(Field(score, "Score", "score", 0.0, 1.0))
        viewer.set_mode(ViewMode.HEATMAP)
        viewer.set_mask(score > 0.5)
        viewer.set_eye_dome(False)
        draw(viewer)
        print(f"{count:>9,} points: first picture {1e3 * (perf_counter() - start):6.0f} ms")
        camera = viewer._scene.renderer.GetActiveCamera()

        def turn(viewer: Viewer = viewer, camera: object = camera, moving: bool = False) -> None:
            camera.Azimuth(3)  # type: ignore[attr-defined]
            viewer._touch("camera", moving=moving)
            viewer._detail.moving = moving  # a slow picture at rest would otherwise be thinned at once
            viewer._rest.stop()

        report("at rest, flat", viewer, turn)
        viewer.set_eye_dome(True)
        report("at rest, eye-dome lighting", viewer, turn)
        report("while moving", viewer, lambda turn=turn: turn(moving=True))
        print(f"{'':>11}  drawn while moving {viewer.drawn_points:,}")
        steps = iter(np.linspace(0.3, 0.7, 3 * REPEATS))
        report(
            "threshold moved (mask)",
            viewer,
            lambda viewer=viewer, score=score, steps=steps: viewer.set_mask(score > next(steps)),
        )
        report(
            "colour range moved",
            viewer,
            lambda viewer=viewer: viewer.set_color_range(0.0, 0.5 + np.random.default_rng().random()),
        )
        start = perf_counter()
        for _ in range(REPEATS):
            viewer.point_at(SIZE[0] / 2, SIZE[1] / 2)
        print(f"{'':>11}  pick {1e3 * (perf_counter() - start) / REPEATS:6.1f} ms")
        viewer.close()
        viewer.deleteLater()
        app.processEvents()


def draw(viewer: Viewer) -> None:
    """Have everything pending drawn and painted now."""
    viewer._redraw.flush()
    paint(viewer)


def paint(viewer: Viewer) -> None:
    """What a paint event does, without waiting for the window system to ask for it."""
    viewer._canvas.makeCurrent()
    viewer._canvas.paintGL()


def report(name: str, viewer: Viewer, change: Callable[[], None], before: Callable[[], None] | None = None) -> None:
    """Print the median time from a change to its picture, and how much of it is not the renderer's."""
    took, prepared = [], []
    for _ in range(REPEATS):
        if before is not None:
            before()
        start = perf_counter()
        change()
        viewer._redraw.flush()
        prepared.append(perf_counter() - start)
        paint(viewer)
        took.append(perf_counter() - start)
    print(
        f"{'':>11}  {name:<28} median {1e3 * median(took):6.0f} ms, best {1e3 * min(took):6.0f} ms, "
        f"before rendering {1e3 * median(prepared):5.1f} ms"
    )


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [200_000, 2_000_000])
