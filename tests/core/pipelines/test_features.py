"""What fields that name features mean on a computer, by the weights that are there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.backbones import defaults
from core.backbones import weights as sets
from core.errors import WeightsError
from core.pipelines.config import Config, setting
from core.pipelines.features import feature_choices, feature_uses, pinned
from core.pipelines.iaenet.config import IaenetConfig
from core.pipelines.registry import pipeline_class, pipeline_ids

WIDE, SMALL = "wide_resnet50_2-imagenet1k_v1", "resnet18-imagenet1k_v1"


@dataclass(frozen=True)
class FeatureConfig(Config):
    image: str = setting("auto:rgb", "Of photographs", features="image")
    steps: int = setting(3, "Names no features")
    net: str = setting("auto", "Of one network", features="weights:resnet18")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder, nothing that ships, and a fixed order of preference."""
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("NOMINAL_WEIGHTS", str(tmp_path / "user"))
    monkeypatch.setattr(sets, "shipped_folder", lambda: tmp_path / "shipped")
    preferences = {"rgb": (WIDE, SMALL, "oriented_energy"), "rendered": (WIDE, "oriented_energy")}
    monkeypatch.setattr("core.pipelines.features.IMAGE_PREFERENCES", preferences)
    monkeypatch.setattr("core.backbones.image_features.IMAGE_PREFERENCES", preferences)
    return tmp_path / "user"


def put(home: Path, name: str, architecture: str) -> None:
    (home / f"{name}.safetensors").write_bytes(b"no matter")
    (home / f"{name}.json").write_text(json.dumps({"architecture": architecture}))


def test_automatic_follows_what_is_here_and_names_what_it_would_rather_take(home: Path) -> None:
    with pytest.raises(WeightsError, match="weights import"):
        feature_uses(FeatureConfig, {})
    put(home, SMALL, "resnet18")
    image, net = feature_uses(FeatureConfig, {})
    assert (image.setting, image.features, image.missing) == ("image", SMALL, ())
    assert [w.name for w in image.preferred] == [WIDE]
    assert (net.features, net.preferred) == (SMALL, ())
    put(home, WIDE, "wide_resnet50_2")
    assert feature_uses(FeatureConfig, {})[0].features == WIDE
    assert feature_uses(FeatureConfig, {})[0].preferred == ()


def test_what_is_chosen_by_hand_stays_and_what_it_lacks_is_named(home: Path) -> None:
    put(home, SMALL, "resnet18")
    (image, _) = feature_uses(FeatureConfig, {"image": f"oriented_energy+{WIDE}"})
    assert image.parts == ("oriented_energy", WIDE)
    assert [w.name for w in image.missing] == [WIDE]
    assert image.preferred == ()
    assert "Wide-ResNet-50-2" in image.title


def test_another_field_may_decide_what_automatic_is_for() -> None:
    @dataclass(frozen=True)
    class PictureConfig(Config):
        features: str = setting("auto:rendered", "Of what it looks at", features="image")
        photographs: bool = setting(False, "Whether it looks at photographs")

        def named_features(self, *, images: bool) -> dict[str, str]:
            return {"features": "auto:rgb" if self.photographs and images else self.features}

    assert not feature_uses(PictureConfig, {}, images=True)[0].of_photographs
    assert not feature_uses(PictureConfig, {"photographs": True}, images=False)[0].of_photographs
    assert feature_uses(PictureConfig, {"photographs": True}, images=True)[0].of_photographs


def test_a_pinned_config_keeps_its_features_when_better_ones_arrive(home: Path) -> None:
    put(home, SMALL, "resnet18")
    kept = pinned(FeatureConfig(steps=7), images=False)
    assert kept == FeatureConfig(image=SMALL, steps=7, net=SMALL)
    put(home, WIDE, "wide_resnet50_2")
    assert pinned(kept, images=True) == kept
    assert pinned(FeatureConfig(image="oriented_energy+auto:rgb"), images=False).image == f"oriented_energy+{WIDE}"


def test_iaenet_looks_at_photographs_with_the_features_for_photographs(home: Path) -> None:
    put(home, SMALL, "resnet18")
    assert pinned(IaenetConfig(image="render"), images=True).features == "oriented_energy"
    assert pinned(IaenetConfig(image="rgb"), images=True).features == SMALL
    assert pinned(IaenetConfig(image="auto"), images=True).features == SMALL
    assert pinned(IaenetConfig(image="auto"), images=False).features == "oriented_energy"
    assert pinned(IaenetConfig(image="rgb", features="oriented_energy"), images=True).features == "oriented_energy"


def test_choices_hold_the_automatic_one_and_mark_what_is_missing(home: Path) -> None:
    put(home, SMALL, "resnet18")
    choices = {c.name: c for c in feature_choices("weights:resnet18")}
    assert choices["auto"].available
    assert "ResNet-18" in choices["auto"].note
    assert choices[SMALL].available
    assert "oriented_energy" in {c.name for c in feature_choices("image")}
    assert "fpfh" in {c.name for c in feature_choices("point")}


@pytest.mark.parametrize("pipeline_id", pipeline_ids())
def test_defaults_of_every_pipeline_are_offered(pipeline_id: str) -> None:
    for spec in pipeline_class(pipeline_id).Config.settings():
        if spec.features:
            assert spec.type is str
            assert spec.default in {c.name for c in feature_choices(spec.features)}


def test_preferences_are_of_sets_that_the_program_knows() -> None:
    known = {w.name for w in sets._KNOWN} | {"oriented_energy", "fpfh"}
    named = [*defaults.POINT_PREFERENCES, *(n for names in defaults.IMAGE_PREFERENCES.values() for n in names)]
    assert {part for name in named for part in name.split("+")} <= known
