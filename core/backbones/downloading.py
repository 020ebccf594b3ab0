"""Fetching published weights from their address, when the user has agreed to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from core.backbones.importing import import_weights
from core.backbones.weights import WeightSet, downloads_folder, file_sha256, known, known_weights
from core.errors import OutputError, WeightsError
from core.progress import Progress

if TYPE_CHECKING:  # imported when something is fetched: listing weights must not wait for it
    from requests import Response

_CHUNK = 1 << 18
_TIMEOUT = 30.0  # seconds without an answer
_FETCHING = 0.9  # share of the progress; the rest is checking and importing
_MEGABYTE = 1e6


def download(name: str, progress: Progress) -> WeightSet:
    """Fetch a published set, check its SHA-256 and import it.

    The file grows in ``downloads_folder()``. If the work is cancelled or the connection breaks, what is there stays and
    the next call goes on from it where the server allows. Only a whole file with the right hash is imported, and then
    the download is deleted. Call this only after the user agreed: it uses the network.

    Parameters
    ----------
    name : str
        Of a set with an address (``WeightSet.url``).

    Returns
    -------
    WeightSet
        As it now lies in the user's weights folder; the present one if it was there already.

    Raises
    ------
    WeightsError
        If there is no such set, it cannot be downloaded, the address cannot be reached (the remedy says how to get the
        file without a network), or what came is not the published file.
    OutputError
        If the folder cannot be written.
    Cancelled
    """
    chosen = known(name)
    if chosen is None or not chosen.url:
        names = ", ".join(w.name for w in known_weights() if w.url)
        raise WeightsError(f"{name!r} cannot be downloaded: it has no address", f"Choose one of: {names}")
    if chosen.available:
        return chosen
    whole = downloads_folder() / chosen.file_name
    begun = whole.with_name(whole.name + ".part")
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        _fetch(chosen, begun, progress.part(0.0, _FETCHING, f"Downloading {chosen.file_name}"))
        progress.update(_FETCHING, "Checking the file")
        _check(chosen, begun)
        begun.replace(whole)
    except OSError as error:
        raise OutputError(
            f"{begun} could not be written ({error.strerror or error})",
            "Choose a weights folder ($NOMINAL_WEIGHTS) that you may write to and that has room",
        ) from error
    try:
        progress.update(0.95, "Importing")
        imported = import_weights(whole)
    finally:
        whole.unlink(missing_ok=True)
    progress.update(1.0, "Done")
    return imported


def _fetch(weights: WeightSet, begun: Path, progress: Progress) -> None:
    """Make ``begun`` the whole file, going on from what it holds already."""
    import pooch
    import requests

    have = begun.stat().st_size if begun.exists() else 0
    if weights.published_size and have >= weights.published_size:
        return
    progress.update(0.0, "connecting")
    with begun.open("ab") as file:
        bar = _Bar(progress, weights.published_size)
        headers = {"Accept-Encoding": "identity"}  # what is fetched must be the published bytes, to go on within them
        if have:
            headers["Range"] = f"bytes={have}-"

        def started(response: Response, *args: object, **kwargs: object) -> None:
            if response.ok and not response.is_redirect:
                if response.status_code != requests.codes.partial_content:
                    file.seek(0)  # the server sends all of it again
                    file.truncate()
                bar.start(file, int(response.headers.get("content-length", 0)))

        fetch = pooch.HTTPDownloader(
            progressbar=bar, chunk_size=_CHUNK, timeout=_TIMEOUT, headers=headers, hooks={"response": started}
        )
        try:
            fetch(weights.url, file, None)
        except requests.HTTPError as error:
            status = error.response.status_code
            if status == requests.codes.requested_range_not_satisfiable:
                return  # it is whole already, or was never this file: the hash will tell
            raise _unreachable(weights, f"the server answered {status}") from error
        except requests.RequestException as error:
            host = urlsplit(weights.url).hostname
            if file.tell() > have:
                raise _unreachable(weights, f"the connection to {host} broke; what came is kept") from error
            raise _unreachable(weights, f"{host} could not be reached") from error


def _unreachable(weights: WeightSet, reason: str) -> WeightsError:
    return WeightsError(
        f"{weights.name} could not be downloaded: {reason}",
        f"Try again, or fetch {weights.url} on another computer and import the file here: weights import "
        f"{weights.file_name}",
    )


def _check(weights: WeightSet, begun: Path) -> None:
    """Delete ``begun`` and say so if it is not the published file."""
    found = file_sha256(begun)
    if not weights.published_as(found):
        size = begun.stat().st_size
        begun.unlink()
        raise WeightsError(
            f"What {weights.url} gave ({size:,} bytes, SHA-256 {found[:12]}…) is not the published file (SHA-256 "
            f"{weights.published_sha256[:12]}…) and was deleted",
            "Try again; if it stays so, something on the way changes the file, or it was replaced",
        )


class _Bar:
    """Tells pooch's downloader's steps to a progress; cancelling raises out of it."""

    def __init__(self, progress: Progress, published_size: int) -> None:
        self.total = 0  # pooch sets it
        self._progress, self._whole = progress, published_size
        self._file: BinaryIO | None = None

    def start(self, file: BinaryIO, coming: int) -> None:
        """What the file holds and what is still coming are known."""
        self._file = file
        self._whole = self._whole or file.tell() + coming

    def update(self, count: int) -> None:
        if self._file is None:
            return
        have = self._file.tell()
        if self._whole:
            text = f"{have / _MEGABYTE:.1f} of {self._whole / _MEGABYTE:.1f} MB"
            self._progress.update(have / self._whole, text)
        else:
            self._progress.update(0.0, f"{have / _MEGABYTE:.1f} MB")

    def reset(self) -> None:
        """Pooch calls it at the end."""

    def close(self) -> None:
        """Pooch calls it at the end."""
