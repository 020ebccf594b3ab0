"""Runtime: seeds, chunks that halve when memory runs out."""

from __future__ import annotations

import pytest
import torch

from core.errors import DeviceError
from core.runtime import Runtime, in_chunks


def test_draws_depend_on_seed_and_salt_only() -> None:
    one, same, other = (Runtime(torch.device("cpu"), seed=s) for s in (1, 1, 2))
    assert one.rng(5).random() == same.rng(5).random() != other.rng(5).random()
    assert one.rng(5).random() != one.rng(6).random()
    first = torch.rand(3, generator=one.generator(4))
    assert torch.equal(first, torch.rand(3, generator=same.generator(4)))
    assert not torch.equal(first, torch.rand(3, generator=other.generator(4)))


def test_chunks_cover_once_also_when_memory_runs_out() -> None:
    seen: list[int] = []

    def work(part: slice) -> None:
        if part.stop - part.start > 3:
            raise torch.OutOfMemoryError
        seen.extend(range(part.start, part.stop))

    in_chunks(20, 16, work)
    assert seen == list(range(20))


def test_a_row_that_never_fits_is_an_error() -> None:
    def work(part: slice) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(DeviceError, match="--device cpu"):
        in_chunks(4, 4, work)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        Runtime.choose("cuda")
