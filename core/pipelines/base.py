"""The contract that every method keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from core.pipelines import config as configs
from core.pipelines.explanation import Explanation
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan
from core.scores import Scores


class Pipeline(ABC):
    """A method with its config; fitted for one category it is the core of a model.

    The constructor only stores: no data, no files, no device work. ``fit`` forgets any earlier fit. ``score`` gives the
    same scores for the same scan, state and seed, in the order and frame of the scan's points.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    summary: ClassVar[str]
    """One sentence for the user: what the method looks at and when to choose it."""
    reference: ClassVar[bool] = False
    """Whether it is a reference to hold the papers' methods against."""
    min_scans: ClassVar[int] = 1
    """Fewest good scans that it can be fitted on."""
    ordered: ClassVar[bool] = False
    """Whether the order of a scan's points counts, as the order in which they were measured."""
    explains: ClassVar[bool] = False
    """Whether ``explain`` shows good surfaces; where not, it gives None for every point."""
    Config: ClassVar[type[configs.Config]]

    def __init__(self, config: configs.Config, runtime: Runtime) -> None:
        self.config: Any = config
        self.runtime = runtime

    @abstractmethod
    def fit(self, scans: Sequence[Scan], progress: Progress) -> None:
        """Learn from good scans. Cancelling or failing leaves the pipeline unfitted.

        Raises
        ------
        ScanError
            If a scan lacks what the method needs; it names the scan and the remedy.
        Cancelled
        """

    @abstractmethod
    def score(self, scan: Scan, progress: Progress) -> Scores:
        """Judge one scan.

        Raises
        ------
        ScanError, RegistrationError
            If the scan cannot be judged; it names the scan and the remedy.
        Cancelled
        """

    @abstractmethod
    def state(self) -> dict[str, NDArray[Any]]:
        """Everything fitted, as plain arrays. Keys may hold ``/`` to group."""

    @abstractmethod
    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take what ``state`` gave: the scores are then bit-equal on the same device."""

    def explain(self, scan: Scan, point: int, progress: Progress) -> Explanation | None:
        """The good surface that the score of a point rests on; None for methods that compare with none.

        Parameters
        ----------
        scan : Scan
            Judged or not; it is looked at again.
        point : int
            Index into its points.

        Raises
        ------
        ScanError, RegistrationError
            If the scan or this point of it cannot be judged.
        Cancelled
        """
        return None

    def lacks(self, scan: Scan) -> str | None:
        """What a scan lacks of what the model was trained with, for methods that could judge it without.

        Parameters
        ----------
        scan : Scan
            Not yet judged; looked at no closer than what it holds.

        Returns
        -------
        str or None
            A few words that end the sentence "the scan has ..." ("no RGB image"); None where it lacks nothing, and
            before a fit. ``score`` refuses a scan that lacks something.
        """
        return None

    def reduced(self) -> Pipeline | None:
        """The same fit judging by less: in the mode that needs nothing which ``lacks`` can name.

        Its scores have a scale of their own, so that it has thresholds of its own.

        Returns
        -------
        Pipeline or None
            Fitted, sharing what was learnt; None where there is no such mode, and before a fit.
        """
        return None

    @property
    def weights(self) -> Mapping[str, str]:
        """Backbone weights in use: set name to SHA-256. Empty for methods without a backbone."""
        return {}
