"""Configs: every constant of a method as a documented, checked field.

A config is a frozen dataclass whose fields are made by ``setting``. The command line, the window's forms, the model
file and the docs are generated from what the fields declare.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from core.errors import ConfigError


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    features: str = "",
    paper: Any = None,
) -> Any:
    """A config field.

    Parameters
    ----------
    default : bool, int, float or str
    help : str
        What it does, in a sentence that an engineer understands.
    unit : str
        "mm", "epochs", "share", ...; empty for a plain number.
    low, high : float, optional
        The closed range of allowed values.
    choices : tuple of str
        Allowed values of a text field.
    features : str
        What kind of features a text field names, see ``core.pipelines.features``: "image", "point", or "weights:" and
        an architecture. Which there are depends on the computer: they are offered, and checked when they are used.
    paper : optional
        The paper's value, where it gives one.
    """
    metadata = {
        "help": help,
        "unit": unit,
        "low": low,
        "high": high,
        "choices": choices,
        "features": features,
        "paper": paper,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Setting:
    """What a config field declares."""

    name: str
    type: type
    default: Any
    help: str
    unit: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    features: str
    paper: Any

    def parse(self, text: str) -> Any:
        """The value that ``text`` stands for.

        Raises
        ------
        ConfigError
            If ``text`` is not of the field's type.
        """
        if self.type is bool:
            words = {
                "true": True,
                "yes": True,
                "1": True,
                "on": True,
                "false": False,
                "no": False,
                "0": False,
                "off": False,
            }
            if text.lower() in words:
                return words[text.lower()]
        else:
            try:
                return self.type(text)
            except ValueError:
                pass
        raise ConfigError(f"{self.name} = {text!r} is not {_ARTICLE[self.type]}", f"Give {self.name} {self.allowed}")

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is not None and self.high is not None:
            return f"{_ARTICLE[self.type]} from {self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"{_ARTICLE[self.type]} of at least {self.low:g}"
        if self.high is not None:
            return f"{_ARTICLE[self.type]} of at most {self.high:g}"
        return _ARTICLE[self.type]

    def check(self, value: Any) -> Any:
        """``value`` in the field's type, if it may be taken.

        Raises
        ------
        ConfigError
        """
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        fits = type(value) is self.type and (not self.choices or value in self.choices)
        if fits and self.type in (int, float):
            fits = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        if not fits:
            raise ConfigError(f"{self.name} = {value!r} cannot be used", f"Give {self.name} {self.allowed}")
        return value


_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
_ARTICLE: Mapping[type, str] = {bool: "yes or no", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class Config:
    """Base of every method's config. Subclasses are frozen dataclasses with ``setting`` fields only.

    ``PRESETS`` maps a preset's name to the fields in which it differs from the defaults.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "fast": {}}

    def __post_init__(self) -> None:
        for spec in self.settings():
            object.__setattr__(self, spec.name, spec.check(getattr(self, spec.name)))

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """What each field declares, in order."""
        hints = typing.get_type_hints(cls)
        return tuple(
            Setting(name=f.name, type=_plain(hints[f.name]), default=f.default, **f.metadata)
            for f in dataclasses.fields(cls)
        )

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The named preset, with these fields changed.

        Raises
        ------
        ConfigError
            If there is no such preset or field, or a value cannot be taken.
        """
        if name not in cls.PRESETS:
            raise ConfigError(f"There is no preset {name!r}", f"Choose one of {', '.join(cls.PRESETS)}")
        return cls.from_mapping({**cls.PRESETS[name], **changes})

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """A config from plain values; fields that are not named keep their default.

        Raises
        ------
        ConfigError
        """
        known = {f.name for f in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise ConfigError(f"There is no setting {name!r}", f"Choose among {', '.join(sorted(known))}")
        return cls(**values)

    @classmethod
    def parse(cls, preset: str, texts: Mapping[str, str]) -> Self:
        """The named preset with settings given as text, as on the command line."""
        specs = {spec.name: spec for spec in cls.settings()}
        values = {}
        for name, text in texts.items():
            if name not in specs:
                raise ConfigError(f"There is no setting {name!r}", f"Choose among {', '.join(specs)}")
            values[name] = specs[name].parse(text)
        return cls.preset(preset, **values)

    def named_features(self, *, images: bool) -> dict[str, str]:
        """The features that each field names that names some: what the method would use of them.

        Override it where another field decides what an automatic choice is for.

        Parameters
        ----------
        images : bool
            Whether the scans have photographs.
        """
        return {spec.name: getattr(self, spec.name) for spec in self.settings() if spec.features}

    def to_mapping(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return dataclasses.asdict(self)


def _plain(hint: Any) -> type:
    """The type of a field's values: bool, int, float or str (also for ``Literal`` and ``X | None``)."""
    if typing.get_origin(hint) is typing.Literal:
        return type(typing.get_args(hint)[0])
    if isinstance(hint, types.UnionType):
        raise TypeError("config fields are bool, int, float or str; use a value that means 'none'")
    return hint
