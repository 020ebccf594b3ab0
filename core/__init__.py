"""Nominal's computing half: no Qt, no VTK, usable from a notebook."""
