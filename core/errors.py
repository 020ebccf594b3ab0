"""Errors that a user can meet.

Each one says what is wrong and what to do, so that the window and the command line can show it as it is. Anything
that is not a ``NominalError`` is a bug of the program.
"""

from __future__ import annotations


class NominalError(Exception):
    """Something a user caused or can mend.

    Parameters
    ----------
    problem : str
        What is wrong, with the file, line or field. One sentence, no full stop needed.
    remedy : str
        What the user can do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem.rstrip(".") + "."
        self.remedy = remedy.rstrip(".") + "."
        super().__init__(f"{self.problem} {self.remedy}")

    def __reduce__(self) -> tuple[type[NominalError], tuple[str, str]]:
        return type(self), (self.problem, self.remedy)


class ScanError(NominalError):
    """A scan that cannot be read or used."""


class CategoryError(NominalError):
    """A folder that is no category, or one whose content cannot be used."""


class ConfigError(NominalError):
    """A setting with a value it cannot take."""


class ModelError(NominalError):
    """A model file that is damaged, too new, or does not fit what it is asked to do."""


class WeightsError(NominalError):
    """Backbone weights that are missing, damaged or of another network."""


class RegistrationError(NominalError):
    """A scan that could not be brought into the pose of its category."""


class OutputError(NominalError):
    """Results that could not be written."""


class DeviceError(NominalError):
    """A device that was asked for and is not there, or ran out of memory for good."""
