"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import OutputError
from core.files import check_writable, check_writable_folder, written_whole


def test_success_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    for text in ("one", "two"):
        with written_whole(target) as temporary:
            temporary.write_text(text)
    assert target.read_text() == "two"
    assert list(target.parent.iterdir()) == [target]


def test_failure_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_half() -> None:
        with written_whole(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"), written_whole(tmp_path / "file" / "x.txt"):
        pass


def test_where_a_file_may_be_written_is_told_beforehand(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "deeper" / "x.txt")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    check_writable(tmp_path / "file")
    for closed in (tmp_path / "file" / "x.txt", tmp_path / "file" / "deeper" / "x.txt"):
        with pytest.raises(OutputError, match="could not be written"):
            check_writable(closed)
        with pytest.raises(OutputError, match="could not be written"):
            check_writable_folder(closed)
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(tmp_path)
    check_writable_folder(tmp_path)
    check_writable_folder(tmp_path / "new" / "deeper")
