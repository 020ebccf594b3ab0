"""Where weights come from, which checkpoints are taken, and which are refused."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.backbones import weights as sets
from core.backbones.importing import import_weights
from core.backbones.point_mae import load_point_mae
from core.errors import WeightsError

Tensors = Mapping[str, Tensor]


class Code:
    """Something that runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def official(path: Path, tensors: Tensors) -> Path:
    torch.save({"base_model": dict(tensors), "epoch": 300, "best_metrics": None}, path)
    return path


def test_official_checkpoint_loads_as_published(
    tmp_path: Path, official_tensors: Tensors, made_tensors: Tensors
) -> None:
    model = load_point_mae(official(tmp_path / "pretrain.pth", official_tensors))
    assert not model.training
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, made_tensors[name], rtol=0, atol=0)
    assert not any(p.requires_grad for p in model.parameters())


def test_import_goes_by_content_and_lands_in_the_users_folder(
    tmp_path: Path, weights_home: Path, official_tensors: Tensors, made_tensors: Tensors
) -> None:
    path = official(tmp_path / "anything.bin", official_tensors)
    taken = import_weights(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert taken.name == f"point_mae-{digest[:8]}"
    assert taken.architecture == "point_mae"
    assert taken.origin == "user"
    assert taken.path is not None
    assert taken.path.parent == weights_home
    assert taken.sha256 == hashlib.sha256(taken.path.read_bytes()).hexdigest()
    kept = load_file(taken.path)
    torch.testing.assert_close(kept["norm.weight"], made_tensors["norm.weight"], rtol=0, atol=0)
    assert json.loads(taken.path.with_suffix(".json").read_text())["imported file sha256"] == digest
    assert sets.find(taken.name) == taken
    assert taken in sets.available_weights("point_mae")


def test_a_published_set_imported_under_its_name_is_preferred(tmp_path: Path, official_tensors: Tensors) -> None:
    with pytest.raises(WeightsError, match=r"github\.com/Pang-Yatian"):
        sets.find("point_mae-shapenet")
    import_weights(official(tmp_path / "pretrain.pth", official_tensors), name="point_mae-shapenet")
    chosen = sets.default_weights("point_mae")
    assert chosen.name == "point_mae-shapenet"
    assert "MIT" in chosen.licence
    sets.verify(chosen, chosen.sha256)
    with pytest.raises(WeightsError, match="not those of the model"):
        sets.verify(chosen, "0" * 64)


def test_a_replaced_file_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"one")
    first = sets.file_sha256(path)
    path.write_bytes(b"other")
    assert sets.file_sha256(path) != first == hashlib.sha256(b"one").hexdigest()


def test_shipped_set_loads_and_is_what_its_card_says() -> None:
    chosen = sets.default_weights("point_mae")
    assert chosen.origin == "shipped"
    assert chosen.card is not None
    assert chosen.card["steps"] > 0
    model = load_point_mae(chosen)
    tokens = model(torch.zeros(1, 2, 4, 3), torch.zeros(1, 2, 3))
    assert torch.isfinite(tokens).all()


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(WeightsError, match="no weights named 'nothing'"):
        sets.find("nothing")


def test_missing_tensors_are_named(tmp_path: Path, official_tensors: Tensors) -> None:
    fewer = {name: t for name, t in official_tensors.items() if ".blocks.11." not in name}
    with pytest.raises(WeightsError, match=r"missing, the first is 'blocks\.blocks\.11\.norm1\.weight'"):
        import_weights(official(tmp_path / "pretrain.pth", fewer))


def test_wrong_shapes_say_expected_and_found(tmp_path: Path, weights_home: Path, official_tensors: Tensors) -> None:
    other = {**official_tensors, "module.MAE_encoder.pos_embed.2.weight": torch.zeros(256, 128)}
    with pytest.raises(WeightsError, match=r"\(256, 128\) where \(384, 128\) was expected"):
        import_weights(official(tmp_path / "pretrain.pth", other))
    assert not weights_home.exists() or not list(weights_home.iterdir())


def test_values_that_are_not_finite_are_refused(tmp_path: Path, made_tensors: Tensors) -> None:
    broken = {**made_tensors, "norm.bias": torch.full((384,), float("nan"))}
    save_file(broken, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"'norm\.bias' holds values that are not finite"):
        load_point_mae(tmp_path / "w.safetensors")


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path, official_tensors: Tensors) -> None:
    target = tmp_path / "ran"
    torch.save({"base_model": dict(official_tensors), "optimizer": Code(target)}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match="could run code"):
        import_weights(tmp_path / "bad.pth")
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.pth", b""),
        ("text.pth", b"hello"),
        ("zip.pth", b"PK\x03\x04 cut off"),
        ("empty.safetensors", b""),
        ("claims.safetensors", (10**12).to_bytes(8, "little") + b"{}"),
    ],
)
def test_damaged_files_are_refused_with_a_remedy(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=name) as caught:
        import_weights(path)
    assert caught.value.remedy


def test_a_checkpoint_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"base_model": {"epoch": 3}}, tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="holds no tensors"):
        import_weights(tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="There is no weights file"):
        import_weights(tmp_path / "absent.pth")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet.safetensors")
    with pytest.raises(WeightsError, match="no network that Nominal uses"):
        import_weights(tmp_path / "resnet.safetensors")


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "point_mae-nominal"])
def test_names_that_cannot_be_taken(tmp_path: Path, official_tensors: Tensors, name: str) -> None:
    path = official(tmp_path / "pretrain.pth", official_tensors)
    if name:
        with pytest.raises(WeightsError):
            import_weights(path, name=name)
    else:
        assert import_weights(path, name=name).name.startswith("point_mae-")


def test_a_file_without_a_card_is_not_listed(weights_home: Path) -> None:
    weights_home.mkdir()
    save_file({"a": torch.zeros(1)}, weights_home / "stray.safetensors")
    (weights_home / "stray2.safetensors").write_bytes(b"")
    (weights_home / "stray2.json").write_text("[1]")
    assert not [w for w in sets.known_weights() if w.name.startswith("stray")]
