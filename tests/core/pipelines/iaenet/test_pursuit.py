"""Orthogonal matching pursuit against known answers and against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import orthogonal_mp

from core.pipelines.iaenet.pursuit import matching_pursuit

ATOMS = torch.tensor([[[2.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]]])
SIGNAL = torch.tensor([[1.0, 2.0, 0.5, 0.25]])


@pytest.mark.parametrize(
    ("nonzeros", "coefficients", "residual"),
    [
        (1, [0, 0, 0, 1.5], 0.901388),
        (2, [-0.5, 0, 0, 2.0], 0.559017),
        (3, [-0.5, 0, 0.5, 2.0], 0.25),
    ],
)
def test_known_answers(nonzeros: int, coefficients: list[float], residual: float) -> None:
    found = matching_pursuit(SIGNAL, ATOMS, nonzeros)
    torch.testing.assert_close(found, torch.tensor([coefficients]), atol=1e-6, rtol=0)
    rest = SIGNAL - torch.einsum("bk,bkc->bc", found, ATOMS)
    assert float(rest.norm()) == pytest.approx(residual, abs=1e-6)


def test_long_atoms_are_preferred() -> None:
    found = matching_pursuit(torch.tensor([[0.2, 1.0, 0]]), torch.tensor([[[10.0, 0, 0], [0, 0.5, 0]]]), 1)
    torch.testing.assert_close(found, torch.tensor([[0.02, 0.0]]))


@pytest.mark.parametrize("nonzeros", [1, 3, 5])
def test_equal_to_scikit_learn(nonzeros: int) -> None:
    rng = np.random.default_rng(0)
    # As good codes are: near each other, not negative, nearly of one direction.
    atoms = np.maximum(rng.normal(0.5, 1.0, (40, 1, 64)) + 0.1 * rng.normal(size=(40, 10, 64)), 0)
    signals = np.maximum(atoms.mean(axis=1) + 0.1 * rng.normal(size=(40, 64)), 0)
    found = matching_pursuit(torch.from_numpy(signals), torch.from_numpy(atoms), nonzeros).numpy()
    expected = np.stack([orthogonal_mp(a.T, s, n_nonzero_coefs=nonzeros) for a, s in zip(atoms, signals, strict=True)])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_signal_that_is_an_atom_is_that_atom_alone() -> None:
    atoms = torch.rand(5, 4, 8, generator=torch.Generator().manual_seed(0)).double()
    atoms = atoms / atoms.norm(dim=2, keepdim=True)
    found = matching_pursuit(atoms[:, 2], atoms, 3)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0, 1, 0]]).double().expand(5, 4), atol=1e-10, rtol=0)


def test_copies_of_an_atom_and_zero_signals_do_no_harm() -> None:
    atoms = torch.ones(1, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = matching_pursuit(torch.tensor([[1.0, 2, 3, 4]]), atoms, 3)
    torch.testing.assert_close(found, torch.tensor([[2.5, 0, 0]]))
    assert torch.equal(matching_pursuit(torch.zeros(1, 4), atoms, 3), torch.zeros(1, 3))
    assert torch.equal(matching_pursuit(torch.ones(1, 4), torch.zeros(1, 3, 4), 3), torch.zeros(1, 3))


def test_fewer_atoms_than_nonzeros() -> None:
    found = matching_pursuit(torch.tensor([[3.0, 4.0]]), torch.eye(2)[None], 5)
    torch.testing.assert_close(found, torch.tensor([[3.0, 4.0]]))


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="signals"):
        matching_pursuit(torch.zeros(2, 3), torch.zeros(2, 4, 5), 1)
