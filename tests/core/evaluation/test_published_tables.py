"""The papers' tables as data: spot checks against the printed page, and the means against their categories."""

from __future__ import annotations

import pytest

from core.evaluation.published_tables import PublishedRow, PublishedTable, known_benchmark, published_tables
from core.evaluation.results import metric_title

WRONG_MEANS = {
    # (paper, table, modality, method): printed, mean of the printed categories
    ("iaenet", "Table 1", "3D", "Voxel GAN"): (0.537, 0.5376),
    ("iaenet", "Table 1", "3D", "Voxel AE"): (0.571, 0.5718),
    ("iaenet", "Table 3", "3D", "Voxel GAN"): (0.583, 0.5878),
    ("cmdr_iad", "Table 1", "3D", "CMDIAD"): (0.860, 0.8693),
    ("cmdr_iad", "Table 2", "3D", "Depth GAN"): (0.143, 0.1423),
    ("cmdr_iad", "Table 2", "3D", "Voxel GAN"): (0.583, 0.5878),
    ("cmdr_iad", "Table 3", "2D+3D", "AST"): (0.398, 0.3989),
    ("cmdr_iad", "Table 9", "2D", "M3DM"): (0.987, 0.9864),
    ("dus_net", "Table 1", "3D", "IMRNet"): (0.661, 0.6593),
    ("dus_net", "Table 4", "3D", "R3D-AD"): (0.592, 0.5926),
}
"""Where a paper's own mean is not the mean of its categories."""


def table(source: str, number: str, metric: str, modality: str = "3D") -> PublishedTable:
    return next(
        t
        for t in published_tables()
        if (t.source, t.number, t.metric, t.modality) == (source, number, metric, modality)
    )


def row(source: str, number: str, metric: str, method: str, modality: str = "3D") -> PublishedRow:
    return next(r for r in table(source, number, metric, modality).rows if r.method == method)


@pytest.mark.parametrize(
    ("source", "number", "metric", "modality", "method", "category", "value", "mean"),
    [
        ("iaenet", "Table 1", "o_auroc", "3D", "IAENet", "cablegland", 0.954, 0.944),
        ("iaenet", "Table 1", "o_auroc", "3D", "CPMF", "tire", 0.966, 0.950),
        ("iaenet", "Table 3", "aupro_30", "3D", "IAENet", "foam", 0.814, 0.944),
        ("iaenet", "Table 4", "o_auroc", "3D", "DMVAD", "lollipop", 0.960, 0.862),
        ("iaenet", "Table 5", "aupro_30", "3D", "IAENet", "hazelnuttruffle", 0.621, 0.847),
        ("cmdr_iad", "Table 1", "o_auroc", "2D+3D", "CMDR-IAD", "cablegland", 0.930, 0.973),
        ("cmdr_iad", "Table 1", "o_auroc", "3D", "CMDR-IAD", "bagel", 0.684, 0.875),
        ("cmdr_iad", "Table 1", "o_auroc", "2D", "3D-ADNAS", "rope", 0.977, 0.920),
        ("cmdr_iad", "Table 2", "aupro_30", "2D+3D", "CFM", "tire", 0.981, 0.971),
        ("cmdr_iad", "Table 3", "aupro_1", "2D+3D", "CMDR-IAD", "peach", 0.486, 0.465),
        ("dus_net", "Table 1", "o_auroc", "3D", "DUS-Net", "microphone0", 0.837, 0.797),
        ("dus_net", "Table 1", "o_auroc", "3D", "R3D-AD", "vase9", 0.718, 0.749),
        ("dus_net", "Table 2", "o_auroc", "3D", "DUS-Net", "candybar", 0.856, 0.795),
        ("dus_net", "Table 3", "p_auroc", "3D", "ISMP", "tap0", 0.844, 0.691),
        ("dus_net", "Table 4", "p_auroc", "3D", "DUS-Net", "toffees", 0.861, 0.847),
    ],
)
def test_figures_are_those_of_the_page(
    source: str, number: str, metric: str, modality: str, method: str, category: str, value: float, mean: float
) -> None:
    found = row(source, number, metric, method, modality)
    assert found.values[category] == pytest.approx(value)
    assert found.mean == pytest.approx(mean)


@pytest.mark.parametrize("one", published_tables(), ids=lambda t: f"{t.source} {t.number} {t.metric} {t.modality}")
def test_means_are_those_of_the_categories(one: PublishedTable) -> None:
    assert metric_title(one.metric)
    assert one.metric.startswith("aupro") == (one.thresholds in (99, 100))
    assert len({r.method for r in one.rows}) == len(one.rows)
    for r in one.rows:
        known = WRONG_MEANS.get((one.source, one.number, one.modality, r.method))
        if r.mean_of_values is None:
            assert not one.categories
        elif known is None:
            assert r.mean == pytest.approx(r.mean_of_values, abs=5.01e-4)
        else:
            assert r.mean == pytest.approx(known[0])
            assert r.mean_of_values == pytest.approx(known[1], abs=1e-4)


def test_every_paper_and_benchmark_is_there() -> None:
    assert {t.source for t in published_tables()} == {"sca", "iaenet", "cmdr_iad", "dus_net"}
    sizes = {t.benchmark: len(t.categories) for t in published_tables() if t.categories}
    assert sizes == {"mvtec3d": 10, "eyecandies": 10, "anomaly_shapenet": 40, "real3d_ad": 12}


def test_the_mixed_up_caption_is_noted() -> None:
    assert table("dus_net", "Table 1", "o_auroc").benchmark == "anomaly_shapenet"
    assert "caption" in table("dus_net", "Table 1", "o_auroc").note


def test_a_folder_is_known_by_layout_and_name() -> None:
    assert known_benchmark("mvtec3d", "cable_gland") == "mvtec3d"
    assert known_benchmark("eyecandies", "Candy Cane") == "eyecandies"
    assert known_benchmark("mvtec3d", "plate") is None
    assert known_benchmark("nominal", "car") is None
