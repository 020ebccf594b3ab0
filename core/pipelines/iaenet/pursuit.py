"""Orthogonal matching pursuit, for many signals at once, each with its own few atoms."""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST = 1e-12
"""Share of an atom's squared length below which it is no new direction."""


def matching_pursuit(signals: Tensor, atoms: Tensor, nonzeros: int) -> Tensor:
    """Coefficients that rebuild each signal from at most ``nonzeros`` of its atoms (Pati et al. 1993).

    Step by step the atom with the largest product with what is left joins, and all coefficients are fitted anew. Atoms
    are not normalised, so that long ones are preferred: as scikit-learn's ``orthogonal_mp``, to which this is equal up
    to rounding. A signal that is rebuilt already, or whose next atom is no new direction, keeps what it has.

    Parameters
    ----------
    signals : (B, C) floating
    atoms : (B, k, C) floating
    nonzeros : int
        At least 1; more than k means k.

    Returns
    -------
    (B, k) tensor of the signals' type
        ``torch.einsum("bk,bkc->bc", coefficients, atoms)`` rebuilds the signals.
    """
    if signals.ndim != 2 or atoms.ndim != 3 or atoms.shape[::2] != signals.shape or nonzeros < 1:
        raise ValueError(f"signals {tuple(signals.shape)}, atoms {tuple(atoms.shape)}, {nonzeros} non-zeros")
    count, k, _ = atoms.shape
    steps = min(nonzeros, k)
    rest, table = signals.double(), atoms.double()  # neighbouring codes are nearly the same direction
    rows = torch.arange(count, device=signals.device)
    taken = torch.zeros((count, k), dtype=torch.bool, device=signals.device)
    going = torch.ones(count, dtype=torch.bool, device=signals.device)
    scale = table.square().sum(dim=2).amax(dim=1)
    order = torch.zeros((count, steps), dtype=torch.int64, device=signals.device)
    basis = table.new_zeros((count, steps, table.shape[2]))
    # Gram-Schmidt: atom j = sum_i triangle[i, j] * basis i, so that the coefficients follow by back-substitution.
    triangle = torch.eye(steps, dtype=table.dtype, device=table.device).repeat(count, 1, 1)
    along = table.new_zeros((count, steps))
    for step in range(steps):
        products = torch.einsum("bkc,bc->bk", table, rest).abs().masked_fill(taken, -1.0)
        best = products.argmax(dim=1)
        atom = table[rows, best]
        shares = torch.einsum("bsc,bc->bs", basis, atom)
        direction = atom - torch.einsum("bs,bsc->bc", shares, basis)
        again = torch.einsum("bsc,bc->bs", basis, direction)  # once more, since one pass loses digits
        shares, direction = shares + again, direction - torch.einsum("bs,bsc->bc", again, basis)
        length = direction.norm(dim=1)
        going = going & (products[rows, best].square() > _LEAST**2 * scale**2)
        going = going & (length.square() > _LEAST * atom.square().sum(dim=1).clamp_min(1e-300))
        unit = torch.where(going[:, None], direction / length.clamp_min(1e-300)[:, None], 0.0)
        basis[:, step] = unit
        along[:, step] = torch.einsum("bc,bc->b", unit, rest)
        rest = rest - along[:, step, None] * unit
        triangle[:, :step, step] = torch.where(going[:, None], shares[:, :step], 0.0)
        triangle[:, step, step] = torch.where(going, length, 1.0)
        taken[rows, best] |= going
        order[:, step] = best
    solved = torch.linalg.solve_triangular(triangle, along[..., None], upper=True)[..., 0]
    # A step that did not happen has coefficient 0, so that adding it anywhere changes nothing.
    return torch.zeros_like(products).scatter_add_(1, order, solved).to(signals.dtype)
