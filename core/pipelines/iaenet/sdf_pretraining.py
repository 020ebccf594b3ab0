"""Pretraining of the 3D expert's network on patches of shapes made on the fly, for a short or no training per category.

Shape-Guided trains one network over all its categories; IAENet says no more than that it is trained on good scans. This
one is trained on patches of procedural shapes, each turned into its principal axes, so that it decodes surfaces that it
has never seen in any pose. Departures from the training on scans: the field starts as that of the patch's mean plane,
for which the pull is right at once where a patch is flat, and not as a sphere's; the targets of the queries are taken
from the shape at four times the density of what the encoder sees, which shows the field a finer surface; some queries
lie close to the surface; and the learning rate falls as a cosine.

Every draw of a step comes from the seed and the step's number.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.checkpoints import read_tensors, save_weights
from core.backbones.weights import WeightSet, default_weights, find
from core.errors import ConfigError, WeightsError
from core.geometry.neighbors import nearest
from core.pipelines.iaenet.sdf import DistanceDecoder, PatchSdf, load_sdf
from core.pipelines.iaenet.sdf_patches import PatchFrame, nearest_targets, neighbor_distance, noise_factors
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.pipelines.iaenet.sdf_training import decayed, descended, pull_loss
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.shapes import FAMILIES, procedural_cloud

ARCHITECTURE = "pointnet_sdf"

Floats = NDArray[np.float32]

SETTINGS = SdfSettings(frame="principal", patch_scale="radius", near_copies=9, far_copies=5, surface_copies=6)
"""How patches must be cut for what this makes."""

_POINTS = 30_000
_PATCHES = 16
_DENSE = 4
_MEMBERS = (600, 3000)
"""Fewest and most points of a shape that a patch covers, of 30,000."""
_NOISE = 0.01
"""Largest standard deviation of the noise on what the encoder sees, in sizes of the patch."""
_PLANAR_STEPS = 100
_MORE = 3
"""Further steps of the decoder alone on the codes of a step, which cost a third of the step that learns codes too."""
_AHEAD = 4
_WINDOW = 50


@dataclass(frozen=True)
class PatchSource:
    """Batches of patches, each a pure function of seed and step.

    Attributes
    ----------
    seed : int
    batch : int
        Patches a batch, a multiple of 16.
    """

    seed: int
    batch: int

    def patches(self, step: int) -> Floats:
        """(batch, 2000, 3) points of each patch, in no order; not normalised."""
        clouds = range(self.batch // _PATCHES)
        return np.concatenate([self._of_one_cloud(np.random.default_rng([self.seed, step, i])) for i in clouds])

    def _of_one_cloud(self, rng: np.random.Generator) -> Floats:
        cloud = procedural_cloud(rng, _POINTS) * rng.uniform(0.7, 1.4, 3).astype(np.float32)
        near = int(np.exp(rng.uniform(*np.log(_MEMBERS))))
        centers = cloud[rng.choice(len(cloud), _PATCHES, replace=False)]
        members = nearest(cloud, centers, near)[1]
        wanted = SETTINGS.patch_points * _DENSE
        return np.stack([cloud[rng.choice(row, wanted, replace=near < wanted)] for row in members])


def seen(dense: Tensor, settings: SdfSettings, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, 500, 3) noisy points for the encoder, and the (B, 2000, 3) ``dense`` patches, both normalised."""
    dense = PatchFrame.of(dense[:, : settings.patch_points], settings).bring(dense)
    points = dense[:, : settings.patch_points]
    noise = _NOISE * torch.rand((len(dense), 1, 1), generator=draws) ** 2
    return points + (noise * torch.randn(points.shape, generator=draws)).to(dense.device), dense


