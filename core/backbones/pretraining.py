"""A run of pretraining: its schedule, its batches made ahead, its state on disk, its card. What is learned is a task's.

Every random draw of a step comes from the seed and the step's number, so a run that was stopped and resumed ends with
the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.backbones.checkpoints import save_weights
from core.errors import ConfigError, WeightsError
from core.files import check_writable, written_whole
from core.progress import Cancelled, Progress
from core.runtime import Runtime

_STATE_VERSION = 2
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
        Samples a step.
    learning_rate : float, optional
        At its peak; 1e-3 at batch 128, by the root of the batch size, if not given.
    weight_decay : float
        On matrices only.
    warmup : float
        Share of the run in which the learning rate rises.
    """

    steps: int | None = None
    minutes: float | None = None
    batch: int = 32
    learning_rate: float | None = None
    weight_decay: float = 0.05
    warmup: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ConfigError("Pretraining needs its length", "Give either a number of steps or of minutes")
        if (self.steps is not None and self.steps < 1) or (self.minutes is not None and not self.minutes > 0):
            raise ConfigError("Pretraining cannot be shorter than one step", "Give a positive number")
        if self.batch < 2:
            raise ConfigError(f"A batch of {self.batch} is too small", "Use 2 or more samples a step")

    def rate(self, share: float) -> float:
        """The learning rate when ``share`` of the run is done: a linear warm-up, then half a cosine."""
        peak = self.learning_rate or 1e-3 * math.sqrt(self.batch / 128)
        if share < self.warmup:
            return peak * max(share / self.warmup, 0.01)
        return peak * max(0.5 * (1 + math.cos(math.pi * (share - self.warmup) / (1 - self.warmup))), 1e-3)

    def plain(self) -> dict[str, Any]:
        """For JSON: files by their names."""
        return {key: value.name if isinstance(value, Path) else value for key, value in asdict(self).items()}


class Task(ABC):
    """What a run learns: a network, where its samples come from, and the losses of a step.

    Attributes
    ----------
    model : nn.Module
        Everything that is trained, in training mode, on the runtime's device.
    make : callable
        Gives the samples of a step by its number. It runs in another thread or process: it must be picklable and know
        no device.
    undecayed : tuple of str
        Names of parameters with more than one axis that weight decay must leave alone.
    """

    model: nn.Module
    make: Callable[[int], Any]
    undecayed: tuple[str, ...] = ()

    @abstractmethod
    def losses(self, made: Any, draws: np.random.Generator) -> Iterator[Tensor]:
        """The loss of what ``make`` made; ``draws`` is all the chance there is.

        A task may descend further on the same samples: each loss is computed after the step down the one before it. The
        first one is that of the card.
        """

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """The tensors that are written: those of the frozen network alone."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What goes into the card: title, architecture, paper, licence, data."""

    @abstractmethod
    def probe(self, name: str, progress: Progress) -> Any:
        """What the finished weights are worth, for the card; None for no probe."""


