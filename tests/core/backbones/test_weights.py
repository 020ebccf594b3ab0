"""Where weights come from, which checkpoints are taken, and which are refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.backbones import importing
from core.backbones import weights as sets
from core.backbones.image_features import image_features
from core.backbones.importing import import_weights
from core.backbones.point_mae import load_point_mae
from core.backbones.resnet import ResNet
from core.backbones.vit import VitBase8
from core.errors import WeightsError
from core.runtime import Runtime

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


def grown(module: torch.nn.Module, kind: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """A network's tensors, every value drawn at random."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.tensor(5) if t.ndim == 0 else (0.5 + 0.1 * torch.rand(t.shape, generator=generator)).to(kind)
        for name, t in module.state_dict().items()
    }


@pytest.mark.parametrize("architecture", ["resnet18", "wide_resnet50_2"])
def test_a_published_trunk_is_recognised_and_kept_as_it_is(tmp_path: Path, architecture: str) -> None:
    trunk = grown(ResNet(architecture, stages=1))
    behind = {"layer4.0.conv1.weight": torch.zeros(2, 2), "fc.weight": torch.zeros(3, 3), "fc.bias": torch.zeros(3)}
    torch.save({**trunk, **behind}, tmp_path / "any.pth")
    taken = import_weights(tmp_path / "any.pth")
    assert (taken.architecture, taken.modality) == (architecture, "image")
    assert taken.path is not None
    kept = load_file(taken.path)
    assert set(kept) == set(trunk)
    for name, tensor in trunk.items():
        torch.testing.assert_close(kept[name], tensor, rtol=0, atol=0)


def test_a_file_in_half_precision_stays_so(tmp_path: Path) -> None:
    half = grown(ResNet("wide_resnet50_2", stages=1), torch.float16)
    torch.save(half, tmp_path / "half.pth")
    taken = import_weights(tmp_path / "half.pth")
    assert taken.path is not None
    kept = load_file(taken.path)
    assert kept["conv1.weight"].dtype == torch.float16
    torch.testing.assert_close(kept["conv1.weight"], half["conv1.weight"], rtol=0, atol=0)


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_dino_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    written: dict[str, object] = {}
    monkeypatch.setattr(importing, "save_weights", lambda path, tensors, card, **_: written.update(card, **tensors))
    monkeypatch.setattr(importing, "find", lambda name: name)
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in VitBase8().state_dict().items()}
    # One value for all keeps the 340 MB of the real file out of the test.
    torch.save({prefix + name: torch.ones(1).expand(shape) for name, shape in shapes.items()}, tmp_path / "dino.pth")
    import_weights(tmp_path / "dino.pth")
    assert written["architecture"] == "vit_base_patch8"
    assert set(shapes) <= set(written)


def test_a_folded_trunk_to_layer3_imports_and_gives_features(tmp_path: Path) -> None:
    made, folded = grown(ResNet("resnet18")), {}
    for name, tensor in made.items():
        last = name.rpartition(".")[2]
        if last == "num_batches_tracked":
            continue  # such a file has no counters, and batch norms that only add
        is_norm = f"{name.rpartition('.')[0]}.running_var" in made
        if is_norm and last == "weight":
            folded[name] = torch.ones_like(tensor)
        elif last == "running_mean":
            folded[name] = torch.zeros_like(tensor)
        elif last == "running_var":
            folded[name] = torch.full_like(tensor, 1 - 1e-5)
        else:
            folded[name] = 0.01 * tensor
    save_file(folded, tmp_path / "folded.safetensors")
    taken = import_weights(tmp_path / "folded.safetensors")
    digest = hashlib.sha256((tmp_path / "folded.safetensors").read_bytes()).hexdigest()
    assert taken.name == f"resnet18-{digest[:8]}"
    check_features(taken.name)