def dense_queries(dense: Tensor, settings: SdfSettings, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noisy queries and their nearest points of the (B, 2000, 3) ``dense`` patches, both (B, Q, 3).

    Every query has its own noise level, where a scan's patch has one a visit: a step then sees them all.
    """
    device, size = dense.device, settings.patch_points
    picked = torch.randint(dense.shape[1], (len(dense), settings.queries or size), generator=draws).to(device)
    chosen = dense.gather(1, picked[..., None].expand(-1, -1, 3))
    factors = torch.from_numpy(noise_factors(settings))
    reach = factors[torch.randint(len(factors), picked.shape, generator=draws)].to(device)
    sigma = neighbor_distance(dense[:, :size], chosen, settings.sigma_neighbor) * reach
    queries = chosen + sigma[..., None] * torch.randn(chosen.shape, generator=draws).to(device)
    return queries, nearest_targets(dense, queries)


def pretrained(name: str = "auto", runtime: Runtime | None = None) -> tuple[PatchSdf, WeightSet]:
    """The weights of that name, by default the best on this computer, to start from or to use as they are.

    Raises
    ------
    WeightsError
        If they are not here, or are another network's.
    """
    chosen = default_weights(ARCHITECTURE) if name == "auto" else find(name)
    assert chosen.path is not None
    try:
        model = load_sdf(read_tensors(chosen.path), (runtime or Runtime.choose("cpu")).device)
    except RuntimeError as error:
        raise WeightsError(
            f"The weights {chosen.name!r} are not those of a patch distance field", "Choose another set"
        ) from error
    return model, chosen


def pretrain_sdf(
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 32,
    queries: int = 64,
    learning_rate: float = 5e-4,
    seed: int = 0,
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
    settings = replace(SETTINGS, batch=batch, queries=queries, learning_rate=learning_rate)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PatchSdf()
    if start is not None:
        model.load_state_dict(start.state_dict())
    model.to(runtime.device).train().requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    decoding = torch.optim.Adam(model.decoder.parameters(), lr=learning_rate)
    source = PatchSource(seed, batch)
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
                for group in (*optimizer.param_groups, *decoding.param_groups):
                    group["lr"] = learning_rate * min(decayed(done), (step + 1) / 100)
                draws = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
                points, dense = seen(dense, settings, draws)
                field = _plane_loss if start is None and step < _PLANAR_STEPS else pull_loss
                at = dense_queries(dense, settings, draws)
                loss, codes = _joint_step(model, optimizer, runtime, field, points, *at)
                recent.append(loss)
                for _ in range(_MORE):
                    at = dense_queries(dense, settings, draws)
                    descended(decoding, runtime, field, model.decoder, codes, *at)
                step += 1
                if not np.isfinite(recent[-1]):
                    raise WeightsError(f"The pretraining diverged at step {step}", "Start it with another seed")
                if len(recent) == _WINDOW:
                    curve.append((step, float(np.mean(recent))))
                    progress.metric("loss", *curve[-1])
                    recent.clear()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    card: dict[str, Any] = {
        "title": "Patch distance field of IAENet's 3D expert, trained by Nominal on procedural shapes",
        "architecture": ARCHITECTURE,
        "paper": "X. Cao et al., IAENet, 2026, with the network of Y.-M. Chu et al., Shape-Guided, ICML 2023",
        "licence": "Apache-2.0",
        "source": "Ships with Nominal",
        "data": {"procedural families": sorted(FAMILIES)},
        "frame": settings.frame,
        "patch scale": settings.patch_scale,
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


def _joint_step(
    model: PatchSdf,
    optimizer: torch.optim.Optimizer,
    runtime: Runtime,
    field: Callable[..., Tensor],
    points: Tensor,
    queries: Tensor,
    targets: Tensor,
) -> tuple[float, Tensor]:
    """A step of the whole network; gives the loss, and the codes for further steps of the decoder."""
    with torch.autocast(runtime.device.type, torch.bfloat16, enabled=runtime.native_bfloat16):
        codes = model.encoder(points)
        loss = field(model.decoder, codes, queries, targets)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach()), codes.detach()


def _plane_loss(decoder: DistanceDecoder, codes: Tensor, queries: Tensor, targets: Tensor) -> Tensor:
    """How far the field is from the distance to the patch's mean plane, whose normal is the third axis."""
    return (decoder(codes, queries).float() - queries[..., 2]).abs().mean()
