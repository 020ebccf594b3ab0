from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from core.pipelines.cmdr_iad.decoder_2d import Decoder2d, WindowBlock
from core.pipelines.cmdr_iad.spread import Spread, bilinear


def test_it_has_the_published_number_of_parameters():
    with torch.device("meta"):
        network = Decoder2d(768)
    assert sum(one.numel() for one in network.parameters()) == 5_026_176


def test_attention_stays_within_its_window():
    torch.manual_seed(0)
    block = WindowBlock(16, 128).eval()
    values = torch.randn(256, 16)
    changed = values.clone()
    changed[200] = torch.randn(16)
    before, after = block(values), block(changed)
    assert torch.equal(before[:128], after[:128])
    assert not torch.allclose(before[128:200], after[128:200])


def test_nothing_attends_to_the_padding_of_the_last_window():
    torch.manual_seed(0)
    block = WindowBlock(16, 128).eval()
    values = torch.randn(200, 16)
    alone = WindowBlock(16, 72).eval()
    alone.load_state_dict(block.state_dict())
    assert torch.allclose(block(values)[128:], alone(values[128:]), atol=1e-5)


def test_first_layer_at_sources_and_head_at_cells_are_the_plain_form():
    torch.manual_seed(1)
    network = Decoder2d(20, width=24, window=16).eval()
    places = np.stack(np.divmod(np.arange(144), 12), axis=1)
    spread = Spread(bilinear(places, (12, 12), (4, 4)), torch.device("cpu"))
    sources = torch.randn(16, 20)
    cells = torch.tensor([5, 40, 77, 143])
    dense = torch.from_numpy(spread.matrix.toarray()) @ sources
    plain = network(dense, (1, 12, 12))[cells]
    assert torch.allclose(network.of_sources(sources, spread, (1, 12, 12), cells), plain, atol=1e-5)


def test_pictures_are_convolved_apart():
    torch.manual_seed(2)
    network = Decoder2d(20, width=24, window=9).eval()  # windows that end with a row, as 2 x 54 cells make them
    features = torch.randn(108, 20)
    both = network(features, (2, 6, 9))
    assert torch.allclose(both[:54], network(features[:54], (1, 6, 9)), atol=1e-5)
    identity = Spread(sparse.identity(108, format="csr"), torch.device("cpu"))
    every = torch.arange(108)
    assert torch.allclose(network.of_sources(features, identity, (2, 6, 9), every), both, atol=1e-5)
