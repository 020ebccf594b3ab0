"""Pretraining of an image trunk on images made by formula, with no photograph.

Three terms. *Classification* of the formula classes (H. Kataoka et al., ACCV 2020) of two views of each image, from the
last stage's mean. *Dense contrast* (after O. Pinheiro et al., *Unsupervised Learning of Dense Visual Representations*,
NeurIPS 2020): the features of two views at the same place of the image must know each other among all other places of
the batch, at every stage from layer2 on; anomaly detection lives on such local features, which a class alone does not
ask for. The views differ in crop, turn, light, colour, blur and noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.backbones.pretraining import PretrainSettings, Task, run_pretraining
from core.backbones.resnet import DEVIATION, MEAN, RESNETS, STAGES, ResNet
from core.errors import ConfigError
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.formula_images import KINDS, formula_image

_PLACES = 16  # of each image, at which its two views are compared
_WIDTH = 64  # of what is compared
_TEMPERATURE = 0.1
_BATCH_KEY = 7


@dataclass(frozen=True)
class ImageSettings(PretrainSettings):
    """How to pretrain an image trunk.

    Attributes
    ----------
    architecture : str
        ``resnet18`` or ``wide_resnet50_2``.
    classes : int
        How many formula classes.
    size : int
        Pixels on a side of what the network sees.
    dense : float
        Weight of the dense contrast beside the classification; 0 leaves it out.
    """

    architecture: str = "resnet18"
    classes: int = 360
    size: int = 112
    dense: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture not in RESNETS:
            raise ConfigError(
                f"{self.architecture!r} is no image network that can be pretrained", f"Use one of {', '.join(RESNETS)}"
            )
        if self.classes < 2 or self.size < 32:
            raise ConfigError("Too few classes or pixels to learn from", "Use at least 2 classes and 32 pixels")


def pretrain_image(
    out: Path,
    *,
    architecture: str = "resnet18",
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 32,
    classes: int = 360,
    size: int = 112,
    dense: float = 1.0,
    seed: int = 0,
    runtime: Runtime | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
    save_every: float = 10.0,
    workers: int | None = None,
) -> dict[str, Any]:
    """Pretrain a trunk up to layer3 and write it; see ``run_pretraining`` and ``ImageSettings``.

    The card's probe is the share of views whose class is told rightly, on images that were not trained on.
    """
    settings = ImageSettings(
        steps=steps,
        minutes=minutes,
        batch=batch,
        seed=seed,
        architecture=architecture,
        classes=classes,
        size=size,
        dense=dense,
    )
    runtime = runtime or Runtime.choose("auto", seed)
    return run_pretraining(
        ImageTask(settings, runtime),
        settings,
        out,
        runtime,
        resume=resume,
        progress=progress,
        save_every=save_every,
        workers=workers,
    )


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Images of a step.

    Attributes
    ----------
    images : (B, 3, S, S) uint8 array
    labels : (B,) int64 array
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class ImageSource:
    """Images by the number of the step."""

    seed: int
    batch: int
    classes: int
    size: int

    def __call__(self, step: int) -> ImageBatch:
        rng = np.random.default_rng([self.seed, step, _BATCH_KEY])
        labels = rng.choice(self.classes, self.batch, replace=self.classes < self.batch)
        images = [formula_image(int(label), rng, self.size) for label in labels]
        return ImageBatch((np.stack(images) * 255 + 0.5).astype(np.uint8).transpose(0, 3, 1, 2), labels)


@dataclass(frozen=True, eq=False)
class View:
    """A look at each image of a batch.

    Attributes
    ----------
    images : (B, 3, s, s) tensor
        Normalised.
    affine : (B, 2, 3) tensor
        From places in the view to places in the image, both in [-1, 1].
    """

    images: Tensor
    affine: Tensor

    def places(self, of_image: Tensor) -> Tensor:
        """Where places (B, P, 2) of the image lie in the view."""
        back = torch.linalg.inv(self.affine[:, :, :2])
        return _turned(of_image - self.affine[:, None, :, 2], back)

    def shown(self, places: Tensor) -> Tensor:
        """Which places (B, P, 2) of the image lie at these of the view."""
        return _turned(places, self.affine[:, :, :2]) + self.affine[:, None, :, 2]


def _turned(places: Tensor, matrix: Tensor) -> Tensor:
    """Places times (B, 2, 2) matrices. Not as a product of matrices, which autocast would round to three digits."""
    return (places[:, :, None, :] * matrix[:, None]).sum(-1)


def random_view(images: Tensor, size: int, draws: np.random.Generator) -> View:
    """A crop of 45 to 100 % of the side, turned by up to 15 degrees or mirrored, with other light, colour and noise."""
    count, device = len(images), images.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.from_numpy(draws.uniform(low, high, (count, *shape)).astype(np.float32)).to(device)

    scale, turn = uniform(0.45, 1.0), uniform(-0.26, 0.26)
    mirrored = torch.sign(uniform(-1, 1))
    cosine, sine = scale * torch.cos(turn), scale * torch.sin(turn)
    rotation = torch.stack([torch.stack([cosine * mirrored, -sine], -1), torch.stack([sine * mirrored, cosine], -1)], 1)
    shift = uniform(-1, 1, 2) * (1 - scale)[:, None]
    affine = torch.cat([rotation, shift[:, :, None]], 2)
    grid = functional.affine_grid(affine, [count, 3, size, size], align_corners=False)
    seen = functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    # Light: contrast, brightness and gamma of the whole, gain of each channel, a slope of light, blur, noise.
    seen = (seen * uniform(0.6, 1.3, 1, 1, 1) * uniform(0.8, 1.2, 3, 1, 1) + uniform(-0.15, 0.15, 1, 1, 1)).clamp(0, 1)
    seen = (seen + 1e-4) ** uniform(0.6, 1.6, 1, 1, 1)
    grey = torch.from_numpy(draws.random((count, 1, 1, 1)) < 0.25).to(device)
    seen = torch.where(grey, seen.mean(1, keepdim=True), seen)
    line = torch.linspace(-1, 1, size, device=device)
    slope = uniform(-0.2, 0.2, 2)
    seen = seen * (1 + slope[:, :1, None] * line + slope[:, 1:, None] * line[:, None])[:, None]
    blurred = functional.avg_pool2d(functional.pad(seen, (1, 1, 1, 1), mode="replicate"), 3, 1)
    seen = torch.lerp(seen, blurred, uniform(0, 1, 1, 1, 1) * (uniform(0, 1, 1, 1, 1) < 0.5))
    noise = torch.from_numpy(draws.standard_normal(seen.shape, np.float32)).to(device)
    seen = seen + noise * uniform(0, 0.04, 1, 1, 1)
    mean, deviation = (torch.tensor(v, device=device)[:, None, None] for v in (MEAN, DEVIATION))
    return View((seen - mean) / deviation, affine)


class _Learner(nn.Module):
    """The trunk, its classifier and, for each compared stage, its projection."""

    compared = ("layer2", "layer3")

    def __init__(self, architecture: str, classes: int) -> None:
        super().__init__()
        self.trunk = ResNet(architecture)
        self.classifier = nn.Linear(self.trunk.channels["layer3"], classes)
        self.projections = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(self.trunk.channels[name], 128), nn.ReLU(), nn.Linear(128, _WIDTH, bias=False)
                )
                for name in self.compared
            }
        )

    def initialise(self, generator: torch.Generator) -> None:
        self.trunk.initialise(generator)
        for module in (self.classifier, *self.projections.modules()):
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class ImageTask(Task):
    """Formula classes and dense contrast."""

    def __init__(self, settings: ImageSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime
        self.learner = _Learner(settings.architecture, settings.classes)
        self.learner.initialise(torch.Generator().manual_seed(settings.seed))
        cast(Any, self.learner).to(runtime.device, memory_format=torch.channels_last)
        self.model = self.learner.train()
        self.make = ImageSource(settings.seed, settings.batch, settings.classes, settings.size * 8 // 7)

    def losses(self, made: ImageBatch, draws: np.random.Generator) -> Iterator[Tensor]:
        device, size = self.runtime.device, self.settings.size
        images = torch.from_numpy(made.images).to(device).float() / 255
        labels = torch.from_numpy(made.labels).to(device)
        views = [random_view(images, size, draws) for _ in range(2)]
        both = torch.cat([view.images for view in views]).contiguous(memory_format=torch.channels_last)
        maps = self.learner.trunk(both)
        logits = self.learner.classifier(maps["layer3"].mean((2, 3)))
        loss = functional.cross_entropy(logits, labels.repeat(2), label_smoothing=0.1)
        if self.settings.dense > 0:
            terms = [self._contrast(name, maps[name], views, draws) for name in _Learner.compared]
            loss = loss + self.settings.dense * torch.stack(terms).mean()
        yield loss

    def _contrast(self, name: str, maps: Tensor, views: list[View], draws: np.random.Generator) -> Tensor:
        """InfoNCE over places that both views show; the negatives are all other places of the batch."""
        count = self.settings.batch
        inside = torch.from_numpy(draws.uniform(-0.9, 0.9, (count, 4 * _PLACES, 2)).astype(np.float32))
        of_image = views[0].shown(inside.to(maps.device))
        hidden = views[1].places(of_image).abs().amax(-1) > 0.95
        best = hidden.to(torch.uint8).argsort(stable=True, dim=1)[
            :, :_PLACES
        ]  # those that the second view shows come first
        shown = ~hidden.gather(1, best)
        chosen = of_image.gather(1, best[..., None].expand(-1, -1, 2))
        taken = []
        for view, features in zip(views, maps.float().split(count), strict=True):
            at = functional.grid_sample(
                features, view.places(chosen)[:, None], padding_mode="border", align_corners=False
            )
            projected = self.learner.projections[name](at[:, :, 0].mT)
            taken.append(functional.normalize(projected.float(), dim=-1)[shown])
        alike = taken[0] @ taken[1].T / _TEMPERATURE
        own = torch.arange(len(alike), device=alike.device)
        return (functional.cross_entropy(alike, own) + functional.cross_entropy(alike.T, own)) / 2

    def weights(self) -> dict[str, Tensor]:
        left_out = STAGES[_KEPT[self.settings.architecture] :]
        return {
            name: tensor
            for name, tensor in self.learner.trunk.state_dict().items()
            if not name.endswith("num_batches_tracked") and not name.startswith(left_out)
        }

    def describe(self) -> dict[str, Any]:
        s = self.settings
        return {
            "title": f"{_TITLES[s.architecture]}, trained by Nominal on images made by formula",
            "architecture": s.architecture,
            "paper": "H. Kataoka et al., Pre-training without Natural Images, ACCV 2020 (formula-driven supervision)",
            "licence": "Apache-2.0",
            "data": {"kinds": [kind.__name__.strip("_") for kind in KINDS], "classes": s.classes, "photographs": 0},
            "size": s.size,
            "dense contrast": s.dense,
        }

    def probe(self, name: str, progress: Progress) -> dict[str, float]:
        """The share of images told rightly that were not trained on."""
        right, steps = 0, 8
        self.learner.eval()
        with torch.inference_mode():
            for i in range(steps):
                progress.update(i / steps)
                draws = np.random.default_rng([self.settings.seed, i, 2**21])
                made = self.make(2**30 + i)
                images = torch.from_numpy(made.images).to(self.runtime.device).float() / 255
                view = random_view(images, self.settings.size, draws).images
                logits = self.learner.classifier(self.learner.trunk(view)["layer3"].mean((2, 3)))
                right += int((logits.argmax(1).cpu().numpy() == made.labels).sum())
        self.learner.train()
        return {"accuracy on new images": right / (steps * self.settings.batch), "chance": 1 / self.settings.classes}


_KEPT = {"resnet18": 3, "wide_resnet50_2": 2}
"""Stages that are written. Layer3 of the wide one alone is 42 MB, and IAENet takes the first two."""
_TITLES = {"resnet18": "ResNet-18", "wide_resnet50_2": "Wide-ResNet-50-2"}
