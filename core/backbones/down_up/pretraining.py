"""DUS-Net's pretraining: Down-Net on swollen and noisy shapes, then Up-Net on what the frozen Down-Net makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from core.backbones.checkpoints import read_tensors
from core.backbones.down_up.down_net import DownSizes
from core.backbones.down_up.lessons import Lesson, LessonSource
from core.backbones.down_up.losses import DownLoss, UpLoss
from core.backbones.down_up.network import ARCHITECTURE, DusNet, rebuilt, recalled
from core.backbones.down_up.noise import NoiseGen
from core.backbones.down_up.up_net import UpSizes
from core.backbones.pretrain_point_data import real_shapes, sources_of
from core.backbones.pretraining import PretrainSettings, Task, run_pretraining
from core.errors import WeightsError
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.shapes import FAMILIES

_FORGETFUL = 0.3
"""Share of the steps without anything remembered, so that the network serves without it too."""
_UP_SHARE = 0.35
"""Share of the run that is Up-Net's."""
_PEAK = 1e-3
"""Peak learning rate: every patch is a sample, so that a batch of few shapes is a large one."""


@dataclass(frozen=True)
class DusSettings(PretrainSettings):
    """How to pretrain DUS-Net.

    Attributes
    ----------
    stage : str
        ``down`` or ``up``.
    alpha, beta : float
        Noise-Gen's, in patch radii.
    width, depth, heads : int
        Of Down-Net.
    up_rate : int
        gamma of Up-Net.
    mix : Path, optional
        File of real shapes, see ``real_shapes``.
    mix_share : float
        Share of the shapes that come from it.
    """

    stage: Literal["down", "up"] = "down"
    alpha: float = 0.08
    beta: float = 0.15
    width: int = 192
    depth: int = 3
    heads: int = 6
    up_rate: int = 8
    mix: Path | None = None
    mix_share: float = 0.3


def pretrain_dus_net(
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 4,
    seed: int = 0,
    sizes: DownSizes | None = None,
    runtime: Runtime | None = None,
    mix: Path | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
    save_every: float = 10.0,
    workers: int | None = None,
) -> dict[str, Any]:
    """Pretrain both networks, one after the other, and write them as one set; see ``run_pretraining``.

    Parameters
    ----------
    out : Path
        While Down-Net is trained, ``<name>-down.resume.safetensors`` beside it holds what ``resume`` needs; once it is
        done, ``<name>-down.safetensors`` holds it until Up-Net is done too.
    batch : int
        Shapes a step.
    sizes : DownSizes, optional
        Of Down-Net; 192 wide and 3 deep if not given.
    mix
        See ``DusSettings``.
    resume : Path, optional
        State of a stopped run, of either stage.
    """
    runtime, progress = runtime or Runtime.choose("auto", seed), progress or Progress()
    sizes = sizes or DownSizes(width=192, depth=3)
    if mix is not None:
        real_shapes(mix)  # a bad file is told before anything else
    settings = DusSettings(
        steps=_share_of(steps, 1 - _UP_SHARE),
        minutes=None if minutes is None else (1 - _UP_SHARE) * minutes,
        batch=batch, seed=seed, learning_rate=_PEAK, width=sizes.width, depth=sizes.depth, heads=sizes.heads, mix=mix,
    )  # fmt: skip
    up = replace(
        settings,
        stage="up",
        steps=_share_of(steps, _UP_SHARE),
        minutes=None if minutes is None else _UP_SHARE * minutes,
    )
    half = out.with_name(f"{out.stem}-down.safetensors")
    second = resume is not None and not resume.name.endswith("-down.resume.safetensors")
    model = DusNet.drawn(sizes, UpSizes(settings.up_rate), seed).to(runtime.device)
    card: dict[str, Any] = {}
    if not second:
        card = run_pretraining(
            DownTask(model, settings, runtime), settings, half, runtime,
            resume=resume, progress=progress.part(0.0, 1 - _UP_SHARE, "Down-Net"), save_every=save_every,
            workers=workers,
        )  # fmt: skip
    elif not half.is_file():
        raise WeightsError(f"There is no {half.name} beside {out.name}", "Keep it there until Up-Net is done")
    model.load_state_dict({name: tensor.float() for name, tensor in read_tensors(half).items()})
    task = UpTask(model, up, runtime, card)
    card = run_pretraining(
        task, up, out, runtime,
        resume=resume if second else None, progress=progress.part(1 - _UP_SHARE, 1.0, "Up-Net"),
        save_every=save_every, workers=workers,
    )  # fmt: skip
    half.unlink(missing_ok=True)
    half.with_suffix(".json").unlink(missing_ok=True)
    return card


