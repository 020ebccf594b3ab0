"""Pretraining of the 3D expert's network on patches of shapes made on the fly, for a short or no training per category.

Shape-Guided trains one network over all its categories; IAENet says no more than that it is trained on good scans. This
one is trained on patches of procedural shapes, each turned into its principal axes, so that it decodes surfaces that it
has never seen in any pose. Departures from the training on scans: the field learns signed distances (see ``loss`` of
``SdfSettings``); these are measured to the shape at four times the density of what the encoder sees, which shows the
field a finer surface; some queries lie close to the surface; the decoder takes further steps on the codes of each; and
the learning rate falls as a cosine.

Every draw of a step comes from the seed and the step's number.
"""

from __future__ import annotations

import time
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
from core.geometry.normals import estimate_normals
from core.pipelines.iaenet.sdf import PatchSdf, load_sdf
from core.pipelines.iaenet.sdf_patches import PatchFrame, Queries, neighbor_distance, noise_factors, one_sided
from core.pipelines.iaenet.sdf_settings import SdfSettings
from core.pipelines.iaenet.sdf_training import decayed, descended, distance_loss
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.shapes import FAMILIES, procedural_cloud

ARCHITECTURE = "pointnet_sdf"

Floats = NDArray[np.float32]

SETTINGS = SdfSettings(
    frame="principal", patch_scale="radius", loss="distance", near_copies=9, far_copies=5, surface_copies=6
)
"""How patches must be cut for what this makes."""

_POINTS = 30_000
_PATCHES = 16
_DENSE = 4
_MEMBERS = (600, 3000)
"""Fewest and most points of a shape that a patch covers, of 30,000."""
_NOISE = 0.01
"""Largest standard deviation of the noise on what the encoder sees, in sizes of the patch."""
_MORE = 4
"""Further steps of the decoder alone on the codes of a step, at a fraction of the cost of learning codes too."""
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
        """(batch, 2000, 6) points of each patch, in no order and not normalised, and their normals of any sign."""
        clouds = range(self.batch // _PATCHES)
        return np.concatenate([self._of_one_cloud(np.random.default_rng([self.seed, step, i])) for i in clouds])

    def _of_one_cloud(self, rng: np.random.Generator) -> Floats:
        cloud = procedural_cloud(rng, _POINTS) * rng.uniform(0.7, 1.4, 3).astype(np.float32)
        near = int(np.exp(rng.uniform(*np.log(_MEMBERS))))
        centers = cloud[rng.choice(len(cloud), _PATCHES, replace=False)]
        members = nearest(cloud, centers, near)[1]
        wanted = SETTINGS.patch_points * _DENSE
        both = np.concatenate([cloud, estimate_normals(cloud, k=12)], axis=1)
        return np.stack([both[rng.choice(row, wanted, replace=near < wanted)] for row in members])


@dataclass(frozen=True, eq=False)
class Dense:
    """Normalised patches at a density that the encoder does not see.

    Attributes
    ----------
    points, normals : (B, 2000, 3) float tensor
        The first 500 are what the encoder sees, but for the noise.
    """

    points: Tensor
    normals: Tensor

    @classmethod
    def of(cls, patches: Tensor, settings: SdfSettings) -> Dense:
        """From (B, 2000, 6) points and normals."""
        points, normals = patches.split(3, dim=2)
        frame = PatchFrame.of(points[:, : settings.patch_points], settings)
        brought = frame.bring(points)
        return cls(brought, one_sided(brought, frame.turn(normals)))

    def seen(self, settings: SdfSettings, draws: torch.Generator) -> Tensor:
        """(B, 500, 3) points for the encoder, noisy."""
        points = self.points[:, : settings.patch_points]
        noise = _NOISE * torch.rand((len(points), 1, 1), generator=draws) ** 2
        return points + (noise * torch.randn(points.shape, generator=draws)).to(points.device)

    def queries(self, settings: SdfSettings, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, Q, 3) queries and their (B, Q) signed distances.

        Every query has its own noise level, where a scan's patch has one a visit: a step then sees them all.
        """
        device, size = self.points.device, settings.patch_points
        picked = torch.randint(self.points.shape[1], (len(self.points), settings.queries or size), generator=draws)
        chosen = self.points.gather(1, picked.to(device)[..., None].expand(-1, -1, 3))
        factors = torch.from_numpy(noise_factors(settings))
        reach = factors[torch.randint(len(factors), picked.shape, generator=draws)].to(device)
        sigma = neighbor_distance(self.points[:, :size], chosen, settings.sigma_neighbor)
        noise = torch.randn(chosen.shape, generator=draws).to(device)
        made = Queries.around(self.points, chosen + (sigma * reach)[..., None] * noise, sigma / _DENSE**0.5)
        return made.at, made.signed_distances(self.normals)


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
        model.decoder.start_flat()
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
                dense = Dense.of(torch.from_numpy(waiting.pop(0).result()).to(runtime.device), settings)
                waiting.append(pool.submit(source.patches, step + _AHEAD))
                for group in (*optimizer.param_groups, *decoding.param_groups):
                    group["lr"] = learning_rate * min(decayed(done), (step + 1) / 100)
                draws = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1)[0]))
                loss, codes = _joint_step(
                    model, optimizer, runtime, dense.seen(settings, draws), *dense.queries(settings, draws)
                )
                recent.append(loss)
                for _ in range(_MORE):
                    at = dense.queries(settings, draws)
                    descended(decoding, runtime, distance_loss, model.decoder, codes, *at)
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
    points: Tensor,
    queries: Tensor,
    distances: Tensor,
) -> tuple[float, Tensor]:
    """A step of the whole network; gives the loss, and the codes for further steps of the decoder."""
    with torch.autocast(runtime.device.type, torch.bfloat16, enabled=runtime.native_bfloat16):
        codes = model.encoder(points)
        loss = distance_loss(model.decoder, codes, queries, distances)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return float(loss.detach()), codes.detach()
