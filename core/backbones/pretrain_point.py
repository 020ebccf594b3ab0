"""Pretraining of Point-MAE on shapes made on the fly, as published but for its data.

Pang et al. 2022: 64 groups of 32 of 1,024 points, 60 % masked, AdamW (1e-3 at batch 128, weight decay 0.05), cosine
schedule after a linear warm-up, scale and translation augmentation. Departures: shapes are turned at random, since
parts come in any pose; DropPath is off by default, since a run of hours cannot overfit endless data; the learning rate
follows the root of the batch size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.backbones.masked_autoencoder import GROUPS, MaskedAutoencoder
from core.backbones.point_mae import PointMAE, point_mae_tensors
from core.backbones.pretrain_point_data import ShapeSource, group, real_shapes, sources_of
from core.backbones.pretraining import PretrainSettings, Task, run_pretraining
from core.backbones.probe import probe_model
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.shapes import FAMILIES


@dataclass(frozen=True)
class PointSettings(PretrainSettings):
    """How to pretrain Point-MAE.

    Attributes
    ----------
    mask_ratio, drop_path : float
        See ``MaskedAutoencoder``; the paper has 0.6 and 0.1.
    mix : Path, optional
        File of real shapes, see ``real_shapes``.
    mix_share : float
        Share of the clouds that come from it.
    """

    mask_ratio: float = 0.6
    drop_path: float = 0.0
    mix: Path | None = None
    mix_share: float = 0.3


def pretrain_point(
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 32,
    seed: int = 0,
    runtime: Runtime | None = None,
    mix: Path | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
    save_every: float = 10.0,
    workers: int | None = None,
    probe_per_family: int = 40,
) -> dict[str, Any]:
    """Pretrain Point-MAE, probe it and write its extractor; see ``run_pretraining``.

    Parameters
    ----------
    steps, minutes, batch, seed, mix
        See ``PointSettings``.
    probe_per_family : int
        Clouds of each kept-away family for the probe whose figures go into the card; 0 for no probe.
    """
    settings = PointSettings(steps=steps, minutes=minutes, batch=batch, seed=seed, mix=mix)
    runtime = runtime or Runtime.choose("auto", seed)
    if mix is not None:
        real_shapes(mix)  # a bad file is told before anything else
    task = PointTask(settings, runtime, probe_per_family)
    return run_pretraining(
        task, settings, out, runtime, resume=resume, progress=progress, save_every=save_every, workers=workers
    )


def extractor_tensors(model: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The extractor's tensors out of a masked autoencoder's, without the prefix ``MAE_encoder.``."""
    prefix = "MAE_encoder."
    return {
        name[len(prefix) :]: tensor
        for name, tensor in model.items()
        if name.startswith(prefix) and not name.endswith("num_batches_tracked")
    }


@dataclass(frozen=True)
class _Batches:
    """What makes a step's samples, apart from the network, so that it can go to other processes."""

    source: ShapeSource
    grouped: bool

    def __call__(self, step: int) -> tuple[Tensor, Tensor] | NDArray[np.float32]:
        return self.source.grouped(step) if self.grouped else self.source.points(step)


class PointTask(Task):
    """Masked autoencoding of groups of points."""

    undecayed = ("mask_token",)

    def __init__(self, settings: PointSettings, runtime: Runtime, probe_per_family: int) -> None:
        self.settings, self.runtime, self._probe_per_family = settings, runtime, probe_per_family
        self.model = MaskedAutoencoder(settings.mask_ratio, settings.drop_path)
        self.model.initialise(torch.Generator().manual_seed(settings.seed))
        self.model.to(runtime.device).train()
        source = ShapeSource(settings.seed, settings.batch, settings.mix, settings.mix_share)
        self.make = _Batches(source, grouped=runtime.device.type == "cpu")

    def losses(self, made: Any, draws: np.random.Generator) -> Iterator[Tensor]:
        device = self.runtime.device
        groups, centers = made if isinstance(made, tuple) else group(torch.from_numpy(made).to(device))
        order = torch.from_numpy(draws.random((self.settings.batch, GROUPS)).argsort(1)).to(device)
        torch.manual_seed(int(draws.integers(2**31)))  # for DropPath
        yield self.model(groups, centers, order)

    def weights(self) -> dict[str, Tensor]:
        return extractor_tensors(self.model.state_dict())

    def describe(self) -> dict[str, Any]:
        s = self.settings
        return {
            "title": "Point-MAE, trained by Nominal on procedural shapes",
            "architecture": "point_mae",
            "paper": "Y. Pang et al., Masked Autoencoders for Point Cloud Self-supervised Learning, ECCV 2022",
            "licence": "Apache-2.0",
            "data": {
                "procedural families": sorted(FAMILIES),
                "share of real shapes": s.mix_share if s.mix else 0.0,
                "real shapes from": sources_of(s.mix),
            },
        }

    def probe(self, name: str, progress: Progress) -> list[dict[str, Any]] | None:
        """The linear probe's table for the extractor as it is written, in float16."""
        if not self._probe_per_family:
            return None
        model = PointMAE()
        model.load_state_dict(point_mae_tensors({k: v.half() for k, v in self.weights().items()}))
        model.eval().requires_grad_(False)
        per_family, shapes = self._probe_per_family, self.settings.mix
        rows = probe_model(model, name, runtime=self.runtime, shapes=shapes, per_family=per_family, progress=progress)
        return [asdict(row) for row in rows]
