"""Demo parts made by formula: what a first start shows and what tests train on."""

from core.datasets.demo.folder import demo_categories, demo_defects, demo_folder, make_demo, make_part

__all__ = ["demo_categories", "demo_defects", "demo_folder", "make_demo", "make_part"]
