from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from core import workflow
from core.consensus.pipeline import ConsensusConfig, ConsensusPipeline
from core.datasets.category import recognise
from core.errors import ConfigError, ModelError, ScanError
from core.inspection.conformal import part_grid
from core.inspection.verdict import Verdict
from core.pipelines.registry import pipeline_class
from core.progress import CallbackProgress, Cancelled, Progress
from core.store.validation_score import MADE, ValidationScore


@pytest.fixture
def models(parts, runtime):
    """One model of each method, trained on the same plates."""
    category = recognise(parts)
    found = []
    for name in ("heights", "slopes"):
        config = pipeline_class(name).Config.preset("fast", gain=7.0)
        found.append(
            workflow.train(category, name, config, runtime=runtime, preset="fast", progress=Progress(), part_budget=0.1)
        )
    return found


@pytest.fixture
def consensus(models):
    return workflow.combine(models)


def measured(model, points: float, parts: str = "plates"):
    """The model with a card that says how well it tells the points of validation parts."""
    score = ValidationScore(0.9, 0.8, 1.0, 5, 15, MADE, parts, points)
    return dataclasses.replace(model, card=dataclasses.replace(model.card, validation=score.to_mapping()))


def test_a_bump_is_rejected_and_a_good_part_accepted(consensus, plate):
    bad = workflow.inspect(consensus, plate(99, bump=1.0), Progress())
    assert bad.verdict is Verdict.REJECT
    assert len(bad.defects.defects) == 1
    assert np.allclose(bad.defects.defects[0].position[:2], (12, 8), atol=1.0)
    assert workflow.inspect(consensus, plate(98), Progress()).verdict is Verdict.ACCEPT


def test_its_thresholds_are_p_values(consensus):
    found = consensus.calibration
    assert len(found.part_scores) == 24
    assert found.part_budget == 0.1  # the members'
    assert found.part_threshold == pytest.approx(-math.log10(2 / 25))  # the second highest of 24 at 10 %
    assert np.allclose(found.part_scores, part_grid(24))
    assert found.point_threshold == pytest.approx(3.0, abs=0.1)  # 0.1 % of good points
    assert "held out by all 2 models" in found.note
    assert found.map_scales["heights_surprise"][1] == pytest.approx(3.0, abs=0.3)


def test_maps_say_who_flags_what_and_where_members_disagree(consensus, plate):
    scores = workflow.score(consensus, plate(97, bump=1.0), Progress()).scores
    who, flags = scores.maps["who"], scores.maps["flags"]
    assert who.names == ("nobody", "Heights fast only", "Slopes fast only", "several")
    assert flags.names == ("0 of 2", "1 of 2", "2 of 2")
    heights, slopes = (scores.maps[f"{key}_surprise"].values for key in ("heights", "slopes"))
    with np.errstate(invalid="ignore"):
        expected = (heights > 3).astype(int) + (slopes > 3)
    assert np.array_equal(flags.values, expected)
    assert np.array_equal(who.values == 3, expected == 2)
    assert np.array_equal(who.values == 1, (expected == 1) & (np.nan_to_num(heights) > 3))
    both = np.isfinite(heights)  # the left edge is judged by slopes alone
    assert np.allclose(scores.maps["disagreement"].values[both], np.abs(heights - slopes)[both], atol=1e-5)
    assert np.isnan(scores.maps["disagreement"].values[~both]).all()
    assert scores.judged.all()
    assert scores.maps["heights_height"].kind == "height"
    assert scores.reconstruction is not None
    assert scores.notes == ()


def test_a_member_that_cannot_judge_is_named_and_the_rest_still_keeps_the_promise(consensus, plate):
    scores = workflow.score(consensus, plate(96, name="odd good"), Progress()).scores
    assert any("Slopes fast could not judge" in note and "has no slopes" in note for note in scores.notes)
    assert any("Heights fast's alone" in note for note in scores.notes)
    assert "slopes_surprise" not in scores.maps
    assert "disagreement" not in scores.maps
    assert scores.object <= consensus.calibration.part_threshold
    assert np.isnan(scores.points[0])
    bad = workflow.inspect(consensus, plate(95, bump=1.0, name="odd bad"), Progress())
    assert bad.verdict is Verdict.REJECT


