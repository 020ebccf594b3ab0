"""Carrying values from a few centres to all points by inverse distance."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from core.geometry.checks import as_points
from core.geometry.neighbors import nearest
from core.runtime import Runtime, in_chunks


def interpolate(
    values: NDArray[np.float32],
    centers: NDArray[np.float32],
    queries: NDArray[np.float32],
    k: int = 3,
    power: float = 2,
    eps: float = 1e-8,
    *,
    runtime: Runtime | None = None,
) -> NDArray[np.float32]:
    """Values at ``queries``, the mean of the ``k`` nearest centres' weighted by 1 / (d^power + eps).

    Power 2 is PointNet++'s feature propagation (Qi et al. 2017, eq. 2) as M3DM and CMDR-IAD compute it; DUS-Net's
    eq. 10 has power 1.

    Parameters
    ----------
    values : (M, C) or (M,) floating
    centers : (M, 3) float32
    queries : (Q, 3) float32
    k : int
        At least 1; more than M means all M.
    power : float
        Above 0.
    eps : float
        Above 0; in the unit of the points to that power.
    runtime : Runtime, optional
        Where to compute; the CPU if not given.

    Returns
    -------
    (Q, C) or (Q,) float32

    Raises
    ------
    ValueError
        If there are no centres, as many values as centres are not given, or ``k`` < 1.
    """
    centers, queries = as_points(centers, "centers", least=1), as_points(queries, "queries")
    values = np.asarray(values, dtype=np.float32)
    if len(values) != len(centers) or values.ndim not in (1, 2) or k < 1:
        raise ValueError(f"values of shape {values.shape} for {len(centers)} centers, k = {k}")
    table = values if values.ndim == 2 else values[:, None]
    distances, indices = nearest(centers, queries, min(k, len(centers)), runtime=runtime)
    weights = 1.0 / (distances.astype(np.float64) ** power + eps)
    weights /= weights.sum(axis=1, keepdims=True)
    result = np.empty((len(queries), table.shape[1]), np.float32)
    device = torch.device("cpu") if runtime is None else runtime.device
    bag = torch.from_numpy(np.ascontiguousarray(table)).to(device)
    shares = weights.astype(np.float32)

    def work(rows: slice) -> None:
        # A sum of weighted table rows, without the (Q, k, C) array in between.
        result[rows] = (
            torch.nn.functional.embedding_bag(
                torch.from_numpy(indices[rows]).to(device),
                bag,
                per_sample_weights=torch.from_numpy(shares[rows]).to(device),
                mode="sum",
            )
            .cpu()
            .numpy()
        )

    budget = Runtime(device) if runtime is None else runtime
    in_chunks(len(queries), budget.rows_per_chunk(4 * table.shape[1] + 16 * k), work)
    return result if values.ndim == 2 else result[:, 0]
