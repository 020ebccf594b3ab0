"""What a person waits for in the window: its start, a threshold move, an inspection. Prints milliseconds.

Run under a display, real or virtual: ``xvfb-run -a python -m benchmarks.window [points]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

STARTED = time.perf_counter()


def main(points: int) -> None:
    from app.application import make_application, make_window
    from app.failures import Failures
    from app.kept import Document
    from app.settings import SettingsFile
    from core.datasets.entry import ScanEntry
    from core.inspection.calibration import calibrate
    from core.inspection.defects import DefectFinder
    from core.scan import Scan
    from core.scores import Scores
    from core.store.library import Library
    from core.workflow import Judged, Model

    application = make_application()
    with tempfile.TemporaryDirectory() as folder:
        window = make_window(Failures(), SettingsFile(Path(folder) / "conf"), Library(Path(folder) / "library"))
        window.resize(1600, 1000)
        window.show()
        application.processEvents()
        _print("window on the screen (imports and all)", 1000 * (time.perf_counter() - STARTED))

        side = int(points**0.5)
        rng = np.random.default_rng(0)
        x, y = np.meshgrid(np.linspace(0, 200, side), np.linspace(0, 200, side))
        z = 10 * np.sin(x / 30) * np.cos(y / 40) + rng.normal(0, 0.02, x.shape)
        scan = Scan(np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32), name="surface")
        values = rng.gamma(2.0, 0.5, len(scan)).astype(np.float32)
        for centre in rng.uniform(20, 180, (25, 2)):
            values += (4 * np.exp(-((scan.points[:, :2] - centre) ** 2).sum(axis=1) / 30)).astype(np.float32)
        scores = Scores(values, float(np.sort(values)[-100:].mean()))
        start = time.perf_counter()
        judged = Judged(scan, scores, DefectFinder(scan, scores), "made", 0.0)
        _print(f"prepare the defects of {len(scan):,} points", 1000 * (time.perf_counter() - start))

        good = [Scores(rng.gamma(2.0, 0.5, 5000).astype(np.float32), 5 + rng.normal()) for _ in range(24)]
        session = window.session
        path = Path(folder) / "made.nominal"
        card = type("Card", (), {"name": "made", "unit": "mm", "weights": {}})()
        session.models.put(path, Model(card, None, calibrate(good), scan.points[:10]), path)  # type: ignore[arg-type]
        entry = ScanEntry(Path(folder) / "surface.ply", "test", "", None, None, "surface")
        session.put_document(Document(entry, scan, path, judged))
        for _ in range(10):
            application.processEvents()
            time.sleep(0.02)

        thresholds = np.linspace(3.0, 5.0, 21)
        _print(
            "new mask, defects and verdict",
            _median(lambda t: judged.inspect(session.thresholds.replaced(point=t)), thresholds),
        )

        def move(threshold: float) -> None:
            session.change_thresholds(1, point=float(threshold))
            session.flush()

        _print("the same, with panels and view told (no repaint)", _median(move, thresholds))

        def move_and_draw(threshold: float) -> None:
            move(threshold)
            window.viewer._redraw.flush()
            application.processEvents()

        _print("the same, repainted", _median(move_and_draw, thresholds))
        window.close()


def _median(work: Callable[[float], object], values: np.ndarray) -> float:
    times = []
    for value in values:
        start = time.perf_counter()
        work(value)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def _print(what: str, milliseconds: float) -> None:
    print(f"{what:<55} {milliseconds:8.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
