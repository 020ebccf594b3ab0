"""Evaluations as files: JSON, CSV, Markdown and a page."""
