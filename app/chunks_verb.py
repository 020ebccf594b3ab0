"""The verb ``chunks``: long scans into one HDF5 set of chunks, and such a set into a folder of scans."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.console import Console
from core.errors import ConfigError

DONE = 0


def add_chunks_verb(verbs: Any, common: argparse.ArgumentParser, units: Sequence[str]) -> None:
    """Register the verb.

    Parameters
    ----------
    verbs : the parser's group of verbs
    common : ArgumentParser
        The options of every verb.
    units : sequence of str
        That scans may be in.
    """
    help = "Write long scans as one HDF5 set of chunks, or such a set as a folder of scans to train on."
    chunks = verbs.add_parser("chunks", help=help, description=help)
    ways = chunks.add_subparsers(required=True, metavar="WAY")
    told = "Cut scans into chunks and write them as one set (docs/cmdr_iad_strips.md tells its layout)."
    pack = ways.add_parser("pack", help=told, description=told, parents=[common])
    pack.set_defaults(verb=_pack)
    pack.add_argument(
        "paths", type=Path, nargs="+", metavar="PATH", help="a scan, or a folder that is searched through"
    )
    pack.add_argument("--size", type=int, default=9216, help="points of a chunk; default: %(default)s")
    told = "Write the scans of a set into DIR: good ones into train/good, those with defective chunks into test/defect."
    unpack = ways.add_parser("unpack", help=told, description=told, parents=[common])
    unpack.set_defaults(verb=_unpack)
    unpack.add_argument("set", type=Path, metavar="SET", help="an HDF5 set of chunks")
    for way, metavar, what in ((pack, "FILE", "the set to write (.h5)"), (unpack, "DIR", "where the scans go")):
        way.add_argument("--unit", choices=units, default="mm", help="of the coordinates; default: %(default)s")
        way.add_argument("--out", type=Path, required=True, metavar=metavar, help=what)


def _pack(options: argparse.Namespace, console: Console) -> int:
    from core.datasets.category import scan_paths
    from core.datasets.chunk_sets import chunk_set, write_chunk_set
    from core.formats.reader import read_scan

    if options.size < 1:
        raise ConfigError(f"--size {options.size} is no number of points", "Give 9216 or 4096, as the paper does")
    found = [(path, key) for given in options.paths for path, key in scan_paths(given)]
    made = chunk_set([read_scan(path, unit=options.unit).replaced(name=key) for path, key in found], options.size)
    write_chunk_set(options.out, made)
    record = {
        "set": str(options.out),
        "scans": len(found),
        "chunks": len(made.data),
        "defective": int(made.label.sum()),
    }
    counts = f"{record['chunks']} chunks of {record['scans']} scans, {record['defective']} defective"
    console.result(record, f"{options.out} written: {counts}.")
    return DONE


def _unpack(options: argparse.Namespace, console: Console) -> int:
    import numpy as np

    from core.datasets.chunk_sets import read_chunk_set
    from core.formats.ply_writer import write_ply

    chunks = read_chunk_set(options.set, unit=options.unit)
    written = {"train/good": 0, "test/defect": 0}
    for number, scan in enumerate(chunks.scans()):
        place = "test/defect" if chunks.defective(number) else "train/good"
        assert scan.labels is not None
        name = scan.name.replace("/", "_")
        write_ply(options.out / place / f"{name}.ply", scan.points, fields={"label": scan.labels.astype(np.uint8)})
        written[place] += 1
    console.result(
        {"folder": str(options.out), "good": written["train/good"], "defective": written["test/defect"]},
        f"{written['train/good']} good scans and {written['test/defect']} defective ones written to {options.out}.",
    )
    return DONE
