"""Sinkhorn iterations in the log domain.

Products of raw descriptors divided by t = 0.05 overflow ``exp``; sums of logarithms do not.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
    kernel = -cost / temperature
    log_rows, log_columns = row_mass.log(), column_mass.log()
    rows = torch.zeros_like(log_rows)
    columns = torch.zeros_like(log_columns)
    for _ in range(iterations):
        rows = log_rows - torch.logsumexp(kernel + columns[..., None, :], dim=-1)
        columns = log_columns - torch.logsumexp(kernel + rows[..., :, None], dim=-2)
    return (kernel + rows[..., :, None] + columns[..., None, :]).exp()


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
    log_column_mass = float(torch.log(torch.tensor(n / m)))
    weights = similarity / temperature
    for _ in range(iterations):
        weights = weights - torch.logsumexp(weights, dim=-1, keepdim=True)
        weights = weights - torch.logsumexp(weights, dim=-2, keepdim=True) + log_column_mass
    return weights.exp()
