"""Pretraining of Point-MAE on shapes made on the fly, as published but for its data.

Pang et al. 2022: 64 groups of 32 of 1,024 points, 60 % masked, AdamW (1e-3 at batch 128, weight decay 0.05), cosine
schedule after a linear warm-up, scale and translation augmentation. Departures: shapes are turned at random, since
parts come in any pose; DropPath is off by default, since a run of hours cannot overfit endless data; the learning rate
follows the root of the batch size.

Every random draw of a step comes from the seed and the step's number, so a run that was stopped and resumed ends with
the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.backbones.checkpoints import save_weights
from core.backbones.masked_autoencoder import GROUPS, MaskedAutoencoder
from core.backbones.point_mae import PointMAE, point_mae_tensors
from core.backbones.pretrain_data import ShapeSource, group, real_shapes, sources_of
from core.backbones.probe import probe_model
from core.errors import ConfigError, OutputError, WeightsError
from core.files import written_whole
from core.progress import Cancelled, Progress
from core.runtime import Runtime
from core.synthesis.shapes import FAMILIES

_STATE_VERSION = 1
_WINDOW = 20  # steps whose mean loss is one point of the curve
_AHEAD = 2  # batches made ahead of the step that needs them


@dataclass(frozen=True)
class PretrainSettings:
    """How to pretrain.

    Attributes
    ----------
    steps, minutes : int or float, optional
        Length of the run; exactly one is given. With minutes, the schedule follows the clock, and the result depends on
        the machine's speed.
    batch : int
        Clouds a step.
    learning_rate : float, optional
        At its peak; the published 1e-3 at batch 128, by the root of the batch size, if not given.
    weight_decay : float
        On matrices only.
    warmup : float
        Share of the run in which the learning rate rises.
    mask_ratio, drop_path : float
        See ``MaskedAutoencoder``; the paper has 0.6 and 0.1.
    mix : Path, optional
        File of real shapes, see ``real_shapes``.
    mix_share : float
        Share of the clouds that come from it.
    """

    steps: int | None = None
    minutes: float | None = None
    batch: int = 32
    learning_rate: float | None = None
    weight_decay: float = 0.05
    warmup: float = 0.05
    mask_ratio: float = 0.6
    drop_path: float = 0.0
    mix: Path | None = None
    mix_share: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("Pretraining needs its length", "Give either a number of steps or of minutes")
        if (self.steps is not None and self.steps < 1) or (self.minutes is not None and not self.minutes > 0):
            raise ConfigError("Pretraining cannot be shorter than one step", "Give a positive number")
        if self.batch < 2:
            raise ConfigError(f"A batch of {self.batch} is too small", "Use 2 or more clouds a step")

    def rate(self, share: float) -> float:
        """The learning rate when ``share`` of the run is done."""
        peak = self.learning_rate or 1e-3 * math.sqrt(self.batch / 128)
        if share < self.warmup:
            return peak * max(share / self.warmup, 0.01)
        return peak * max(0.5 * (1 + math.cos(math.pi * (share - self.warmup) / (1 - self.warmup))), 1e-3)


def pretrain(
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
    """Pretrain Point-MAE, probe it and write its extractor.

    Parameters
    ----------
    out : Path
        The weights (float16 safetensors). A card with the same name and ``.json`` is written beside it. While the run
        goes on, and when it is stopped, ``<name>.resume.safetensors`` beside it holds what ``resume`` needs.
    steps, minutes, batch, seed, mix
        See ``PretrainSettings``. With ``resume`` they must be those of the stopped run, but for ``minutes``.
    runtime : Runtime, optional
        Where to compute. CUDA, and CPUs that multiply bfloat16 natively, compute in bfloat16 where that is safe.
    resume : Path, optional
        State of a stopped run to go on from.
    save_every : float
        Minutes between two writings of that state.
    workers : int, optional
        Processes that make the shapes; 0 makes them in a thread. One a core on CUDA, else 0, if not given.
    probe_per_family : int
        Clouds of each kept-away family for the probe whose figures go into the card; 0 for no probe.

    Returns
    -------
    dict
        The card: data, steps, samples, loss, seconds, device, probe.

    Raises
    ------
    ConfigError, WeightsError, OutputError
        If a setting, the state to resume or the place to write is bad.
    Cancelled
        ``out`` is then not written; the state is.
    """
    settings = PretrainSettings(steps=steps, minutes=minutes, batch=batch, seed=seed, mix=mix)
    _check_before_hours_are_spent(out, mix)
    run = _Run(settings, runtime or Runtime.choose("auto", seed))
    if resume is not None:
        run.load(resume)
    state_path = out.with_name(out.stem + ".resume.safetensors")
    progress = progress or Progress()
    try:
        run.go(progress.part(0.0, 0.97), state_path, save_every, workers)
        card = run.card()
        if probe_per_family:
            card["probe"] = run.probe(out.stem, probe_per_family, progress.part(0.97, 1.0, "Probe"))
    except Cancelled:
        if run.step:
            run.save(state_path)
        raise
    save_weights(out, extractor_tensors(run.model.state_dict()), card)
    state_path.unlink(missing_ok=True)
    return card


def _check_before_hours_are_spent(out: Path, mix: Path | None) -> None:
    if mix is not None:
        real_shapes(mix)
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"{out} could not be written: {folder} is closed to you", "Choose a folder of yours")


def export_state(state: Path, out: Path) -> dict[str, Any]:
    """Write the extractor of a run that is still going on or was stopped, from its state file. Returns the card."""
    tensors, kept = _read_state(state)
    card = {**kept["card"], "unfinished": True}
    save_weights(out, extractor_tensors({k[6:]: v for k, v in tensors.items() if k.startswith("model.")}), card)
    return card


def extractor_tensors(model: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The extractor's tensors out of a masked autoencoder's, without the prefix ``MAE_encoder.``."""
    prefix = "MAE_encoder."
    return {
        name[len(prefix) :]: tensor
        for name, tensor in model.items()
        if name.startswith(prefix) and not name.endswith("num_batches_tracked")
    }


