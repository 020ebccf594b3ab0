"""Which backbone weights there are, and where they lie.

A set is looked for in the user's weights folder first, then among those that ship with the program. In both, weights
are a ``.safetensors`` file with a ``.json`` card of the same name beside it. Sets that are published elsewhere are
known by their file's name, address, size and SHA-256, so that they can be told apart, downloaded and checked.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from core.errors import OutputError, WeightsError
from core.folders import data_folder

Origin = Literal["shipped", "user", "missing"]
_IMAGE_NETWORKS = ("wide_resnet50_2", "resnet18", "vit_base_patch8")


@dataclass(frozen=True)
class WeightSet:
    """Weights of one backbone.

    Attributes
    ----------
    name : str
        What a model remembers it by, such as ``point_mae-nominal``; also its file's name without the ending.
    title : str
        For people.
    architecture : str
        The network it belongs to: ``point_mae``, ``wide_resnet50_2``, ``resnet18``, ``vit_base_patch8``,
        ``pointnet_sdf`` or ``dus_net``.
    licence, source : str
        Under which terms it is published, and where it comes from.
    path : Path, optional
        Where it lies on this computer; None while it does not.
    origin : str
        ``shipped``, ``user`` (in the user's weights folder) or ``missing``.
    card : mapping
        What its maker says of it: data, steps, loss, probe; empty if nothing.
    terms : str
        One plain sentence on who may use it.
    file_name, url : str
        The file as published, and its address; empty if it is not published as a file.
    published_sha256 : str
        Of the published file: all 64 hexadecimal digits, or the first 8 where only its name says them; empty if
        unknown. Not the hash of ``path``, which is the program's own copy: that is ``sha256``.
    published_size : int
        Bytes of the published file; 0 if unknown.
    """

    name: str
    title: str
    architecture: str
    licence: str
    source: str
    path: Path | None = None
    origin: Origin = "missing"
    card: Mapping[str, Any] | None = None
    terms: str = ""
    file_name: str = ""
    url: str = ""
    published_sha256: str = ""
    published_size: int = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal; empty while it is missing."""
        return "" if self.path is None else file_sha256(self.path)

    @property
    def size(self) -> int:
        """Bytes of the file; 0 while it is missing."""
        return 0 if self.path is None else self.path.stat().st_size

    @property
    def available(self) -> bool:
        return self.path is not None

    @property
    def modality(self) -> Literal["image", "point"]:
        """What the network looks at."""
        return "image" if self.architecture in _IMAGE_NETWORKS else "point"

    def published_as(self, sha256: str) -> bool:
        """Whether a file with this SHA-256 is the published one; False where the published hash is unknown."""
        return bool(self.published_sha256) and sha256.startswith(self.published_sha256)

    def __hash__(self) -> int:
        return hash((self.name, self.path))


_IMAGENET = "learned from ImageNet, which is offered for non-commercial research"
_TORCHVISION = (
    f"BSD-3-Clause; {_IMAGENET}, and torchvision leaves it to the user to find out whether that permits the use."
)
_OWN = "Made by this project: free for any use under Apache-2.0."
_OWN_SOURCE = "Ships with Nominal; made by its verb 'pretrain'"

_KNOWN = (
    WeightSet(
        "point_mae-shapenet",
        "Point-MAE, official (ShapeNet, 300 epochs)",
        "point_mae",
        "MIT",
        "https://github.com/Pang-Yatian/Point-MAE",
        terms="MIT; learned from ShapeNet, which is offered for research: check its terms before commercial use.",
        file_name="pretrain.pth",
        url="https://github.com/Pang-Yatian/Point-MAE/releases/download/main/pretrain.pth",
        published_sha256="27ded932bb0a2625d5a8eb006df199b2578598c774aee6d86b985300b6a5fd20",
        published_size=348_288_755,
    ),
    WeightSet(
        "point_mae-nominal",
        "Point-MAE, trained by Nominal on procedural and open shapes",
        "point_mae",
        "Apache-2.0",
        _OWN_SOURCE,
        terms=_OWN,
    ),
    WeightSet(
        "wide_resnet50_2-imagenet1k_v1",
        "Wide-ResNet-50-2, torchvision (ImageNet, V1)",
        "wide_resnet50_2",
        "BSD-3-Clause",
        "https://pytorch.org/vision/stable/models/generated/torchvision.models.wide_resnet50_2.html",
        terms=_TORCHVISION,
        file_name="wide_resnet50_2-95faca4d.pth",
        url="https://download.pytorch.org/models/wide_resnet50_2-95faca4d.pth",
        published_sha256="95faca4d11227dddf8633dbb5ff6c8a9003c1aa5b8945c73834b8007b10950b8",
        published_size=138_223_492,
    ),
    WeightSet(
        "wide_resnet50_2-racm_in1k",
        "Wide-ResNet-50-2, timm (ImageNet, racm)",
        "wide_resnet50_2",
        "Apache-2.0",
        "https://huggingface.co/timm/wide_resnet50_2.racm_in1k",
        terms=f"Apache-2.0; {_IMAGENET}, and its maker makes no claim on what that means for the weights.",
        file_name="wide_resnet50_racm-8234f177.pth",
        url="https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/"
        "wide_resnet50_racm-8234f177.pth",
        published_sha256="8234f177",
    ),
    WeightSet(
        "wide_resnet50_2-nominal",
        "Wide-ResNet-50-2, trained by Nominal on images made by formula",
        "wide_resnet50_2",
        "Apache-2.0",
        _OWN_SOURCE,
        terms=_OWN,
    ),
    WeightSet(
        "resnet18-imagenet1k_v1",
        "ResNet-18, torchvision (ImageNet, V1)",
        "resnet18",
        "BSD-3-Clause",
        "https://pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html",
        terms=_TORCHVISION,
        file_name="resnet18-f37072fd.pth",
        url="https://download.pytorch.org/models/resnet18-f37072fd.pth",
        published_sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        published_size=46_830_571,
    ),
    WeightSet(
        "resnet18-imagenet1k_v1-folded",
        "ResNet-18 to layer3, torchvision (ImageNet, V1), batch norm folded",
        "resnet18",
        "BSD-3-Clause",
        "Made of torchvision's ResNet-18; not published as a file",
        terms=_TORCHVISION,
        file_name="resnet18_imagenet_conv1_layer3.safetensors",
        published_sha256="c598fc015ca0d0be21cc2a280d59231181d49c2c2e2824e30583799e16d6b99a",
        published_size=11_155_624,
    ),
    WeightSet(
        "resnet18-nominal",
        "ResNet-18, trained by Nominal on images made by formula",
        "resnet18",
        "Apache-2.0",
        _OWN_SOURCE,
        terms=_OWN,
    ),
    WeightSet(
        "vit_base_patch8-dino",
        "ViT-B/8, DINO (ImageNet, self-supervised)",
        "vit_base_patch8",
        "Apache-2.0",
        "https://github.com/facebookresearch/dino",
        terms=f"Apache-2.0; {_IMAGENET}.",
        file_name="dino_vitbase8_pretrain.pth",
        url="https://dl.fbaipublicfiles.com/dino/dino_vitbase8_pretrain/dino_vitbase8_pretrain.pth",
        published_sha256="575f0efc4838938314afa09897a62ed2b87919928b5edcd133abb907328995eb",
        published_size=343_279_349,
    ),
    WeightSet(
        "pointnet_sdf-nominal",
        "Patch distance field of IAENet's 3D expert, trained by Nominal on procedural shapes",
        "pointnet_sdf",
        "Apache-2.0",
        _OWN_SOURCE,
        terms=_OWN,
    ),
    WeightSet(
        "dus_net-nominal",
        "DUS-Net, trained by Nominal on procedural shapes",
        "dus_net",
        "Apache-2.0",
        _OWN_SOURCE,
        terms=_OWN,
    ),
)
"""In order of preference within an architecture."""


def weights_folder() -> Path:
    """The user's weights folder, ``$NOMINAL_WEIGHTS`` if set. It need not exist."""
    chosen = os.environ.get("NOMINAL_WEIGHTS")
    return Path(chosen) if chosen else data_folder() / "weights"


def shipped_folder() -> Path:
    """Where the sets that ship lie."""
    return Path(str(importlib.resources.files("resources").joinpath("weights")))


def downloads_folder() -> Path:
    """Where downloads lie until they are whole and checked. It need not exist."""
    return weights_folder() / "downloads"


def known_weights() -> tuple[WeightSet, ...]:
    """Every set that is here or can be downloaded: published ones, shipped ones and the user's own.

    Those of the program's table come first, in order of preference, then the user's own by name.
    """
    return tuple(w for w in _table() if w.available or w.url)


def _table() -> tuple[WeightSet, ...]:
    """``known_weights``, and those of the table that are neither here nor to be had as a file."""
    found: dict[str, WeightSet] = {}
    folders: tuple[tuple[Path, Origin], ...] = ((weights_folder(), "user"), (shipped_folder(), "shipped"))
    for folder, origin in folders:
        if folder.is_dir():
            for path in sorted(folder.glob("*.safetensors")):
                made = _from_file(path, origin)
                if made is not None:
                    found.setdefault(made.name, made)
    table = [_placed(known, found.pop(known.name, None)) for known in _KNOWN]
    return (*table, *sorted(found.values(), key=lambda w: w.name))


def available_weights(architecture: str | None = None) -> tuple[WeightSet, ...]:
    """The sets that lie on this computer, of one architecture or of all, best first."""
    return tuple(w for w in known_weights() if w.available and architecture in (None, w.architecture))


def default_weights(architecture: str) -> WeightSet:
    """The set to use where the user has chosen none: the first available one.

    Raises
    ------
    WeightsError
        If there is none of this architecture.
    """
    sets = available_weights(architecture)
    if not sets:
        published = next((w for w in known_weights() if w.architecture == architecture), None)
        raise WeightsError(
            f"There are no {architecture} weights on this computer",
            how_to_get(published) if published else "Import weights of this network: weights import FILE",
        )
    return sets[0]


def find(name: str) -> WeightSet:
    """The available set of that name.

    Raises
    ------
    WeightsError
        If there is none; the message says where to get it if the program knows.
    """
    chosen = known(name)
    if chosen is not None and chosen.available:
        return chosen
    if chosen is not None:
        raise WeightsError(f"The weights {name!r} are not on this computer", how_to_get(chosen))
    here = ", ".join(w.name for w in available_weights()) or "none"
    raise WeightsError(f"There are no weights named {name!r}", f"Import them, or use one of: {here}")


def known(name: str) -> WeightSet | None:
    """The set of that name, here or missing; None if the program does not know it."""
    return next((w for w in _table() if w.name == name), None)


def recognise(sha256: str) -> WeightSet | None:
    """The published set whose file has this SHA-256, here or missing; None if it is none's."""
    return next((w for w in _table() if w.published_as(sha256)), None)


def how_to_get(weights: WeightSet) -> str:
    """What to do to have a set that is missing, as one sentence."""
    if weights.url:
        return (
            f"Download it (weights download {weights.name}), or fetch {weights.url} on another computer and import "
            f"the file (weights import {weights.file_name})"
        )
    return f"Import a file of it (weights import FILE --name {weights.name}). Its source: {weights.source}"


def remove(name: str) -> None:
    """Delete a set from the user's weights folder, and what was begun to be downloaded of it.

    Raises
    ------
    WeightsError
        If it ships with the program, or is not here.
    OutputError
        If the file cannot be deleted.
    """
    chosen = known(name)
    begun = downloads_folder() / f"{chosen.file_name}.part" if chosen and chosen.file_name else None
    if chosen is None or (not chosen.available and not (begun and begun.exists())):
        raise WeightsError(f"There are no weights named {name!r} on this computer", "See: weights list")
    if chosen.origin == "shipped":
        raise WeightsError(f"{name!r} ships with the program and stays", "Remove sets that you imported")
    try:
        if begun is not None:
            begun.unlink(missing_ok=True)
        if chosen.path is not None:
            # The card goes last: a file without its card would be invisible and never removed.
            chosen.path.unlink(missing_ok=True)
            chosen.path.with_suffix(".json").unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{error.filename or name} could not be removed ({error.strerror or error})",
            "Close what uses it and try again",
        ) from error