@pytest.mark.sample
def test_the_real_folded_resnet18_imports_by_its_hash(sample_folder: Path) -> None:
    path = sample_folder / "weights" / "resnet18_imagenet_conv1_layer3.safetensors"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    taken = import_weights(path)
    assert taken.name == "resnet18-imagenet1k_v1-folded"
    assert taken.licence == "BSD-3-Clause"
    assert "ImageNet" in taken.terms
    check_features(taken.name)


def check_features(name: str) -> None:
    features = image_features(name, Runtime.choose("cpu"))
    values = features(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert values.shape == (1, 64 + 128 + 256, 16, 16)
    assert torch.isfinite(values).all()
    assert values.std() > 0
    assert features.weights == {name: sets.find(name).sha256}


def test_the_nearest_network_is_named_with_what_is_different(tmp_path: Path) -> None:
    trunk = grown(ResNet("wide_resnet50_2", stages=1))
    # ResNet-50 has Wide-ResNet-50-2's names, and half its width inside the blocks.
    narrow = {n: t[: len(t) // 2] if n.startswith("layer1.0.conv1") else t for n, t in trunk.items()}
    torch.save(narrow, tmp_path / "resnet50.pth")
    with pytest.raises(WeightsError) as caught:
        import_weights(tmp_path / "resnet50.pth")
    assert "nearest to Wide-ResNet-50-2" in caught.value.problem
    assert "'layer1.0.conv1.weight' has the shape (64, 64, 1, 1) where (128, 64, 1, 1)" in caught.value.problem
    assert "ResNet-18" in caught.value.remedy


def test_a_file_of_something_else_says_what_was_found(tmp_path: Path) -> None:
    save_file({f"text.layer.{i}": torch.zeros(2) for i in range(5)}, tmp_path / "bert.safetensors")
    with pytest.raises(WeightsError, match=r"its 5 tensors are named 'text\.layer\.0', .* and so on") as caught:
        import_weights(tmp_path / "bert.safetensors")
    for title in ("Point-MAE", "Wide-ResNet-50-2", "ResNet-18", "ViT-B/8"):
        assert title in caught.value.remedy


def test_a_damaged_value_is_not_called_another_network(tmp_path: Path, trunk_tensors: Tensors) -> None:
    save_file({**trunk_tensors, "bn1.bias": torch.full((64,), torch.inf)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"looks like ResNet-18, but 'bn1\.bias' holds values that are not finite"):
        import_weights(tmp_path / "w.safetensors")


def test_a_published_file_takes_its_name_by_hash(
    tmp_path: Path, trunk_tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(dict(trunk_tensors), tmp_path / "renamed.bin")
    digest = hashlib.sha256((tmp_path / "renamed.bin").read_bytes()).hexdigest()
    for known in (digest, digest[:8]):
        table = [replace(w, published_sha256=known) if w.name == "resnet18-imagenet1k_v1" else w for w in sets._KNOWN]
        monkeypatch.setattr(sets, "_KNOWN", tuple(table))
        taken = import_weights(tmp_path / "renamed.bin")
        assert taken.name == "resnet18-imagenet1k_v1"
        assert taken.title == "ResNet-18, torchvision (ImageNet, V1)"
        assert sets.default_weights("resnet18") == taken
        sets.remove(taken.name)


def test_another_file_under_a_published_name_says_so(tmp_path: Path, trunk_tensors: Tensors) -> None:
    torch.save(dict(trunk_tensors), tmp_path / "mine.pth")
    taken = import_weights(tmp_path / "mine.pth", name="resnet18-imagenet1k_v1")
    assert "imported from mine.pth, which is not the published file" in taken.title


def test_a_name_in_use_is_not_overwritten(tmp_path: Path, trunk_tensors: Tensors) -> None:
    torch.save(dict(trunk_tensors), tmp_path / "one.pth")
    torch.save({**trunk_tensors, "bn1.bias": torch.ones(64)}, tmp_path / "other.pth")
    taken = import_weights(tmp_path / "one.pth", name="mine")
    before = taken.sha256
    assert import_weights(tmp_path / "one.pth", name="mine") == taken
    with pytest.raises(WeightsError, match="already another set named 'mine'") as caught:
        import_weights(tmp_path / "other.pth", name="mine")
    assert "weights remove mine" in caught.value.remedy
    assert sets.find("mine").sha256 == before
    sets.remove("mine")
    assert import_weights(tmp_path / "other.pth", name="mine").sha256 != before


@pytest.mark.parametrize("name", ["auto", "fpfh", "oriented_energy", "a+b", "random:x"])
def test_names_of_features_cannot_be_taken(tmp_path: Path, trunk_tensors: Tensors, name: str) -> None:
    torch.save(dict(trunk_tensors), tmp_path / "one.pth")
    with pytest.raises(WeightsError, match="cannot name weights"):
        import_weights(tmp_path / "one.pth", name=name)


def test_removing(tmp_path: Path, weights_home: Path, trunk_tensors: Tensors) -> None:
    torch.save(dict(trunk_tensors), tmp_path / "one.pth")
    import_weights(tmp_path / "one.pth", name="mine")
    sets.remove("mine")
    assert list(weights_home.iterdir()) == []
    with pytest.raises(WeightsError, match="no weights named 'mine' on this computer"):
        sets.remove("mine")
    with pytest.raises(WeightsError, match="no weights named 'vit_base_patch8-dino' on this computer"):
        sets.remove("vit_base_patch8-dino")
    with pytest.raises(WeightsError, match="ships with the program"):
        sets.remove("point_mae-nominal")
    begun = weights_home / "downloads" / "dino_vitbase8_pretrain.pth.part"
    begun.parent.mkdir()
    begun.write_bytes(b"begun")
    sets.remove("vit_base_patch8-dino")
    assert not begun.exists()


def test_the_table_can_be_trusted() -> None:
    names = [w.name for w in sets._KNOWN]
    assert len(set(names)) == len(names)
    recognised = {a.name for a in importing.ARCHITECTURES}
    assert {w.architecture for w in sets._KNOWN if w.file_name} <= recognised  # what is published can be imported
    assert recognised <= {w.architecture for w in sets._KNOWN}
    for known in sets._KNOWN:
        assert known.name.startswith(known.architecture)
        assert known.terms.endswith(".")
        assert known.licence
        assert known.published_sha256 or not known.url  # nothing is downloaded that cannot be checked
        if known.published_sha256:
            assert re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{8}", known.published_sha256)
            assert known.file_name
        digits = re.search(r"-([0-9a-f]{8})\.pth$", known.file_name)
        if digits:
            assert known.published_sha256.startswith(digits[1])
        if known.url:
            assert known.url.startswith("https://")
            assert known.url.endswith("/" + known.file_name)


def test_what_is_listed_is_here_or_can_be_had() -> None:
    listed = {w.name for w in sets.known_weights()}
    assert {"point_mae-nominal", "point_mae-shapenet", "wide_resnet50_2-imagenet1k_v1"} <= listed
    assert "resnet18-imagenet1k_v1-folded" not in listed
    with pytest.raises(WeightsError, match="not on this computer") as caught:
        sets.find("resnet18-imagenet1k_v1-folded")
    assert "--name resnet18-imagenet1k_v1-folded" in caught.value.remedy
    with pytest.raises(WeightsError, match="not on this computer") as caught:
        sets.find("wide_resnet50_2-imagenet1k_v1")
    assert "weights download wide_resnet50_2-imagenet1k_v1" in caught.value.remedy
    assert "https://download.pytorch.org/models/wide_resnet50_2-95faca4d.pth" in caught.value.remedy


def test_the_same_file_is_the_same_set_everywhere(
    tmp_path: Path, trunk_tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(dict(trunk_tensors), tmp_path / "one.pth")
    hashes = set()
    for folder in ("here", "there"):
        monkeypatch.setenv("NOMINAL_WEIGHTS", str(tmp_path / folder))
        hashes.add(import_weights(tmp_path / "one.pth").sha256)
    assert len(hashes) == 1