def test_a_scan_from_another_sensor_is_named_once(consensus, models, plate):
    assert consensus.card.acquisition == models[0].card.acquisition
    scan = plate(96)
    noisy = dataclasses.replace(scan, points=scan.points + np.float32(1.0) * noise(scan))
    notes = workflow.score(consensus, noisy, Progress()).scores.notes
    assert sum("Measured otherwise than the good scans" in note for note in notes) == 1


def noise(scan):
    return np.random.default_rng(0).normal(size=scan.points.shape).astype(np.float32)


def test_where_nobody_can_judge_the_first_reason_is_given(consensus, plate):
    with pytest.raises(ScanError, match="has no heights"):
        workflow.score(consensus, plate(1, name="broken"), Progress())


def test_stored_and_read_it_judges_the_same(consensus, plate, tmp_path, runtime):
    workflow.save(consensus, tmp_path / "c.nominal")
    again = workflow.load(tmp_path / "c.nominal", runtime)
    scan = plate(94, bump=0.3)
    one, two = (workflow.score(model, scan, Progress()).scores for model in (consensus, again))
    assert np.array_equal(one.points, two.points, equal_nan=True)
    assert one.object == two.object
    assert again.card.pipeline == "consensus"
    assert again.card.name == "plate Consensus of Heights, Slopes"
    assert again.calibration.thresholds() == consensus.calibration.thresholds()


@pytest.mark.parametrize("combination", ["fisher", "harmonic"])
def test_good_parts_of_the_same_production_are_rejected_as_promised(models, plate, combination):
    model = workflow.combine(models, config=ConsensusConfig(combination=combination), part_budget=0.2)
    objects = np.array([model.pipeline.score(plate(1000 + i), Progress()).object for i in range(60)])
    rejected = (objects > model.calibration.part_threshold).mean()
    assert rejected <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / 60)


def test_members_count_by_how_well_they_tell_defects_of_validation_parts(models, plate):
    sharp, dull = (measured(model, points) for model, points in zip(models, (0.7, 0.16), strict=True))
    model = workflow.combine([sharp, dull])
    weights = model.pipeline.member_weights
    assert np.allclose(weights, np.sqrt([0.72, 0.18]) / np.sqrt([0.72, 0.18]).sum())
    assert model.pipeline.weighing_said.endswith("Heights fast 67%, Slopes fast 33%.")
    assert "weighed by validation parts" in model.calibration.note
    assert model.card.validation == {}, "the first member's says nothing of them all"
    scores = workflow.score(model, plate(90, bump=0.1), Progress()).scores
    single = np.stack([scores.maps[f"{key}_surprise"].values for key in ("heights", "slopes")], axis=1)
    both = np.isfinite(single).all(axis=1)
    order = np.argsort(scores.points[both], kind="stable")
    mixed = (single @ weights)[both][order]
    assert (np.diff(mixed) > -1e-4).all(), "points are ranked by the weighted mean of -log10 p"
    assert not (np.diff(single.mean(axis=1)[both][order]) > -1e-4).all(), "which is not the plain mean's order"


def test_members_that_cannot_be_compared_count_the_same(models):
    sharp, dull = measured(models[0], 0.7), measured(models[1], 0.16)
    assert workflow.combine(models).pipeline.member_weights is None
    assert workflow.combine([sharp, models[1]]).pipeline.member_weights is None
    elsewhere = measured(models[1], 0.16, parts="others")
    one = workflow.combine([sharp, elsewhere])
    assert one.pipeline.member_weights is None
    assert "not all were measured on the same" in one.pipeline.weighing_said
    equal = workflow.combine([sharp, dull], config=ConsensusConfig(weighing="equal"))
    assert equal.pipeline.member_weights is None
    assert equal.pipeline.weighing_said == "All count the same."


