"""Downloads, from a server on this computer: whole and checked, or nothing; going on after a break."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.backbones import downloading
from core.backbones import weights as sets
from core.backbones.downloading import download
from core.errors import OutputError, WeightsError
from core.progress import CallbackProgress, Cancelled, Progress

NAME = "resnet18-imagenet1k_v1"


@dataclass
class Server:
    """What the server gives and how, and what it was asked for."""

    content: bytes
    url: str = ""
    ranges: bool = True
    breaks_after: int | None = None
    status: int | None = None
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(trunk_tensors: Mapping[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that gives a checkpoint of ResNet-18, to which the table's address, size and hash point."""
    torch.save(dict(trunk_tensors), tmp_path / "checkpoint.pth")
    given = Server((tmp_path / "checkpoint.pth").read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            given.asked.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and given.ranges else 0
            if given.status or start >= len(given.content):
                self.send_error(given.status or 416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(given.content) - start))
            self.end_headers()
            self.wfile.write(given.content[start : given.breaks_after])

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    given.url = f"http://127.0.0.1:{running.server_port}/resnet18-f37072fd.pth"
    point_at(monkeypatch, url=given.url)(given.content)
    yield given
    running.shutdown()
    running.server_close()
    thread.join()


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> Callable[[bytes], None]:
    """Let the table's entry point at an address and expect a content there."""

    def expect(content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        changed = [
            replace(w, url=url, published_sha256=digest, published_size=len(content)) if w.name == NAME else w
            for w in sets._KNOWN
        ]
        monkeypatch.setattr(sets, "_KNOWN", tuple(changed))

    return expect


@pytest.fixture
def begun(weights_home: Path) -> Path:
    """Where a download grows."""
    path = weights_home / "downloads" / "resnet18-f37072fd.pth.part"
    path.parent.mkdir(parents=True)
    return path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_is_imported_under_its_published_name(
    server: Server, weights_home: Path, trunk_tensors: Mapping[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "_CHUNK", 1 << 16)
    seen: list[tuple[float, str]] = []
    taken = download(NAME, CallbackProgress(lambda fraction, what: seen.append((fraction, what))))
    assert (taken.name, taken.origin, taken.architecture) == (NAME, "user", "resnet18")
    assert taken == sets.find(NAME)
    assert left(weights_home) == [f"{NAME}.json", f"{NAME}.safetensors"]
    assert server.asked == [None]
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(f"of {len(server.content) / 1e6:.1f} MB" in what for _, what in seen)
    assert download(NAME, Progress()) == taken  # it is there: nothing is asked for again
    assert server.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(server: Server, begun: Path, ranges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_CHUNK", 1 << 14)
    server.ranges, server.breaks_after = ranges, len(server.content) // 2
    with pytest.raises(WeightsError, match=r"the connection to 127\.0\.0\.1 broke") as caught:
        download(NAME, Progress())
    assert server.url in caught.value.remedy
    came = begun.read_bytes()
    assert came
    assert server.content.startswith(came)
    assert NAME not in {one.name for one in sets.available_weights("resnet18")}
    server.breaks_after = None
    assert download(NAME, Progress()).available
    assert server.asked == [None, f"bytes={len(came)}-"]
    assert not begun.exists()


def test_a_whole_file_that_was_not_imported_yet_is_not_fetched_again(server: Server, begun: Path) -> None:
    begun.write_bytes(server.content)
    assert download(NAME, Progress()).available
    assert server.asked == []


def test_another_file_is_not_imported_and_deleted(server: Server, weights_home: Path) -> None:
    content = bytearray(server.content)
    content[-1] ^= 1
    server.content = bytes(content)
    with pytest.raises(WeightsError, match="is not the published file"):
        download(NAME, Progress())
    assert left(weights_home) == []


def test_a_rest_of_another_file_is_found_out(server: Server, weights_home: Path, begun: Path) -> None:
    begun.write_bytes(b"rest of another file")
    with pytest.raises(WeightsError, match="is not the published file"):
        download(NAME, Progress())
    assert left(weights_home) == []
    assert download(NAME, Progress()).available


def test_eight_digits_of_the_hash_are_checked_where_no_more_is_known(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = [
        replace(w, published_sha256=w.published_sha256[:8], published_size=0) if w.name == NAME else w
        for w in sets._KNOWN
    ]
    monkeypatch.setattr(sets, "_KNOWN", tuple(cut))
    good, server.content = server.content, server.content[:-1] + b"\x01"
    with pytest.raises(WeightsError, match="is not the published file"):
        download(NAME, Progress())
    server.content = good
    assert download(NAME, Progress()).available


def test_a_rest_that_is_too_long_is_found_out(server: Server, begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unsized = [replace(w, published_size=0) if w.name == NAME else w for w in sets._KNOWN]
    monkeypatch.setattr(sets, "_KNOWN", tuple(unsized))
    begun.write_bytes(server.content + b"more")
    with pytest.raises(WeightsError, match="is not the published file"):
        download(NAME, Progress())
    assert download(NAME, Progress()).available


def test_cancelling_keeps_what_came_and_imports_nothing(
    server: Server, weights_home: Path, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "_CHUNK", 1 << 14)

    def stop(fraction: float, what: str) -> None:
        if " of " in what and fraction > 0.2:
            progress.cancel()

    progress = CallbackProgress(stop)
    with pytest.raises(Cancelled):
        download(NAME, progress)
    assert 0 < begun.stat().st_size < len(server.content)
    assert left(weights_home) == [begun.name]
    assert download(NAME, Progress()).available
    assert server.asked[1] is not None


def test_a_server_that_refuses_is_quoted(server: Server, weights_home: Path) -> None:
    server.status = 404
    with pytest.raises(WeightsError, match="the server answered 404"):
        download(NAME, Progress())


def test_without_a_network_the_remedy_is_the_address_and_the_import(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = "http://127.0.0.1:9/resnet18-f37072fd.pth"  # the discard port: nothing listens
    point_at(monkeypatch, url=closed)(server.content)
    with pytest.raises(WeightsError, match="could not be reached") as caught:
        download(NAME, Progress())
    assert closed in caught.value.remedy
    assert "weights import resnet18-f37072fd.pth" in caught.value.remedy


@pytest.mark.parametrize("name", ["point_mae-nominal", "nothing", "resnet18-nominal"])
def test_sets_without_an_address_are_not_downloaded(name: str) -> None:
    with pytest.raises(WeightsError, match="cannot be downloaded") as caught:
        download(name, Progress())
    assert NAME in caught.value.remedy


def test_a_folder_that_cannot_be_written_is_named(server: Server, weights_home: Path) -> None:
    weights_home.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="could not be written"):
        download(NAME, Progress())
