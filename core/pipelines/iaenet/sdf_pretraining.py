"""Pretraining of the 3D expert's network on patches of shapes made on the fly, for a short or no training per category.

Shape-Guided trains one network over all its categories; IAENet says no more than that it is trained on good scans. This
one is trained on patches of procedural and, where given, real shapes in any pose, so that it decodes surfaces that it
has never seen. Departures from the training on scans: the targets of the queries are taken from the shape at four times
the density of what the encoder sees, which shows the field a finer surface, and the learning rate falls as a cosine.

Every draw of a step comes from the seed and the step's number.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.checkpoints import save_weights
from core.errors import ConfigError, WeightsError
from core.geometry.patches import make_patches
from core.pipelines.iaenet.sdf import PatchSdf
from core.pipelines.iaenet.sdf_patches import nearest_targets, neighbor_distance, noise_factors, normalize
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.pipelines.iaenet.sdf_training import decayed, optimized
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.shapes import FAMILIES, procedural_cloud
from core.synthesis.surfaces import random_rotation

ARCHITECTURE = "pointnet_sdf"

Floats = NDArray[np.float32]

_POINTS = 10_000
_PATCHES = 8
_DENSE = 4
_SHARES = (0.06, 0.3)
"""Smallest and largest share of a shape that a patch covers."""
_NOISE = 0.01
"""Largest standard deviation of the noise on what the encoder sees, in sizes of the patch."""
_AHEAD = 4
_WINDOW = 50


@dataclass(frozen=True)
class PatchSource:
    """Batches of patches, each a pure function of seed and step.

    Attributes
    ----------
    seed : int
    batch : int
        Patches a batch, a multiple of 8.
    shapes : (n, P, 3) float array, optional
        Real shapes to draw from as well.
    share : float
        Share of the clouds that come from these.
    """

    seed: int
    batch: int
    shapes: NDArray[np.floating] | None = None
    share: float = 0.3

    def patches(self, step: int) -> Floats:
        """(batch, 2000, 3) points of each patch, in no order, turned at random; not normalised."""
        found = []
        for cloud in range(self.batch // _PATCHES):
            found.append(self._of_one_cloud(np.random.default_rng([self.seed, step, cloud])))
        return np.concatenate(found)

    def _of_one_cloud(self, rng: np.random.Generator) -> Floats:
        members = SdfSettings().patch_points * _DENSE
        if self.shapes is not None and rng.random() < self.share:
            cloud = self.shapes[rng.integers(len(self.shapes))].astype(np.float32)
        else:
            cloud = procedural_cloud(rng, _POINTS)
        cloud = cloud * rng.uniform(0.7, 1.4, 3).astype(np.float32)
        near = max(_PATCHES, int(np.exp(rng.uniform(*np.log(_SHARES))) * len(cloud)), SdfSettings().patch_points)
        cut = make_patches(cloud, _PATCHES, near, start=int(rng.integers(len(cloud)))).neighbors
        chosen = np.stack([rng.choice(row, members, replace=len(row) < members) for row in cut])
        turns = np.stack([random_rotation(rng) for _ in range(len(chosen))]).astype(np.float32)
        return np.einsum("gpi,gij->gpj", cloud[chosen], turns)


def visit(dense: Tensor, settings: SdfSettings, draws: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """What one step shows the network of (B, 2000, 3) dense patches.

    Returns
    -------
    seen : (B, 500, 3) float tensor
        Normalised and noisy, for the encoder.
    queries, targets : (B, Q, 3) float tensor
    """
    device, size = dense.device, settings.patch_points
    _, scale = normalize(dense[:, :size], settings)
    dense = (dense - dense[:, :size].mean(dim=1, keepdim=True)) / scale[:, None, None]
    seen = dense[:, :size]
    noise = _NOISE * torch.rand((len(dense), 1, 1), generator=draws) ** 2
    noisy = seen + (noise * torch.randn(seen.shape, generator=draws)).to(device)
    picked = torch.randint(dense.shape[1], (len(dense), settings.queries or size), generator=draws).to(device)
    chosen = dense.gather(1, picked[..., None].expand(-1, -1, 3))
    factors = torch.from_numpy(noise_factors(settings))
    reach = factors[torch.randint(len(factors), picked.shape, generator=draws)].to(device)
    sigma = neighbor_distance(seen, chosen, settings.sigma_neighbor) * reach
    queries = chosen + sigma[..., None] * torch.randn(chosen.shape, generator=draws).to(device)
    return noisy, queries, nearest_targets(dense, queries)


def pretrain_sdf(
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 32,
    queries: int = 128,
    learning_rate: float = 5e-4,
    seed: int = 0,
    shapes: NDArray[np.floating] | None = None,
    sources: tuple[str, ...] = (),
    start: PatchSdf | None = None,
    runtime: Runtime | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Pretrain the network and write it (float16 safetensors), with its card beside it.

    Parameters
    ----------
    out : Path
    steps, minutes : int or float, optional
        Length of the run; exactly one is given. With minutes, the schedule follows the clock.
    batch, queries : int
        Patches a step, and queries a patch.
    shapes, sources
        (n, P, 3) real shapes to draw three in ten clouds from, and where they come from, for the card.
    start : PatchSdf, optional
        Weights to go on from.

    Returns
    -------
    dict
        The card.

    Raises
    ------
    ConfigError, WeightsError, OutputError
    Cancelled
        Nothing is written.
    """
    if (steps is None) == (minutes is None):
        raise ConfigError("Pretraining needs its length", "Give either a number of steps or of minutes")
    if batch < _PATCHES or batch % _PATCHES:
        raise ConfigError(f"A batch of {batch} patches cannot be made", f"Give a multiple of {_PATCHES}")
    runtime, progress = runtime or Runtime.choose("auto", seed), progress or Progress()
    settings = SdfSettings(batch=batch, queries=queries, learning_rate=learning_rate, schedule="cosine")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PatchSdf()
    if start is not None:
        model.load_state_dict(start.state_dict())
    model.to(runtime.device).train().requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    source = PatchSource(seed, batch, shapes)
    began, step, recent, curve = time.monotonic(), 0, list[float](), list[tuple[int, float]]()
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = [pool.submit(source.patches, ahead) for ahead in range(_AHEAD)]
        try:
            while True:
                done = step / steps if steps else (time.monotonic() - began) / (60 * (minutes or 1.0))
                if done >= 1:
                    break
                progress.update(done, f"step {step}" + (f", loss {curve[-1][1]:.5f}" if curve else ""))
                dense = torch.from_numpy(waiting.pop(0).result()).to(runtime.device)
                waiting.append(pool.submit(source.patches, step + _AHEAD))
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate * min(decayed(done), (step + 1) / 100)
                draws = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
                recent.append(optimized(model, optimizer, *visit(dense, settings, draws), runtime))
                step += 1
                if not np.isfinite(recent[-1]):
                    raise WeightsError(f"The pretraining diverged at step {step}", "Start it with another seed")
                if len(recent) == _WINDOW:
                    curve.append((step, float(np.mean(recent))))
                    progress.metric("loss", *curve[-1])
                    recent.clear()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    card = {
        "title": "Patch distance field of IAENet's 3D expert, trained by Nominal on procedural shapes",
        "architecture": ARCHITECTURE,
        "paper": "X. Cao et al., IAENet, 2026, with the network of Y.-M. Chu et al., Shape-Guided, ICML 2023",
        "licence": "Apache-2.0",
        "source": "Ships with Nominal",
        "data": {
            "procedural families": sorted(FAMILIES),
            "share of real shapes": source.share if shapes is not None else 0.0,
            "real shapes from": list(sources),
        },
        "steps": step,
        "batch": batch,
        "queries a patch": queries,
        "learning rate": learning_rate,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        "device": runtime.title,
        "precision": "bfloat16 autocast" if runtime.native_bfloat16 else "float32",
        "loss": curve[-1][1] if curve else None,
        "loss curve": [(at, round(loss, 6)) for at, loss in curve],
    }
    save_weights(out, {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}, card)
    return card
