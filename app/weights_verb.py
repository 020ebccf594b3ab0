"""The verb ``weights``: which backbone weights there are, and bringing them here, away, or to the test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.console import Console
from core.errors import ConfigError, WeightsError
from core.progress import Cancelled

if TYPE_CHECKING:  # imported when an action needs them: `--help` must not wait for torch
    from core.backbones.weights import WeightSet

ACCEPTED, STOPPED = 0, 130

UNKNOWN = "unknown"


def add_weights_verb(
    verbs: Any, common: argparse.ArgumentParser, computing: argparse.ArgumentParser, units: Sequence[str]
) -> None:
    """Register the verb and its actions.

    Parameters
    ----------
    verbs : the parser's group of verbs
    common, computing : ArgumentParser
        The options of every verb, and of those that compute.
    units : sequence of str
        That scans may be in.
    """
    from app.weights_probe import MODALITIES, probe_weights

    help = "List the backbone weights, bring them here, or measure what features are worth."
    actions = verbs.add_parser("weights", help=help, description=help).add_subparsers(required=True, metavar="ACTION")

    def action(
        name: str, run: Callable[..., int], help: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = actions.add_parser(
            name, help=help, description=help, parents=[common, *parents]
        )
        added.set_defaults(verb=run)
        return added

    action("list", _list, "Which weights are here, which are missing, and which features each method would use now.")
    taken = action("import", _import, "Take weights from a file, recognised by its tensors.")
    taken.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a checkpoint (.pth or .safetensors)")
    taken.add_argument("--name", help="what to call it; default: the published set's name, or network and hash")
    fetched = action("download", _download, "Download a published set after you agreed to its terms.")
    fetched.add_argument("name", metavar="NAME", help="as `weights list` shows it")
    fetched.add_argument("--yes", action="store_true", help="agree without being asked")
    action("where", _where, "Say where your weights lie.")
    action("remove", _remove, "Delete a set that you imported or downloaded.").add_argument("name", metavar="NAME")
    probe = action(
        "probe", probe_weights, "Measure what features are worth, by PatchCore on labelled parts.", computing
    )
    probe.add_argument(
        "--category",
        action="append",
        default=[],
        metavar="DIR[:UNIT]",
        help=f"a labelled folder and the unit of its scans ({', '.join(units)}; default: mm); may be given several "
        "times; default: the demo parts",
    )
    probe.add_argument("--modality", choices=MODALITIES, help="what the features look at; default: each in turn")
    probe.add_argument("--features", metavar="NAME,...", help="joined by +, as configs name them; default: all here")
    probe.add_argument("--limit", type=int, metavar="N", help="use at most N good and N test scans of each part")
    probe.add_argument("--out", type=Path, metavar="FILE", help="write the table too: .json or .md")


def _list(options: argparse.Namespace, console: Console) -> int:
    from app.features_in_use import features_in_use
    from core.backbones.weights import known_weights

    in_use = features_in_use()
    known = known_weights()
    width = max(len(w.name) for w in known)
    for w in known:
        state = {"shipped": "ships", "user": "here", "missing": "missing"}[w.origin]
        size = w.size or w.published_size
        record = {
            "name": w.name,
            "title": w.title,
            "architecture": w.architecture,
            "state": state,
            "present": w.available,
            "bytes": size,
            "licence": w.licence,
            "terms": w.terms,
            "source": w.source,
            "url": w.url,
            "sha256": w.sha256,
            "used_by": [use.pipeline for use in in_use if use.uses(w.name)],
        }
        line = f"{state:<8} {w.name:<{width}}  {w.architecture:<16} {_megabytes(size):>9}  {w.licence:<13} {w.title}"
        console.result(record, line)
    console.say("\nFeatures in use where nothing else is chosen:")
    for use in in_use:
        console.say(f"  {use.title}: {use.missing or ', '.join(use.features) or 'none'}")
    console.say("Missing sets: weights download NAME, or weights import FILE where there is no network.")
    return ACCEPTED


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else UNKNOWN


def _import(options: argparse.Namespace, console: Console) -> int:
    from core.backbones.importing import import_weights

    if options.file is None:
        raise ConfigError("No file to import was named", "Write: weights import FILE")
    _brought(import_weights(options.file, name=options.name), console)
    return ACCEPTED


def _brought(weights: WeightSet, console: Console) -> None:
    record = {"name": weights.name, "architecture": weights.architecture, "sha256": weights.sha256}
    terms = f"\nTerms: {weights.terms}" if weights.terms else f"\nLicence: {weights.licence}"
    console.result(record, f"{weights.title} is here as {weights.name}.{terms}")


def _download(options: argparse.Namespace, console: Console) -> int:
    from core.backbones.downloading import download
    from core.backbones.weights import known

    chosen = known(options.name)
    if chosen is None or chosen.available or not chosen.url:
        with console.progress("Downloading") as progress:
            _brought(download(options.name, progress), console)  # it is here already, or says what is wrong
        return ACCEPTED
    console.problem(
        f"{chosen.title}\n  from     {chosen.url}\n  size     {_megabytes(chosen.published_size)}\n"
        f"  licence  {chosen.licence}\n  terms    {chosen.terms}"
    )
    if not options.yes and not _agreed():
        console.problem("Nothing was downloaded.")
        return STOPPED
    try:
        with console.progress("Downloading") as progress:
            _brought(download(options.name, progress), console)
    except Cancelled:
        console.problem("Stopped. What came so far is kept, and the next download goes on from it.")
        return STOPPED
    return ACCEPTED


def _agreed() -> bool:
    """Ask on the terminal.

    Raises
    ------
    WeightsError
        If there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise WeightsError("Nothing was downloaded: nobody was there to ask", "Add --yes if you agree to the terms")
    sys.stderr.write("Download it under these terms? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _where(options: argparse.Namespace, console: Console) -> int:
    from core.backbones.weights import shipped_folder, weights_folder

    folder = str(weights_folder())
    console.result({"folder": folder, "shipped": str(shipped_folder())}, folder)
    return ACCEPTED


def _remove(options: argparse.Namespace, console: Console) -> int:
    from core.backbones.weights import remove

    remove(options.name)
    console.result({"removed": options.name}, f"{options.name} was removed. Models that were trained with it need it.")
    return ACCEPTED