def run_pretraining(
    task: Task,
    settings: PretrainSettings,
    out: Path,
    runtime: Runtime,
    *,
    resume: Path | None = None,
    progress: Progress | None = None,
    save_every: float = 10.0,
    workers: int | None = None,
) -> dict[str, Any]:
    """Train, probe and write the weights.

    Parameters
    ----------
    out : Path
        The weights (float16 safetensors). A card with the same name and ``.json`` is written beside it. While the run
        goes on, and when it is stopped, ``<name>.resume.safetensors`` beside it holds what ``resume`` needs.
    runtime : Runtime
        Where to compute. CUDA, and CPUs that multiply bfloat16 natively, compute in bfloat16 where that is safe.
    resume : Path, optional
        State of a stopped run to go on from; its settings must be the same, but for ``minutes``.
    save_every : float
        Minutes between two writings of that state.
    workers : int, optional
        Processes that make the samples; 0 makes them in a thread. One a core on CUDA, else 0, if not given.

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
    check_writable(out)
    run = Run(task, settings, runtime)
    if resume is not None:
        run.load(resume)
    state_path = out.with_name(out.stem + ".resume.safetensors")
    progress = progress or Progress()
    try:
        run.go(progress.part(0.0, 0.97), state_path, save_every, workers)
        card = run.card()
        probe = task.probe(out.stem, progress.part(0.97, 1.0, "Probe"))
        if probe is not None:
            card["probe"] = probe
    except Cancelled:
        if run.step:
            run.save(state_path)
        raise
    save_weights(out, task.weights(), card)
    state_path.unlink(missing_ok=True)
    return card


class Run:
    """One run: a task, its optimiser, its place in the schedule."""

    def __init__(self, task: Task, settings: PretrainSettings, runtime: Runtime) -> None:
        self.task, self.settings, self.runtime = task, settings, runtime
        named = list(task.model.named_parameters())
        flat = [p for n, p in named if p.ndim == 1 or n in task.undecayed]
        matrices = [p for n, p in named if p.ndim > 1 and n not in task.undecayed]
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": flat, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
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
                loss = self._one_step(next(batches))
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

    def _one_step(self, made: Any) -> float:
        draws = np.random.default_rng([self.settings.seed, self.step, 2**20])
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = self.settings.rate(self.share)
        losses, found = self.task.losses(made, draws), list[float]()
        while (loss := self._next(losses)) is not None:
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.task.model.parameters(), 10.0)
            self.optimizer.step()
            found.append(float(loss.detach()))
        self.step += 1
        return found[0]

    def _next(self, losses: Iterator[Tensor]) -> Tensor | None:
        with torch.autocast(self.runtime.device.type, torch.bfloat16, enabled=self.runtime.native_bfloat16):
            return next(losses, None)

    @contextmanager
    def _batches(self, workers: int | None) -> Iterator[Iterator[Any]]:
        """The samples from the present step on, made ahead in a thread or in processes."""
        if workers is None:
            workers = max(1, torch.get_num_threads()) if self.runtime.device.type == "cuda" else 0
        pool: Executor = (
            ProcessPoolExecutor(workers, get_context("spawn")) if workers else ThreadPoolExecutor(max_workers=1)
        )
        ahead = _AHEAD * max(1, workers)
        make = self.task.make

        def stream() -> Iterator[Any]:
            waiting: list[Future[Any]] = [pool.submit(make, self.step + i) for i in range(ahead)]
            following = self.step + ahead
            while True:
                made = waiting.pop(0).result()
                waiting.append(pool.submit(make, following))
                following += 1
                yield made

        try:
            yield stream()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def card(self) -> dict[str, Any]:
        """What was done, in words and numbers, for the file beside the weights."""
        s = self.settings
        return {
            **self.task.describe(),
            "steps": self.step,
            "samples": self.step * s.batch,
            "batch": s.batch,
            "seed": s.seed,
            "peak learning rate": s.rate(s.warmup),
            "seconds": round(self.seconds, 1),
            "samples per second": round(self.step * s.batch / max(self.seconds, 1e-9), 1),
            "device": self.runtime.title,
            "precision": "bfloat16 autocast" if self.runtime.native_bfloat16 else "float32",
            "loss": self.curve[-1][1] if self.curve else None,
            "loss curve": [(step, round(loss, 6)) for step, loss in self.curve],
        }

    def save(self, path: Path) -> None:
        """Write model, optimiser and place in the schedule, whole."""
        model = self.task.model
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for name, parameter in model.named_parameters():
            for key, value in self.optimizer.state[parameter].items():
                tensors[f"optimizer.{key}.{name}"] = value
        tensors |= {f"weights.{name}": tensor for name, tensor in self.task.weights().items()}
        kept = {
            "version": _STATE_VERSION,
            "settings": self.settings.plain(),
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
            "recent": self._recent,
            "card": self.card(),
        }
        with written_whole(path) as temporary:
            # Clones, since safetensors refuses tensors that share memory, as the network's and its weights do.
            plain = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
            save_file(plain, temporary, {"run": json.dumps(kept)})

    def load(self, path: Path) -> None:
        """Go on from what ``save`` wrote.

        Raises
        ------
        WeightsError
            If the file is none, or of another run.
        """
        tensors, kept = _read_state(path)
        mine, theirs = {**self.settings.plain(), "minutes": None}, {**kept["settings"], "minutes": None}
        differing = sorted(key for key in mine if mine[key] != theirs.get(key))
        if differing:
            raise WeightsError(
                f"{path.name} is of a run with another {' and '.join(differing)}", "Resume with that run's settings"
            )
        try:
            self.task.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        except RuntimeError as error:
            raise WeightsError(f"{path.name} is of a run with another network", "Resume with that run's") from error
        for name, parameter in self.task.model.named_parameters():
            # In the parameter's own memory format, which the fused optimiser takes for granted.
            self.optimizer.state[parameter] = {
                "step": tensors[f"optimizer.step.{name}"],
                **{
                    key: torch.empty_like(parameter).copy_(tensors[f"optimizer.{key}.{name}"])
                    for key in ("exp_avg", "exp_avg_sq")
                },
            }
        self.step, self.seconds = kept["step"], kept["seconds"]
        self.curve, self._recent = [(int(s), float(v)) for s, v in kept["curve"]], kept["recent"]


def export_state(state: Path, out: Path) -> dict[str, Any]:
    """Write the weights of a run that is still going on or was stopped, from its state file. Returns the card."""
    tensors, kept = _read_state(state)
    card = {**kept["card"], "unfinished": True}
    save_weights(out, {k[8:]: v for k, v in tensors.items() if k.startswith("weights.")}, card)
    return card


def _read_state(path: Path) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
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
