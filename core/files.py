"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import OutputError


def check_writable(path: Path) -> None:
    """Make sure that the file ``path`` could be written, before work is done for it. Leaves nothing behind.

    Raises
    ------
    OutputError
        If its folder cannot be written to, or if ``path`` is a folder itself.
    """
    if path.is_dir():
        raise OutputError(f"{path} could not be written: it is a folder", "Name a file, in it or elsewhere")
    check_writable_folder(path.parent)


def check_writable_folder(folder: Path) -> None:
    """Make sure that files could be written to ``folder``, which need not be there yet. Leaves nothing behind.

    Raises
    ------
    OutputError
        If it, or the nearest folder above it that is there, cannot be written to.
    """
    whole = folder.absolute()
    nearest = next((level for level in (whole, *whole.parents) if level.exists()), whole)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise _not_written(folder, error) from error


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success sync it and rename it to ``path``, on failure delete it.

    Raises
    ------
    OutputError
        If the folder cannot be made or written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _not_written(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} could not be written ({error.strerror or error})",
        "Choose a folder that you may write to and that has room",
    )
