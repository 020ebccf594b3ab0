"""The house's arrows, as import-linter sees them, and what must be importable without Qt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_core_imports_neither_qt_nor_vtk() -> None:
    code = (
        "import sys, pkgutil, importlib, core\n"
        "for m in pkgutil.walk_packages(core.__path__, 'core.'):\n"
        "    importlib.import_module(m.name)\n"
        "bad = {'PySide6', 'vtkmodules', 'pyvista', 'pyvistaqt', 'qtpy'} & set(sys.modules)\n"
        "sys.exit(f'core imported {bad}' if bad else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom app.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_else_at_the_top_level() -> None:
    allowed = {"app", "core", "resources", "tests", "benchmarks", "docs", "pyproject.toml", "main.py", "README.md"}
    allowed |= {"Makefile", "LICENSE", "constraints.txt", ".ci", ".gitignore", ".git"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode == 0:
        assert {line.split("/")[0] for line in tracked.stdout.splitlines()} <= allowed