class _Run:
    """One run: model, optimiser, place in the schedule."""

    def __init__(self, settings: PretrainSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime
        self.model = MaskedAutoencoder(settings.mask_ratio, settings.drop_path)
        self.model.initialise(torch.Generator().manual_seed(settings.seed))
        self.model.to(runtime.device).train()
        flat = [p for n, p in self.model.named_parameters() if p.ndim == 1 or n == "mask_token"]
        matrices = [p for n, p in self.model.named_parameters() if p.ndim > 1 and n != "mask_token"]
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": flat, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
        self.source = ShapeSource(settings.seed, settings.batch, settings.mix, settings.mix_share)
        self.step, self.seconds = 0, 0.0
        self.curve: list[tuple[int, float]] = []
        self._recent: list[float] = []

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self.settings.steps is not None:
            return self.step / self.settings.steps
        assert self.settings.minutes is not None
        return self.seconds / (60 * self.settings.minutes)

    def go(self, progress: Progress, state_path: Path, save_every: float, workers: int | None) -> None:
        """Step until the run is over."""
        mark = saved = time.monotonic()
        with torch.random.fork_rng(), self._batches(workers) as batches:
            while self.share < 1:
                progress.update(self.share, self._text())
                loss = self._one_step(*next(batches))
                now = time.monotonic()
                self.seconds, mark = self.seconds + now - mark, now
                self._note(loss, progress)
                if now - saved > 60 * save_every and self.share < 1:
                    self.save(state_path)
                    saved = mark = time.monotonic()
        if len(self._recent) > _WINDOW // 2 or not self.curve:  # fewer would only add noise to the card
            self.curve.append((self.step, float(np.mean(self._recent))))
        progress.update(1.0, self._text())

    def _text(self) -> str:
        loss = f", loss {self.curve[-1][1]:.5f}" if self.curve else ""
        whole = f" of {self.settings.steps}" if self.settings.steps else ""
        return f"step {self.step}{whole}{loss}"

    def _note(self, loss: float, progress: Progress) -> None:
        if not math.isfinite(loss):
            raise WeightsError(
                f"The pretraining diverged at step {self.step}", "Start it with another seed or a larger batch"
            )
        self._recent.append(loss)
        if len(self._recent) == _WINDOW:
            self.curve.append((self.step, float(np.mean(self._recent))))
            self._recent.clear()
            progress.metric("loss", *self.curve[-1])

    def _one_step(self, groups: Tensor, centers: Tensor) -> float:
        device = self.runtime.device
        draws = np.random.default_rng([self.settings.seed, self.step, 2**20])
        order = torch.from_numpy(draws.random((self.settings.batch, GROUPS)).argsort(1)).to(device)
        torch.manual_seed(int(draws.integers(2**31)))  # for DropPath
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self.settings.rate(self.share)
        with torch.autocast(device.type, torch.bfloat16, enabled=_bfloat16(device)):
            loss = self.model(groups, centers, order)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.optimizer.step()
        self.step += 1
        return float(loss.detach())

    @contextmanager
    def _batches(self, workers: int | None) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
        """The batches from the present step on, made ahead in a thread or in processes."""
        device = self.runtime.device
        if workers is None:
            workers = max(1, torch.get_num_threads()) if device.type == "cuda" else 0
        pool: Executor = (
            ProcessPoolExecutor(workers, get_context("spawn")) if workers else ThreadPoolExecutor(max_workers=1)
        )
        ahead = _AHEAD * max(1, workers)
        on_cpu = device.type == "cpu"

        def stream() -> Iterator[tuple[Tensor, Tensor]]:
            make = self.source.grouped if on_cpu else self.source.points
            waiting: list[Future[Any]] = [pool.submit(make, self.step + i) for i in range(ahead)]
            following = self.step + ahead
            while True:
                made = waiting.pop(0).result()
                waiting.append(pool.submit(make, following))
                following += 1
                yield made if on_cpu else group(torch.from_numpy(made).to(device))

        try:
            yield stream()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def probe(self, name: str, per_family: int, progress: Progress) -> list[dict[str, Any]]:
        """The probe's table for the extractor as it will be written, in float16."""
        model = PointMAE()
        halved = {k: v.half() for k, v in extractor_tensors(self.model.state_dict()).items()}
        model.load_state_dict(point_mae_tensors(halved))
        model.eval().requires_grad_(False)
        rows = probe_model(
            model, name, runtime=self.runtime, shapes=self.settings.mix, per_family=per_family, progress=progress
        )
        return [asdict(row) for row in rows]

    def card(self) -> dict[str, Any]:
        """What was done, in words and numbers, for the file beside the weights."""
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
            "steps": self.step,
            "samples": self.step * s.batch,
            "batch": s.batch,
            "seed": s.seed,
            "peak learning rate": s.rate(s.warmup),
            "seconds": round(self.seconds, 1),
            "samples per second": round(self.step * s.batch / max(self.seconds, 1e-9), 1),
            "device": self.runtime.title,
            "precision": "bfloat16 autocast" if _bfloat16(self.runtime.device) else "float32",
            "loss": self.curve[-1][1] if self.curve else None,
            "loss curve": [(step, round(loss, 6)) for step, loss in self.curve],
        }

    def save(self, path: Path) -> None:
        """Write model, optimiser and place in the schedule, whole."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{key}.{name}"] = value
        kept = {
            "version": _STATE_VERSION,
            "settings": _plain(self.settings),
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
            "recent": self._recent,
            "card": self.card(),
        }
        with written_whole(path) as temporary:
            save_file(
                {k: v.detach().cpu().contiguous() for k, v in tensors.items()}, temporary, {"run": json.dumps(kept)}
            )

    def load(self, path: Path) -> None:
        """Go on from what ``save`` wrote.

        Raises
        ------
        WeightsError
            If the file is none, or of another run.
        """
        tensors, kept = _read_state(path)
        mine, theirs = _plain(replace(self.settings, minutes=None)), {**kept["settings"], "minutes": None}
        differing = sorted(key for key in mine if mine[key] != theirs.get(key))
        if differing:
            raise WeightsError(
                f"{path.name} is of a run with another {' and '.join(differing)}", "Resume with that run's settings"
            )
        self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        for name, parameter in self.model.named_parameters():
            self.optimizer.state[parameter] = {
                key: tensors[f"optimizer.{key}.{name}"].to("cpu" if key == "step" else parameter.device)
                for key in ("step", "exp_avg", "exp_avg_sq")
            }
        self.step, self.seconds = kept["step"], kept["seconds"]
        self.curve, self._recent = [(int(s), float(v)) for s, v in kept["curve"]], kept["recent"]


def _plain(settings: PretrainSettings) -> dict[str, Any]:
    return {**asdict(settings), "mix": settings.mix.name if settings.mix else None}


def _read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, "pt") as file:
            kept = json.loads((file.metadata() or {})["run"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(
            f"{path} is no state of a pretraining ({error})", "Give the .resume.safetensors file of a stopped run"
        ) from error
    if kept.get("version") != _STATE_VERSION:
        raise WeightsError(f"{path.name} was written by another version of the program", "Start the pretraining anew")
    return tensors, kept


def _bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are native here: on CUDA, and on CPUs with AMX."""
    if device.type == "cuda":
        return True
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16", False))
