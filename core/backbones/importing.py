"""Taking weights from a file of the user's into the user's weights folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from core.backbones.checkpoints import read_tensors, save_weights
from core.backbones.point_mae import PointMAE, point_mae_tensors
from core.backbones.resnet import ResNet, resnet18_tensors, wide_resnet50_2_tensors
from core.backbones.vit import VitBase8, vit_base_patch8_tensors
from core.backbones.weights import WeightSet, file_sha256, find, known, recognise, weights_folder
from core.errors import WeightsError


@dataclass(frozen=True)
class Architecture:
    """A network that weights can be imported for.

    Attributes
    ----------
    name, title : str
        As sets name it, and for people.
    pick : callable
        Picks the network's tensors out of a checkpoint, or says by a ``WeightsError`` why it cannot.
    build : callable
        Makes the network, to compare names and shapes with.
    prefixes : tuple of str
        What published checkpoints may have before the network's own names.
    """

    name: str
    title: str
    pick: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    build: Callable[[], nn.Module]
    prefixes: tuple[str, ...] = ()

    def likeness(self, tensors: Mapping[str, Tensor]) -> float:
        """How much of the network a checkpoint holds: names count a half, names with the right shape a whole. 0 to 1.

        Counters of batch norm are left out: many files lack them.
        """
        with torch.device("meta"):
            expected = {n: t.shape for n, t in self.build().state_dict().items() if not n.endswith("batches_tracked")}
        shapes = {self._bare(name): tensor.shape for name, tensor in tensors.items()}
        right = sum(shapes.get(name) == shape for name, shape in expected.items())
        return (sum(name in shapes for name in expected) + right) / (2 * len(expected))

    def _bare(self, name: str) -> str:
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name


ARCHITECTURES = (
    Architecture("point_mae", "Point-MAE", point_mae_tensors, PointMAE, ("MAE_encoder.",)),
    Architecture(
        "wide_resnet50_2", "Wide-ResNet-50-2", wide_resnet50_2_tensors, partial(ResNet, "wide_resnet50_2", stages=1)
    ),
    Architecture("resnet18", "ResNet-18", resnet18_tensors, partial(ResNet, "resnet18", stages=1)),
    Architecture("vit_base_patch8", "ViT-B/8", vit_base_patch8_tensors, VitBase8, ("backbone.",)),
)
"""Every network that files are recognised as. A trunk may end after its first stage, so likeness looks at that."""

_TAKEN = ("auto", "fpfh", "oriented_energy")  # features without weights go by these names
_UNLIKE = 0.25  # below this a file has so little of every network that naming the nearest would mislead


def import_weights(path: Path, *, name: str | None = None) -> WeightSet:
    """Bring a checkpoint into the user's weights folder as safetensors.

    What it is follows from the names and shapes of its tensors, not from the file's name, and whether it is a published
    set from its SHA-256. Values are kept as they are: a file in half precision stays so, any other becomes float32.
    Tensors that the network does not need, such as a classifier, are left out.

    Parameters
    ----------
    path : Path
        ``.safetensors``, or a torch checkpoint that holds nothing but tensors, such as the official Point-MAE
        ``pretrain.pth`` or torchvision's ``wide_resnet50_2-95faca4d.pth``.
    name : str, optional
        The name of the set. If not given, the published set's if the file is one, else the architecture and the first
        digits of the file's SHA-256.

    Returns
    -------
    WeightSet
        The set as it now lies in the folder. A file that was imported before under this name is left as it is.

    Raises
    ------
    WeightsError
        If the file is unreadable or of no known network (what was expected and found is said, and the nearest network),
        or the name is bad or taken.
    OutputError
        If the folder cannot be written.
    """
    tensors = read_tensors(path)
    architecture, fitted = _identify(path, tensors)
    sha256 = file_sha256(path)
    published = recognise(sha256)
    name = name or (published.name if published else f"{architecture.name}-{sha256[:8]}")
    if name in _TAKEN or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", name):
        raise WeightsError(f"{name!r} cannot name weights", "Use another one, of letters, digits, '.', '_' and '-'")
    present = known(name)
    if present is not None and present.architecture != architecture.name:
        raise WeightsError(
            f"{path.name} holds {architecture.title}, but {name!r} is {present.architecture}", "Use another name"
        )
    if present is not None and present.origin == "shipped":
        raise WeightsError(f"{name!r} is the name of a set that ships with the program", "Use another name")
    if present is not None and present.available:
        if (present.card or {}).get("imported file sha256") == sha256:
            return present
        raise WeightsError(
            f"There is already another set named {name!r}, and models may have been trained with it",
            f"Use another name, or remove it first: weights remove {name}",
        )
    card = _card(path, sha256, architecture, published or present)
    save_weights(weights_folder() / f"{name}.safetensors", fitted, card, precision=_precision(tensors))
    return find(name)


def _card(path: Path, sha256: str, architecture: Architecture, meant: WeightSet | None) -> dict[str, str]:
    title = f"{architecture.title}, imported from {path.name}"
    if meant is not None and meant.published_as(sha256):
        title = meant.title
    elif meant is not None:
        title = f"{meant.title}, imported from {path.name}, which is not the published file"
    return {
        "title": title,
        "architecture": architecture.name,
        "licence": meant.licence if meant else "unknown",
        "terms": meant.terms if meant else "",
        "source": meant.source if meant else path.name,
        "imported file": path.name,
        "imported file sha256": sha256,
    }


def _precision(tensors: Mapping[str, Tensor]) -> torch.dtype:
    """float16 where every value of the file is, else float32: nothing published is rounded."""
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    return torch.float16 if kinds == {torch.float16} else torch.float32


def _identify(path: Path, tensors: Mapping[str, Tensor]) -> tuple[Architecture, dict[str, Tensor]]:
    """The network that a file holds, and its tensors."""
    reasons: dict[str, WeightsError] = {}
    for architecture in ARCHITECTURES:
        try:
            return architecture, architecture.pick(tensors)
        except WeightsError as error:
            reasons[architecture.name] = error
    likeness = {a.name: a.likeness(tensors) for a in ARCHITECTURES}
    nearest = max(ARCHITECTURES, key=lambda a: likeness[a.name])
    reason = reasons[nearest.name]
    titles = ", ".join(a.title for a in ARCHITECTURES)
    if likeness[nearest.name] < _UNLIKE:
        names = ", ".join(repr(name) for name in list(tensors)[:3])
        raise WeightsError(
            f"{path.name} holds weights of no network that Nominal uses: its {len(tensors)} tensors are named {names}"
            f"{' and so on' if len(tensors) > 3 else ''}",
            f"Choose a checkpoint of one of: {titles}",
        )
    if likeness[nearest.name] == 1.0:
        raise WeightsError(f"{path.name} looks like {nearest.title}, but {reason.problem}", reason.remedy)
    raise WeightsError(
        f"{path.name} holds weights of no network that Nominal uses. It is nearest to {nearest.title}, but "
        f"{reason.problem}",
        f"{reason.remedy} Other networks that Nominal takes: "
        + ", ".join(a.title for a in ARCHITECTURES if a is not nearest),
    )
