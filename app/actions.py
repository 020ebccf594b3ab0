"""The window's actions as data: what they are called, their keys, and when they can be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.combine_work import candidates
from app.session import Session
from app.translation import QT_TRANSLATE_NOOP


def _always(_: Session) -> bool:
    return True


@dataclass(frozen=True)
class ActionSpec:
    """One action.

    Attributes
    ----------
    id : str
        Names the window's method that does it: ``do_<id>``.
    menu, text, tip : str
        As a user reads them; ``&`` marks the key of the menu.
    keys : tuple of str
        Shortcuts, the first shown.
    icon : str
        Empty for none.
    when : callable
        Whether it can be used now.
    separated : bool
        Whether a line goes before it in its menu.
    checkable : bool
        Whether it is a switch.
    """

    id: str
    menu: str
    text: str
    tip: str = ""
    keys: tuple[str, ...] = ()
    icon: str = ""
    when: Callable[[Session], bool] = _always
    separated: bool = False
    checkable: bool = False

    @property
    def shown_text(self) -> str:
        return QCoreApplication.translate("Actions", self.text)

    @property
    def shown_tip(self) -> str:
        return QCoreApplication.translate("Actions", self.tip) if self.tip else self.shown_text.replace("&", "")


FILE = QT_TRANSLATE_NOOP("Actions", "&File")
EDIT = QT_TRANSLATE_NOOP("Actions", "&Edit")
INSPECT = QT_TRANSLATE_NOOP("Actions", "&Inspect")
VIEW = QT_TRANSLATE_NOOP("Actions", "&View")
HELP = QT_TRANSLATE_NOOP("Actions", "&Help")
MENUS = (FILE, EDIT, INSPECT, VIEW, HELP)


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "open",
        FILE,
        QT_TRANSLATE_NOOP("Actions", "&Open scans …"),
        QT_TRANSLATE_NOOP("Actions", "Open scans or a model"),
        ("Ctrl+O",),
        "open",
    ),
    ActionSpec(
        "open_model",
        FILE,
        QT_TRANSLATE_NOOP("Actions", "Open a &model …"),
        QT_TRANSLATE_NOOP("Actions", "Take a model file into the library and inspect with it"),
        (),
        "model",
    ),
    ActionSpec(
        "add_folder",
        FILE,
        QT_TRANSLATE_NOOP("Actions", "&Add a folder of parts …"),
        QT_TRANSLATE_NOOP("Actions", "Add a category: a folder with scans of one kind of part"),
        ("Ctrl+Shift+O",),
        "folder-add",
    ),
    ActionSpec(
        "open_demo",
        FILE,
        QT_TRANSLATE_NOOP("Actions", "Open the &demo"),
        QT_TRANSLATE_NOOP("Actions", "Open the demo parts"),
        (),
        "scan",
    ),
    ActionSpec(
        "export",
        FILE,
        QT_TRANSLATE_NOOP("Actions", "&Export results …"),
        QT_TRANSLATE_NOOP("Actions", "Write the result as annotated PLY, JSON, CSV or NPZ"),
        ("Ctrl+E",),
        "export",
        when=lambda s: s.inspection is not None,
        separated=True,
    ),
    ActionSpec(
        "save_picture",
        FILE,
        QT_TRANSLATE_NOOP("Actions", "Save &picture …"),
        QT_TRANSLATE_NOOP("Actions", "Save the 3D view as a picture"),
        ("Ctrl+Shift+P",),
        "camera",
        when=lambda s: s.scan is not None,
    ),
    ActionSpec("quit", FILE, QT_TRANSLATE_NOOP("Actions", "&Quit"), keys=("Ctrl+Q",), separated=True),
    ActionSpec(
        "undo",
        EDIT,
        QT_TRANSLATE_NOOP("Actions", "&Undo"),
        keys=("Ctrl+Z",),
        icon="undo",
        when=lambda s: s.undo_stack.canUndo(),
    ),
    ActionSpec(
        "redo",
        EDIT,
        QT_TRANSLATE_NOOP("Actions", "&Redo"),
        keys=("Ctrl+Shift+Z", "Ctrl+Y"),
        icon="redo",
        when=lambda s: s.undo_stack.canRedo(),
    ),
    ActionSpec(
        "find",
        EDIT,
        QT_TRANSLATE_NOOP("Actions", "&Find in the library"),
        keys=("Ctrl+F",),
        icon="search",
        separated=True,
    ),
    ActionSpec(
        "inspect",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "&Inspect"),
        QT_TRANSLATE_NOOP("Actions", "Judge the open scan with the chosen model"),
        ("Ctrl+I",),
        "inspect",
        when=lambda s: s.can_inspect,
    ),
    ActionSpec(
        "inspect_all",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "Inspect &all test scans"),
        QT_TRANSLATE_NOOP("Actions", "Judge every test scan of the category; the verdicts fill the library"),
        ("Ctrl+Shift+I",),
        "batch",
        when=lambda s: s.category is not None and s.model is not None and not s.jobs.is_busy_with("batch"),
    ),
    ActionSpec(
        "previous",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "&Previous scan"),
        keys=("Alt+Left", "P"),
        icon="previous",
        when=lambda s: bool(s.scans.walk()),
        separated=True,
    ),
    ActionSpec(
        "next",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "&Next scan"),
        keys=("Alt+Right", "N"),
        icon="next",
        when=lambda s: bool(s.scans.walk()),
    ),
    ActionSpec(
        "reset_thresholds",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "&Reset thresholds to calibrated"),
        keys=("Ctrl+0",),
        icon="reset",
        when=lambda s: s.threshold_control.by_hand,
        separated=True,
    ),
    ActionSpec(
        "train",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "&Train a model …"),
        QT_TRANSLATE_NOOP("Actions", "Fit a model on a folder of good parts"),
        ("Ctrl+T",),
        "train",
    ),
    ActionSpec(
        "combine",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "&Combine models …"),
        QT_TRANSLATE_NOOP("Actions", "Let several models of the category judge as one, and show who flags what"),
        (),
        "combine",
        when=lambda s: s.category is not None and len(candidates(s.catalog.models(s.category.name))) > 1,
    ),
    ActionSpec(
        "evaluate",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "E&valuate a model …"),
        QT_TRANSLATE_NOOP("Actions", "Measure how well a model tells good parts from defective ones"),
        ("Ctrl+Shift+E",),
        "evaluate",
    ),
    ActionSpec(
        "weights",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "Backbone &weights …"),
        QT_TRANSLATE_NOOP("Actions", "See, import, download or remove the weights that the methods see with"),
        ("Ctrl+Shift+W",),
        "weights",
    ),
    ActionSpec(
        "cancel",
        INSPECT,
        QT_TRANSLATE_NOOP("Actions", "&Stop the running work"),
        keys=("Ctrl+.",),
        icon="cancel",
        when=lambda s: s.jobs.busy,
    ),
    ActionSpec(
        "fit",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "&Fit the part"),
        keys=("F",),
        icon="fit",
        when=lambda s: s.scan is not None,
    ),
    ActionSpec(
        "view_iso", VIEW, QT_TRANSLATE_NOOP("Actions", "From the &corner"), keys=("7",), icon="view", separated=True
    ),
    ActionSpec("view_front", VIEW, QT_TRANSLATE_NOOP("Actions", "From the &front"), keys=("1",)),
    ActionSpec("view_back", VIEW, QT_TRANSLATE_NOOP("Actions", "From the &back"), keys=("2",)),
    ActionSpec("view_left", VIEW, QT_TRANSLATE_NOOP("Actions", "From the &left"), keys=("3",)),
    ActionSpec("view_right", VIEW, QT_TRANSLATE_NOOP("Actions", "From the &right"), keys=("4",)),
    ActionSpec("view_top", VIEW, QT_TRANSLATE_NOOP("Actions", "From &above"), keys=("5",)),
    ActionSpec("view_bottom", VIEW, QT_TRANSLATE_NOOP("Actions", "From be&low"), keys=("6",)),
    ActionSpec(
        "mode_heatmap",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "&Heatmap"),
        keys=("H",),
        when=lambda s: s.judged is not None,
        separated=True,
    ),
    ActionSpec(
        "mode_mask",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "&Mask of the defects"),
        keys=("M",),
        when=lambda s: s.judged is not None,
    ),
    ActionSpec(
        "mode_rgb",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "Colours of the &sensor"),
        keys=("C",),
        when=lambda s: s.scan is not None and s.scan.colors is not None,
    ),
    ActionSpec(
        "mode_plain",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "Plain s&urface"),
        keys=("S",),
        when=lambda s: s.scan is not None,
    ),
    ActionSpec(
        "mode_ground_truth",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "&Ground truth"),
        keys=("G",),
        when=lambda s: s.scan is not None and s.scan.labels is not None,
    ),
    ActionSpec(
        "show_picture",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "P&icture of the scan"),
        QT_TRANSLATE_NOOP("Actions", "Show an organised scan as its sensor saw it, with the map over it"),
        keys=("I",),
        separated=True,
        checkable=True,
    ),
    ActionSpec(
        "show_reconstruction",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "Reco&nstructed part"),
        QT_TRANSLATE_NOOP(
            "Actions", "Show what the part should have been in the place of what was measured; again: back"
        ),
        ("R",),
        when=lambda s: s.judged is not None and s.judged.scores.reconstruction is not None,
        separated=True,
        checkable=True,
    ),
    ActionSpec(
        "next_defect",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "Next &defect"),
        keys=("D",),
        icon="defect",
        when=lambda s: s.inspection is not None and len(s.inspection.defects) > 0,
        separated=True,
    ),
    ActionSpec(
        "explain",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "&Why here?"),
        QT_TRANSLATE_NOOP("Actions", "Show the good surface that the picked point was held against"),
        keys=("W",),
        icon="why",
        when=lambda s: s.explaining.can_ask,
    ),
    ActionSpec(
        "end_explanation",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "Cl&ose the explanation"),
        keys=("Esc",),
        icon="close",
        when=lambda s: s.explaining.active,
    ),
    ActionSpec(
        "flip_maps",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "Fl&ip between two maps"),
        QT_TRANSLATE_NOOP(
            "Actions", "Show the map that this one is compared with, or the one shown before; again: back"
        ),
        keys=("B",),
        icon="flip",
        when=lambda s: s.comparison.other is not None,
        separated=True,
    ),
    ActionSpec(
        "show_difference",
        VIEW,
        QT_TRANSLATE_NOOP("Actions", "Diff&erence of two maps"),
        QT_TRANSLATE_NOOP("Actions", "Show where this map says more or less than the one that it is compared with"),
        keys=("X",),
        when=lambda s: s.comparison.other is not None,
        checkable=True,
    ),
    ActionSpec("shortcuts", HELP, QT_TRANSLATE_NOOP("Actions", "&Keys and mouse"), keys=("F1", "?"), icon="help"),
    ActionSpec("guide", HELP, QT_TRANSLATE_NOOP("Actions", "Show the first &steps again"), icon="info"),
    ActionSpec("about", HELP, QT_TRANSLATE_NOOP("Actions", "&About Nominal"), separated=True),
)


def in_menu(menu: str) -> Iterator[ActionSpec]:
    """The actions of a menu, in order."""
    return (spec for spec in ACTIONS if spec.menu == menu)
