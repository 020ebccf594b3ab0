from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from core.pipelines.cmdr_iad.mapping import CrossModalMap
from core.pipelines.cmdr_iad.spread import Spread

CPU = torch.device("cpu")


@pytest.mark.parametrize(("given", "wanted", "count"), [(768, 1152, 3_694_272), (1152, 768, 3_693_888)])
def test_it_has_the_published_number_of_parameters(given, wanted, count):
    with torch.device("meta"):
        network = CrossModalMap(given, wanted)
    assert sum(one.numel() for one in network.parameters()) == count


@pytest.mark.parametrize("sources", [7, 90])
def test_the_first_layer_commutes_with_the_spreading(sources):
    """Rows that do not sum to 1, as pooling with zeros around makes them: the bias must come after."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    spread = Spread(sparse.csr_matrix(rng.random((60, sources)) * (rng.random((60, sources)) < 0.2)), CPU)
    network = CrossModalMap(12, 9).eval()
    values = torch.randn(sources, 12)
    plain = network(torch.from_numpy(spread.matrix.toarray()) @ values)
    assert torch.allclose(network.of_sources(values, spread), plain, atol=1e-5)


def test_each_place_is_told_alone():
    torch.manual_seed(1)
    network = CrossModalMap(6, 4).eval()
    features = torch.randn(20, 6)
    assert torch.allclose(network(features)[3:9], network(features[3:9]), atol=1e-6)
