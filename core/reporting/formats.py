"""What an inspection can be written as, by name."""

from __future__ import annotations

FORMATS = ("ply", "json", "csv", "npz")
"""What any inspection can be written as."""
RECONSTRUCTION = "reconstruction"
"""The reconstructed part, of methods that reconstruct it."""
ALL_FORMATS = (*FORMATS, RECONSTRUCTION)


def file_name(stem: str, name: str) -> str:
    """The file that a format is written to."""
    return f"{stem}.{name}.ply" if name == RECONSTRUCTION else f"{stem}.{name}"