@pytest.mark.parametrize("combination", ["fisher", "harmonic"])
def test_weighed_members_keep_the_promise_too(models, plate, combination):
    weighed = [measured(model, points) for model, points in zip(models, (0.9, 0.0), strict=True)]
    model = workflow.combine(weighed, config=ConsensusConfig(combination=combination), part_budget=0.2)
    objects = np.array([model.pipeline.score(plate(2000 + i), Progress()).object for i in range(60)])
    assert (objects > model.calibration.part_threshold).mean() <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / 60)


def test_weights_are_stored_with_the_members(models, tmp_path, runtime, plate):
    model = workflow.combine([measured(models[0], 0.7), measured(models[1], 0.16)])
    workflow.save(model, tmp_path / "c.nominal")
    again = workflow.load(tmp_path / "c.nominal", runtime)
    assert np.array_equal(again.pipeline.member_weights, model.pipeline.member_weights)
    scan = plate(89, bump=0.3)
    one, two = (workflow.score(m, scan, Progress()).scores for m in (model, again))
    assert np.array_equal(one.points, two.points, equal_nan=True)
    assert one.object == two.object


def test_progress_says_who_judges_and_cancelling_stops(consensus, plate):
    heard: list[str] = []
    workflow.score(consensus, plate(93), CallbackProgress(lambda _, what: heard.append(what)))
    assert any("Heights fast (1 of 2)" in what for what in heard)
    assert any("Slopes fast (2 of 2)" in what for what in heard)
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        workflow.score(consensus, plate(93), stopped)


def test_the_member_that_explains_is_named(consensus, plate):
    scan = plate(92, bump=1.0)
    workflow.score(consensus, scan, Progress())
    found = workflow.explain(consensus, scan, 168, Progress())
    assert found is not None
    assert found.title == "Slopes fast: A slope"


def test_models_that_do_not_fit_together_are_refused(models, consensus):
    with pytest.raises(ModelError, match="two models or more"):
        workflow.combine(models[:1])
    with pytest.raises(ModelError, match="is a consensus itself"):
        workflow.combine([*models, consensus])
    inches = dataclasses.replace(models[1], card=dataclasses.replace(models[1].card, unit="inch"))
    with pytest.raises(ModelError, match="different units"):
        workflow.combine([models[0], inches])
    old = dataclasses.replace(models[1], calibration=dataclasses.replace(models[1].calibration, held_out=None))
    with pytest.raises(ModelError, match="Slopes fast was trained before"):
        workflow.combine([models[0], old])


def test_two_of_one_method_go_by_different_names(models, plate):
    scores = workflow.score(workflow.combine([models[0], models[0]]), plate(91), Progress()).scores
    assert {"heights_surprise", "heights_2_surprise"} <= set(scores.maps)
    assert scores.maps["who"].names[1:3] == ("Heights fast only", "Heights fast 2 only")


def test_it_is_not_trained(runtime, plate):
    pipeline = ConsensusPipeline(ConsensusConfig(), runtime)
    with pytest.raises(ConfigError, match="not trained"):
        pipeline.fit([plate(1)], Progress())
    with pytest.raises(ConfigError, match="no members"):
        pipeline.score(plate(1), Progress())


def test_marks_on_good_parts_are_counted_as_if_all_their_points_were_kept(monkeypatch, models, parts, runtime):
    monkeypatch.setattr("core.inspection.held_out.KEPT_POINTS", 24 * 100)  # a quarter of each plate
    category = recognise(parts)
    few = [
        workflow.train(category, m.card.pipeline, m.pipeline.config, runtime=runtime, progress=Progress())
        for m in models
    ]
    found, whole = workflow.combine(few).calibration, workflow.combine(models).calibration
    middle = float(np.quantile(whole.point_sample, 0.97))
    assert found.marked_parts(middle) == pytest.approx(whole.marked_parts(middle), abs=8)