def verify(weights: WeightSet, sha256: str) -> None:
    """Check that a set is the one that a model was fitted with.

    Raises
    ------
    WeightsError
        If its file has another SHA-256.
    """
    if weights.sha256 != sha256:
        raise WeightsError(
            f"The weights {weights.name!r} on this computer (SHA-256 {weights.sha256[:12]}…) are not those of the "
            f"model ({sha256[:12]}…)",
            "Import the weights the model was trained with, or train it again",
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; remembered until the file changes.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        status = path.stat()
        return _sha256(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error})", "Check the file") from error


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _placed(known: WeightSet, found: WeightSet | None) -> WeightSet:
    """A set of the table, with the file that was found for it, if any."""
    if found is None or found.architecture != known.architecture:
        return known
    title = str((found.card or {}).get("title", known.title)) if found.origin == "user" else known.title
    return replace(known, title=title, path=found.path, origin=found.origin, card=found.card)


def _from_file(path: Path, origin: Origin) -> WeightSet | None:
    """The set in a file with a card; None where the card is missing or says no architecture."""
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(card, dict) or not isinstance(card.get("architecture"), str):
        return None
    return WeightSet(
        path.stem,
        str(card.get("title", path.stem)),
        card["architecture"],
        str(card.get("licence", "unknown")),
        str(card.get("source", "unknown")),
        path,
        origin,
        card,
        terms=str(card.get("terms", "")),
    )
