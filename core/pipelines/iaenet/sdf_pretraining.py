"""Pretraining of the 3D expert's network on patches of shapes made on the fly, for a short or no training per category.

Shape-Guided trains one network over all its categories; IAENet says no more than that it is trained on good scans. This
one is trained on patches of procedural shapes, each turned into its principal axes, so that it decodes surfaces that it
has never seen in any pose. Departures from the training on scans: the field learns signed distances (see ``loss`` of
``SdfSettings``); these are measured to the shape at four times the density of what the encoder sees, which shows the
field a finer surface; some queries lie close to the surface; and the decoder takes further steps on the codes of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.backbones.pretraining import PretrainSettings, Task, run_pretraining
from core.errors import ConfigError
from core.pipelines.iaenet.sdf import PatchSdf, load_sdf
from core.pipelines.iaenet.sdf_pretraining_data import PATCHES, SETTINGS, Dense, PatchSource
from core.pipelines.iaenet.sdf_training import distance_loss
from core.pipelines.iaenet.sdf_weights import ARCHITECTURE
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.shapes import FAMILIES

_MORE = 4
"""Further steps of the decoder alone on the codes of a step, at a fraction of the cost of learning codes too."""
_UNSEEN = 1_000_003
"""Added to the seed for the patches of the probe."""
_PROBED = 32
"""Patches of the probe, with 64 queries each."""


@dataclass(frozen=True)
class SdfPretrainSettings(PretrainSettings):
    """How to pretrain the field.

    Attributes
    ----------
    batch : int
        Patches a step, a multiple of 16.
    queries : int
        Queries a patch.
    """

    learning_rate: float | None = 5e-4
    weight_decay: float = 0.0
    queries: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch % PATCHES:
            raise ConfigError(f"A batch of {self.batch} patches cannot be made", f"Give a multiple of {PATCHES}")


def pretrain_sdf(
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 32,
    queries: int = 64,
    seed: int = 0,
    runtime: Runtime | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
    save_every: float = 10.0,
    workers: int | None = None,
) -> dict[str, Any]:
    """Pretrain the network and write it; see ``run_pretraining`` and ``SdfPretrainSettings``.

    The card's probe says how far the field is off on patches that it was not trained on.
    """
    settings = SdfPretrainSettings(steps=steps, minutes=minutes, batch=batch, queries=queries, seed=seed)
    runtime = runtime or Runtime.choose("auto", seed)
    return run_pretraining(
        SdfTask(settings, runtime),
        settings,
        out,
        runtime,
        resume=resume,
        progress=progress,
        save_every=save_every,
        workers=workers,
    )


class SdfTask(Task):
    """Signed distances to the surface of a patch from its code."""

    def __init__(self, settings: SdfPretrainSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = PatchSdf()
            self.network.decoder.start_flat()
        self.model = self.network.to(runtime.device).train()
        self.make = PatchSource(settings.seed, settings.batch)
        self._cut = replace(SETTINGS, queries=settings.queries)

    def losses(self, made: Any, draws: np.random.Generator) -> Iterator[Tensor]:
        chance = torch.Generator().manual_seed(int(draws.integers(2**63)))
        dense = Dense.of(torch.from_numpy(made).to(self.runtime.device), self._cut)
        decoder = self.network.decoder
        codes = self.network.encoder(dense.seen(self._cut, chance))
        yield distance_loss(decoder, codes, *dense.queries(self._cut, chance))
        codes = codes.detach()
        for _ in range(_MORE):
            yield distance_loss(decoder, codes, *dense.queries(self._cut, chance))

    def weights(self) -> dict[str, Tensor]:
        return {k: v for k, v in self.network.state_dict().items() if not k.endswith("num_batches_tracked")}

    def describe(self) -> dict[str, Any]:
        return {
            "title": "Patch distance field of IAENet's 3D expert, trained by Nominal on procedural shapes",
            "architecture": ARCHITECTURE,
            "paper": "X. Cao et al., IAENet, 2026, with the network of Y.-M. Chu et al., Shape-Guided, ICML 2023",
            "licence": "Apache-2.0",
            "data": {"procedural families": sorted(FAMILIES)},
            "frame": self._cut.frame,
            "patch scale": self._cut.patch_scale,
            "queries a patch": self.settings.queries,
            "decoder's further steps": _MORE,
        }

    def probe(self, name: str, progress: Progress) -> dict[str, float]:
        """How far the field is off on new patches, in their sizes, as it is written, in float16."""
        progress.check()
        model = load_sdf({k: v.half().float() for k, v in self.weights().items()}, self.runtime.device)
        return field_errors(model, self.settings.seed + _UNSEEN)


def field_errors(model: PatchSdf, seed: int = _UNSEEN) -> dict[str, float]:
    """How far a frozen field is off on patches of made shapes, in sizes of the patch."""
    chance = torch.Generator().manual_seed(seed)
    dense = Dense.of(torch.from_numpy(PatchSource(seed, _PROBED)(0)), SETTINGS)
    queries, distances = dense.queries(replace(SETTINGS, queries=64), chance)
    device = next(model.parameters()).device
    with torch.inference_mode():
        codes = model.encoder(dense.seen(SETTINGS, chance).to(device))
        around = (model.decoder(codes, queries.to(device)).cpu() - distances).abs()
        on = model.decoder(codes, dense.points[:, :64].to(device)).abs()
    return {
        "patches": float(_PROBED),
        "mean distance of queries": round(float(distances.abs().mean()), 6),
        "mean error there": round(float(around.mean()), 6),
        "mean distance that it gives to the surface's own points": round(float(on.mean()), 6),
    }
