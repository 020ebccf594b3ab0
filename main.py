"""The one door: without an argument it opens the window; a verb (train, inspect, ...) runs without one."""

from __future__ import annotations

import multiprocessing
import sys

from app.cli import main

if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
