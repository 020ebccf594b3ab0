"""The program's version, in one place for files, reports and the window."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("nominal")
except PackageNotFoundError:  # run from a checkout that is not installed
    VERSION = "0.1.0"
