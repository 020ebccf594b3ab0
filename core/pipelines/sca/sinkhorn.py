"""Sinkhorn iterations that do not overflow.

Products of raw descriptors divided by t = 0.05 overflow ``exp``. Where the exponents span less than float64 can hold,
rows and columns are scaled by vectors (two products of a matrix and a vector an iteration); where they span more, the
same iterations run on logarithms, which is slower.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SPAN = 300.0
"""exp(+-2 * 300) is within float64, with room for the scalings of both sides."""


def transport_plan(
    cost: Tensor, row_mass: Tensor, column_mass: Tensor, *, temperature: float = 0.05, iterations: int = 20
) -> Tensor:
    """The entropic optimal-transport plan between two discrete distributions.

    Minimises ``sum(plan * cost) - temperature * entropy(plan)`` under the two marginals (SCA, "Spatial context
    aggregation": the assignment of patches to prototypes). Columns are normalised last, so that their sums are exact.

    Parameters
    ----------
    cost : (..., n, m) float
    row_mass : (..., n) float
        Sum of each row of the plan, positive.
    column_mass : (..., m) float
        Sum of each column, at least 0; a column of mass 0 gets nothing. Same total as ``row_mass``.
    temperature : float
        The entropic regularisation t.
    iterations : int

    Returns
    -------
    (..., n, m) float, at least 0
    """
    return _scaled(-cost.double() / temperature, row_mass.double(), column_mass.double(), iterations).to(cost.dtype)


def balanced(similarity: Tensor, *, temperature: float = 0.05, iterations: int = 20) -> Tensor:
    """``exp(similarity / temperature)`` scaled to equal row sums (1) and equal column sums.

    For a square matrix the result is doubly stochastic; for (n, m) the columns sum to n / m. Entries of ``-inf`` stay
    0; each row and column needs at least one finite entry. Columns are normalised last.

    Parameters
    ----------
    similarity : (..., n, m) float

    Returns
    -------
    (..., n, m) float in 0..1 for square matrices
    """
    n, m = similarity.shape[-2:]
    rows = torch.ones(n, dtype=torch.float64, device=similarity.device)
    columns = torch.full((m,), n / m, dtype=torch.float64, device=similarity.device)
    return _scaled(similarity.double() / temperature, rows, columns, iterations).to(similarity.dtype)


def _scaled(exponents: Tensor, rows: Tensor, columns: Tensor, iterations: int) -> Tensor:
    """``exp(exponents)`` (..., n, m) scaled to the marginals (..., n) and (..., m), columns last."""
    finite = torch.isfinite(exponents)
    top = exponents.amax(dim=(-2, -1), keepdim=True)
    bottom = exponents.masked_fill(~finite, torch.inf).amin(dim=(-2, -1), keepdim=True)
    if float((top - bottom).max()) > _SPAN:
        return _by_logarithms(exponents, rows, columns, iterations)
    kernel = (exponents - top).exp()
    v = torch.ones_like(kernel[..., 0, :, None])
    u = torch.ones_like(kernel[..., :, :1])
    rows, columns = rows[..., None], columns[..., None]
    for _ in range(iterations):
        u = rows / (kernel @ v)
        v = columns / (kernel.mT @ u)
    return u * kernel * v.mT


def _by_logarithms(exponents: Tensor, rows: Tensor, columns: Tensor, iterations: int) -> Tensor:
    log_rows, log_columns = rows.log(), columns.log()
    u = torch.zeros_like(exponents[..., :, 0])
    v = torch.zeros_like(exponents[..., 0, :])
    for _ in range(iterations):
        u = log_rows - torch.logsumexp(exponents + v[..., None, :], dim=-1)
        v = log_columns - torch.logsumexp(exponents + u[..., :, None], dim=-2)
    return (exponents + u[..., :, None] + v[..., None, :]).exp()
