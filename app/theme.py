"""The light and the dark theme: colours, palette and style sheet. Follows the system unless the user chose one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import resources
from string import Template

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

CHOICES = ("system", "light", "dark")


@dataclass(frozen=True)
class Theme:
    """One theme's colours as ``#rrggbb``. Text on its ground keeps a contrast of at least 4.5 (WCAG AA)."""

    name: str
    dark: bool
    window: str
    base: str
    raised: str
    text: str
    muted: str
    border: str
    accent: str
    on_accent: str
    hover: str
    selection: str
    scan_bars: str
    good_bars: str
    point_line: str
    part_line: str
    accept: str
    review: str
    reject: str


LIGHT = Theme(
    name="light",
    dark=False,
    window="#f3f4f6",
    base="#ffffff",
    raised="#ffffff",
    text="#1b1f24",
    muted="#57606a",
    border="#cfd5dc",
    accent="#0b62b8",
    on_accent="#ffffff",
    hover="#e4e9ef",
    selection="#cbe1f8",
    scan_bars="#c2571a",
    good_bars="#5b7ea6",
    point_line="#b3261e",
    part_line="#6f2da8",
    accept="#1a7f37",
    review="#8a5c00",
    reject="#b3261e",
)

DARK = Theme(
    name="dark",
    dark=True,
    window="#1d2025",
    base="#15171b",
    raised="#262a31",
    text="#e8eaed",
    muted="#a3acb7",
    border="#3b4149",
    accent="#5aa9ff",
    on_accent="#0b1726",
    hover="#30353d",
    selection="#27496d",
    scan_bars="#f0904e",
    good_bars="#7fa6d1",
    point_line="#ff6b61",
    part_line="#c792ff",
    accept="#4cc26a",
    review="#e3b341",
    reject="#ff6b61",
)


def palette(theme: Theme) -> QPalette:
    """The Qt palette of a theme."""
    result = QPalette()
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.base,
        role.AlternateBase: theme.window,
        role.Text: theme.text,
        role.PlaceholderText: theme.muted,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: "#ffffff",
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Highlight: theme.selection,
        role.HighlightedText: theme.text,
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Light: theme.raised,
        role.Midlight: theme.hover,
        role.Mid: theme.border,
        role.Dark: theme.border,
        role.Shadow: "#000000",
    }
    for name, colour in colours.items():
        result.setColor(name, QColor(colour))
    faded = QColor(theme.muted)
    faded.setAlphaF(0.6)
    for name in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, name, faded)
    result.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(theme.border))
    return result


def style_sheet(theme: Theme) -> str:
    """The few rules that a palette cannot say, from ``resources/theme/nominal.qss``."""
    text = (resources.files("resources") / "theme" / "nominal.qss").read_text("utf-8")
    drawing = "check-dark.svg" if theme.dark else "check.svg"
    with resources.as_file(resources.files("resources") / "icons" / drawing) as check:
        return Template(text).substitute(asdict(theme), check=check.as_posix())


class ThemeController(QObject):
    """Keeps the application in the chosen theme, and says when it changes."""

    changed = Signal(object)

    def __init__(self, choice: str = "system", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._choice = choice if choice in CHOICES else "system"
        self.theme = self._wanted()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)

    @property
    def choice(self) -> str:
        return self._choice

    def choose(self, choice: str) -> None:
        """Take "system", "light" or "dark"."""
        self._choice = choice
        self.apply()

    def apply(self) -> None:
        """Dress the application."""
        self.theme = self._wanted()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.setPalette(palette(self.theme))
            application.setStyleSheet(style_sheet(self.theme))
        self.changed.emit(self.theme)

    def _wanted(self) -> Theme:
        if self._choice == "system":
            return DARK if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT
        return DARK if self._choice == "dark" else LIGHT

    def _follow(self) -> None:
        if self._choice == "system" and self._wanted() != self.theme:
            self.apply()
