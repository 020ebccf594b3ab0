"""Links, bank and memory: the oracles of the facts, exact search, retention, and the way to a file and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.pipelines.iaenet.bank import Bank
from core.pipelines.iaenet.links import Links, cells_of_pixels, linked_cells
from core.pipelines.iaenet.memory import DualMemory, Sample, estimate_memory
from core.pipelines.iaenet.pursuit import matching_pursuit
from core.runtime import Runtime


@pytest.mark.parametrize(
    ("pixel", "cells"),
    [((0, 0), [2, 56]), ((112, 112), [350, 404, 408, 462]), ((223, 223), [727, 781])],
)
def test_the_cells_of_a_pixel(pixel: tuple[int, int], cells: list[int]) -> None:
    own = cells_of_pixels(np.array([[pixel[0] * 224 + pixel[1]]]))
    assert linked_cells(own).rows.tolist() == cells


def test_unseen_points_refer_to_nothing() -> None:
    assert cells_of_pixels(np.array([-1, 8])).tolist() == [-1, 1]
    links = linked_cells(np.array([[-1, -1], [-1, 406]]))
    assert links.offsets.tolist() == [0, 0, 4]
    assert links.rows.tolist() == [350, 404, 408, 462]


def test_the_unshifted_cells_can_be_added() -> None:
    assert linked_cells(np.array([[406]]), own=True).rows.tolist() == [350, 404, 406, 408, 462]


def test_cells_of_a_patch_equal_the_rule_written_as_a_loop() -> None:
    rng = np.random.default_rng(0)
    cells = np.concatenate(
        [rng.integers(0, 784, (20, 30)), rng.integers(0, 40, (5, 30)), rng.integers(750, 784, (5, 30))]
    )
    links = linked_cells(cells)
    for patch, row in enumerate(cells):
        own = np.unique(row)
        moved = np.concatenate([own + 2, own - 2, own + 56, own - 56])
        moved[moved < 0] = moved.max()
        moved[moved > 783] = moved.min()
        found = links.rows[links.offsets[patch] : links.offsets[patch + 1]]
        assert found.tolist() == np.unique(moved).tolist()


def bank(runtime: Runtime, count: int = 300, width: int = 12, seed: int = 0) -> Bank:
    rng = np.random.default_rng(seed)
    return Bank(rng.random((count, width), np.float32), np.arange(count) // 30, runtime)


def test_search_equals_measuring_all() -> None:
    runtime = Runtime(torch.device("cpu"), memory_budget=20_000)  # so that it goes by several chunks
    one = bank(runtime)
    queries = torch.rand(50, 12, generator=torch.Generator().manual_seed(1))
    distances, rows = one.search(queries, 10)
    everything = (queries[:, None].double() - torch.from_numpy(one.vectors).double()).norm(dim=2)
    expected = everything.sort(dim=1)
    assert torch.equal(rows, expected.indices[:, :10])
    torch.testing.assert_close(distances.double(), expected.values[:, :10], atol=1e-6, rtol=0)


def test_search_can_leave_out_a_scan_and_look_at_some_rows_only(runtime: Runtime) -> None:
    one = bank(runtime)
    queries = torch.from_numpy(one.vectors[:3])
    assert one.search(queries, 1)[1].tolist() == [[0], [1], [2]]
    rows = one.search(queries, 5, without=0)[1]
    assert int(rows.min()) >= 30
    some = torch.tensor([7, 40, 41, 99])
    assert set(one.search(queries, 9, rows=some)[1].flatten().tolist()) == {7, 40, 41, 99}
    assert set(one.search(queries, 9, without=0, rows=some)[1].flatten().tolist()) == {40, 41, 99}
    with pytest.raises(ValueError, match="nothing"):
        one.search(queries, 1, without=0, rows=torch.tensor([1]))


def test_reconstruction_is_the_pursuit_of_what_was_found(runtime: Runtime) -> None:
    one = bank(runtime)
    queries = torch.rand(6, 12, generator=torch.Generator().manual_seed(2))
    made = one.reconstruct(queries, 10, 3)
    _, rows = one.search(queries, 10)
    atoms = torch.from_numpy(one.vectors)[rows]
    expected = torch.einsum("qk,qkc->qc", matching_pursuit(queries, atoms, 3), atoms)
    torch.testing.assert_close(made.values, expected)
    torch.testing.assert_close(made.residual, (queries - expected).norm(dim=1))
    assert int((made.coefficients != 0).sum(dim=1).max()) <= 3


def test_a_good_vector_is_rebuilt_from_itself(runtime: Runtime) -> None:
    one = bank(runtime)
    assert float(one.reconstruct(torch.from_numpy(one.vectors), 10, 3).residual.max()) < 0.5
    unit = one.vectors / np.linalg.norm(one.vectors, axis=1, keepdims=True)
    same = Bank(unit, one.scans, runtime)
    assert float(same.reconstruct(torch.from_numpy(unit), 10, 3).residual.max()) < 1e-5


def sample(seed: int, patches: int = 6, vectors: int = 10) -> Sample:
    """Each patch refers to two of the even vectors."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(patches), 2)
    rows = 2 * rng.integers(0, vectors // 2, 2 * patches)
    return Sample(
        rng.random((patches, 128), np.float32),
        rng.random((patches, 3), np.float32),
        rng.random((vectors, 5), np.float32),
        Links.from_pairs(owners, rows, patches),
    )


def test_every_code_stays_and_only_vectors_that_one_refers_to(runtime: Runtime) -> None:
    samples = [sample(0), sample(1)]
    memory = DualMemory.build(samples, runtime)
    assert len(memory.codes) == 12
    assert memory.codes.scans.tolist() == [0] * 6 + [1] * 6
    used = [np.unique(one.links.rows) for one in samples]
    expected = np.concatenate([one.vectors[rows] for one, rows in zip(samples, used, strict=True)])
    np.testing.assert_array_equal(memory.vectors.vectors, expected)
    for code in range(12):
        one, patch = samples[code // 6], code % 6
        wanted = one.vectors[one.links.rows[one.links.offsets[patch] : one.links.offsets[patch + 1]]]
        rows = memory.links.rows[memory.links.offsets[code] : memory.links.offsets[code + 1]]
        np.testing.assert_array_equal(memory.vectors.vectors[rows], wanted)


def test_linked_vectors_are_the_union(runtime: Runtime) -> None:
    memory = DualMemory.build([sample(0), sample(1)], runtime)
    links = memory.links
    expected = np.unique(np.concatenate([links.rows[links.offsets[c] : links.offsets[c + 1]] for c in (1, 4, 11)]))
    assert memory.linked(torch.tensor([[4, 1], [11, 4]])).tolist() == expected.tolist()


def test_vectors_are_searched_in_what_codes_refer_to_or_in_the_whole_bank(runtime: Runtime) -> None:
    memory = DualMemory.build([sample(0), sample(1)], runtime)
    queries = torch.rand(3, 5, generator=torch.Generator().manual_seed(0))
    among = memory.reconstruct_vectors(queries, 2, 1, among=torch.tensor([3]))
    assert set(among.rows.flatten().tolist()) <= set(memory.linked(torch.tensor([3])).tolist())
    whole = memory.reconstruct_vectors(queries, 2, 1)
    assert torch.all(whole.distances[:, 0] <= among.distances[:, 0])
    elsewhere = memory.reconstruct_vectors(queries, 2, 1, among=torch.tensor([3]), without=0)
    assert (memory.vectors.scans[elsewhere.rows.numpy()] == 1).all()


def test_bounds_keep_the_sides_in_step(runtime: Runtime) -> None:
    memory = DualMemory.build([sample(seed) for seed in range(4)], runtime, max_codes=7, max_vectors=5)
    assert len(memory.codes) == len(memory.centers) == len(memory.links) == 7
    assert len(memory.vectors) <= 5
    assert set(memory.links.rows.tolist()) <= set(range(len(memory.vectors)))


def test_a_memory_without_images(runtime: Runtime) -> None:
    codes = np.random.default_rng(0).random((4, 128), np.float32)
    memory = DualMemory.build([Sample.without_image(codes, codes[:, :3])] * 2, runtime)
    assert len(memory.codes) == 8
    assert len(memory.vectors) == 0
    assert len(memory.linked(torch.tensor([1]))) == 0


def test_what_is_usual_of_a_vector_is_what_the_other_scans_make_of_it(runtime: Runtime) -> None:
    rng = np.random.default_rng(5)
    vectors = rng.random((40, 6), np.float32)
    scans = np.repeat([0, 1], 20)
    bank = Bank(vectors, scans, runtime).with_usual_residuals(4, 2)
    others = torch.from_numpy(vectors[scans == 0])
    near = torch.cdist(torch.from_numpy(vectors[25:26]), others).topk(4, largest=False).indices[0]
    weights = matching_pursuit(torch.from_numpy(vectors[25:26]), others[near][None], 2)[0]
    expected = float((torch.from_numpy(vectors[25]) - weights @ others[near]).norm())
    assert bank.levels is not None
    assert float(bank.levels[25]) == pytest.approx(expected, rel=1e-4)
    rows = torch.tensor([[25, 3], [7, 8]])
    np.testing.assert_allclose(bank.usual(rows), bank.levels[rows.numpy()].mean(axis=1), rtol=1e-6)
    alone = Bank(vectors, np.zeros(40, int), runtime).with_usual_residuals(4, 2)
    assert not alone.usual(rows).any()
    with pytest.raises(ValueError, match="levels"):
        Bank(vectors, scans, runtime).usual(rows)


def test_state_and_back(runtime: Runtime) -> None:
    memory = DualMemory.build([sample(0), sample(1)], runtime)
    again = DualMemory.from_state(memory.state(), runtime)
    for name, array in memory.state().items():
        np.testing.assert_array_equal(again.state()[name], array)


def test_levels_follow_their_codes(runtime: Runtime) -> None:
    samples = [replace(sample(seed), levels=np.full(6, seed, np.float32)) for seed in range(3)]
    memory = DualMemory.build(samples, runtime, max_codes=9)
    assert memory.codes.levels is not None
    np.testing.assert_array_equal(memory.codes.levels, memory.codes.scans)
    again = DualMemory.from_state(memory.state(), runtime)
    assert again.codes.levels is not None
    np.testing.assert_array_equal(again.codes.levels, memory.codes.levels)
    assert DualMemory.build([sample(0)], runtime).codes.levels is None


def test_the_estimate_is_no_less_than_what_it_becomes(runtime: Runtime) -> None:
    memory = DualMemory.build([sample(0), sample(1)], runtime)
    estimate = estimate_memory(2, 6, 10, 5)
    assert memory.bytes <= estimate.total
    bounded = estimate_memory(200, 600, 784, 801, max_codes=1000, max_vectors=2000)
    assert bounded.codes == 1000 * (4 * 128 + 20)
    assert bounded.vectors == 2000 * (4 * 801 + 4)