def _share_of(steps: int | None, share: float) -> int | None:
    return None if steps is None else max(1, round(share * steps))


class _DusTask(Task):
    """What both stages have in common."""

    def __init__(self, model: DusNet, settings: DusSettings, runtime: Runtime) -> None:
        self.whole, self.settings, self.runtime = model, settings, runtime
        self._noise = NoiseGen(settings.alpha, settings.beta)
        source_seed = settings.seed if settings.stage == "down" else settings.seed + 2**20
        self.make = LessonSource(source_seed, settings.batch, settings.mix, settings.mix_share)

    def centers(self, lesson: Lesson, draws: np.random.Generator, *, forgetful: float) -> Tensor:
        """Down-Net's centres of a lesson."""
        generator = torch.Generator().manual_seed(int(draws.integers(2**31)))
        noisy = self._noise(lesson.groups, generator).to(self.runtime.device)
        known = None if draws.random() < forgetful else recalled(lesson.surfaces, noisy)
        found: Tensor = self.whole.down(noisy, known)
        return found

    def weights(self) -> dict[str, Tensor]:
        return self.whole.state_dict()

    def describe(self) -> dict[str, Any]:
        s = self.settings
        return {
            "title": "DUS-Net, trained by Nominal on procedural shapes",
            "architecture": ARCHITECTURE,
            "paper": "H. Liang et al., Taming Anomalies with Down-Up Sampling Networks, 2025",
            "licence": "Apache-2.0",
            "source": "Ships with Nominal; made by its verb 'pretrain'",
            "sizes": self.whole.sizes(),
            "noise": {"alpha": s.alpha, "beta": s.beta, "unit": "patch radius"},
            "data": {
                "procedural families": sorted(FAMILIES),
                "share of real shapes": s.mix_share if s.mix else 0.0,
                "real shapes from": sources_of(s.mix),
            },
        }

    def probe(self, name: str, progress: Progress) -> Any:
        return None


class DownTask(_DusTask):
    """The first stage."""

    def __init__(self, model: DusNet, settings: DusSettings, runtime: Runtime) -> None:
        super().__init__(model, settings, runtime)
        self.model = model.down.train()
        self._loss = DownLoss()

    def losses(self, made: Any, draws: np.random.Generator) -> Iterator[Tensor]:
        predicted = self.centers(made, draws, forgetful=_FORGETFUL)
        terms = self._loss(made.wanted.to(predicted.device), predicted, made.groups.radius.to(predicted.device))
        yield torch.stack(list(terms.values())).sum()


class UpTask(_DusTask):
    """The second stage: Down-Net is frozen.

    Parameters
    ----------
    first : dict
        The first stage's card; empty after resuming.
    """

    def __init__(self, model: DusNet, settings: DusSettings, runtime: Runtime, first: dict[str, Any]) -> None:
        super().__init__(model, settings, runtime)
        model.down.eval()
        self.model, self._first = model.up.train(), first
        self._loss = UpLoss()

    def losses(self, made: Any, draws: np.random.Generator) -> Iterator[Tensor]:
        with torch.no_grad():
            centers = self.centers(made, draws, forgetful=0.0)
        generator = torch.Generator().manual_seed(int(draws.integers(2**31)))
        points = rebuilt(self.whole, centers)
        # The truth is not so dense that every one of its points could have a predicted one to itself.
        rate = self.settings.up_rate
        spacing = made.groups.radius.new_tensor(np.sqrt(2 * np.pi / (rate * made.wanted.shape[1]))).expand(len(points))
        terms = self._loss(points, made.dense.to(points.device), spacing.to(points.device), generator)
        yield torch.stack(list(terms.values())).sum()

    def describe(self) -> dict[str, Any]:
        kept = ("steps", "samples", "seconds", "loss", "loss curve")
        return {**super().describe(), "Down-Net": {key: self._first[key] for key in kept if key in self._first}}
