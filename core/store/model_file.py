"""The model file: one HDF5 file a model, read and written whole.

Layout: ``/meta`` (attributes: format version, card as JSON, digest of all arrays), ``/state/...`` (fitted arrays),
``/calibration/...`` (thresholds and the scores they came from), ``/preview`` (a small cloud for the library).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from core.errors import ModelError
from core.files import written_whole

FORMAT_VERSION = 1
SUFFIX = ".nominal"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model without loading it.

    Attributes
    ----------
    name : str
        What the user calls it.
    pipeline, preset : str
        Method id; preset name, or "custom".
    config : mapping
        The method's settings as plain values.
    category, layout, unit : str
        What it was fitted on, and the unit of its points.
    scan_count : int
        Good scans it was fitted on.
    created : str
        Local time with zone, ISO 8601.
    program_version : str
    weights : mapping of str to str
        Backbone weights: set name to SHA-256.
    seed : int
    source : str
        The folder of the scans.
    validation : mapping
        How well it did on validation parts, as ``core.evaluation.validation`` lays it out; empty where not measured.
    acquisition : mapping
        How its good scans were measured, as ``core.inspection.acquisition`` lays it out; empty where not known.
    """

    name: str
    pipeline: str
    preset: str
    config: Mapping[str, Any]
    category: str
    unit: str
    scan_count: int
    created: str
    program_version: str
    weights: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    layout: str = ""
    source: str = ""
    validation: Mapping[str, Any] = field(default_factory=dict)
    acquisition: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StoredModel:
    """All that a model file holds.

    Attributes
    ----------
    card : ModelCard
    state, calibration : mapping of str to array
        What the pipeline's and the calibration's ``state`` gave; keys may hold ``/``.
    preview : (P, 3) float32
    """

    card: ModelCard
    state: Mapping[str, NDArray[Any]]
    calibration: Mapping[str, NDArray[Any]]
    preview: NDArray[np.float32]


def save_model(path: Path, stored: StoredModel) -> None:
    """Write a model file, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    card = json.dumps(dataclasses.asdict(stored.card), sort_keys=True)
    with written_whole(path) as temporary, h5py.File(temporary, "w") as file:
        for name, array in _arrays(stored):
            text = array.dtype.kind == "U"
            data = np.char.encode(array, "utf-8") if text else array
            packed = {} if data.ndim == 0 or data.size == 0 else {"compression": "gzip", "compression_opts": 1}
            dataset = file.create_dataset(name, data=data, **packed)
            dataset.attrs["text"] = text
        meta = file.create_group("meta")
        meta.attrs["format_version"] = FORMAT_VERSION
        meta.attrs["card"] = card
        meta.attrs["digest"] = _digest(card, stored)


def load_model(path: Path) -> StoredModel:
    """Read a model file and check that nothing in it was changed.

    Raises
    ------
    ModelError
        If the file is missing, no model, damaged, or of a later format version.
    """
    with _opened(path) as file:
        card = _card(path, file)
        try:
            stored = StoredModel(
                card=card,
                state=_group(file, "state"),
                calibration=_group(file, "calibration"),
                preview=_array(file["preview"]),
            )
            intact = file["meta"].attrs["digest"] == _digest(file["meta"].attrs["card"], stored)
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            raise _damaged(path) from error
    if not intact:
        raise _damaged(path)
    return stored


def read_card(path: Path) -> ModelCard:
    """Read only what is known of a model. Same errors as ``load_model``, but the arrays are not checked."""
    with _opened(path) as file:
        return _card(path, file)


def read_preview(path: Path) -> NDArray[np.float32]:
    """(P, 3) float32: the small cloud that stands for the model in the library."""
    with _opened(path) as file:
        try:
            return _array(file["preview"])
        except (KeyError, OSError) as error:
            raise _damaged(path) from error


def read_calibration(path: Path, name: str) -> NDArray[Any] | None:
    """One array of a model's calibration, None where it has none of that name; not checked against the digest."""
    with _opened(path) as file:
        _card(path, file)
        try:
            found = file.get(f"calibration/{name}")
            return None if found is None else _array(found)
        except (KeyError, OSError) as error:
            raise _damaged(path) from error


def _opened(path: Path) -> h5py.File:
    if not path.is_file():
        raise ModelError(f"There is no model file {path}", "Choose another one, or train the category again")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ModelError(
            f"{path.name} is no Nominal model, or it is damaged", "Choose a .nominal file, or restore it from a copy"
        ) from error


def _card(path: Path, file: h5py.File) -> ModelCard:
    try:
        version = int(file["meta"].attrs["format_version"])
        text = file["meta"].attrs["card"]
    except (KeyError, OSError, ValueError) as error:
        raise ModelError(f"{path.name} is no Nominal model", "Choose a file that Nominal has written") from error
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{path.name} is from a later version of Nominal (format {version}, this one reads {FORMAT_VERSION})",
            "Update Nominal, or train the category again",
        )
    try:
        return ModelCard(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> ModelError:
    return ModelError(f"{path.name} is damaged", "Restore it from a copy, or train the category again")


def _arrays(stored: StoredModel) -> Iterator[tuple[str, NDArray[Any]]]:
    for group, arrays in (("state", stored.state), ("calibration", stored.calibration)):
        for key in sorted(arrays):
            yield f"{group}/{key}", np.asarray(arrays[key])
    yield "preview", np.asarray(stored.preview)


def _digest(card: str, stored: StoredModel) -> str:
    digest = hashlib.sha256(card.encode())
    for name, array in _arrays(stored):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _group(file: h5py.File, name: str) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}

    def visit(key: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[key] = _array(node)

    if name in file:  # an empty group leaves no trace
        file[name].visititems(visit)
    return found


def _array(dataset: h5py.Dataset) -> NDArray[Any]:
    array = np.asarray(dataset[()])
    return np.char.decode(array, "utf-8") if dataset.attrs["text"] else array
