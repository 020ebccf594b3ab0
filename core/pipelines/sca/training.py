"""Training of the Feature Adaptor and the discriminator on frozen features (paper, "Loss function and training")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from core.pipelines.sca.adaptor import FeatureAdaptor
from core.pipelines.sca.config import ScaConfig
from core.pipelines.sca.discriminator import CrossPatchDiscriminator
from core.pipelines.sca.generator import AnomalousFeatureGenerator
from core.progress import Progress
from core.runtime import Runtime

Floats = NDArray[np.float32]


class Detector(nn.Module):
    """Feature Adaptor and discriminator: features of a scan's patches to logits."""

    def __init__(self, width: int, config: ScaConfig) -> None:
        super().__init__()
        self.width = -(-width // config.heads) * config.heads  # padded with zeros so that the heads share it evenly
        alpha = config.adaptor_share if config.adaptor else 0.0
        self.adaptor = FeatureAdaptor(self.width, max(1, self.width // 2), alpha)
        self.discriminator = CrossPatchDiscriminator(
            self.width,
            heads=config.heads,
            hidden=max(1, round(config.hidden * self.width)),
            dropout=config.dropout,
            position=config.position,
            patches=config.patches,
            attention=config.attention,
            energy=config.energy,
        )

    def padded(self, features: Tensor) -> Tensor:
        """(..., width) of (..., W) features."""
        return nn.functional.pad(features, (0, self.width - features.shape[-1]))

    def forward(self, features: Tensor, centers: Tensor) -> Tensor:
        """(B, n) logits of (B, n, W) features at (B, n, 3) centres."""
        logits: Tensor = self.discriminator(self.adaptor(self.padded(features)), centers)
        return logits


def train_detector(
    features: Sequence[Floats], centers: Sequence[Floats], config: ScaConfig, runtime: Runtime, progress: Progress
) -> Detector:
    """A detector trained to tell patches that the generator corrupted from those that it left alone.

    Parameters
    ----------
    features : sequence of (n_i, W) float32
        Of each good scan (and of its augmented copies). They are frozen: an epoch costs the small networks only.
    centers : sequence of (n_i, 3) float32

    Returns
    -------
    Detector
        In evaluation mode, on the runtime's device.
    """
    device = runtime.device
    n = min(len(own) for own in features)  # centres come farthest first: fewer of them are a coarser sampling
    bags = torch.from_numpy(np.stack([own[:n] for own in features])).to(device)
    places = torch.from_numpy(np.stack([own[:n] for own in centers])).to(device)
    with torch.random.fork_rng(devices=[]):
        draws = runtime.generator(1)
        torch.manual_seed(int(torch.randint(2**31, (), generator=draws)))
        detector = Detector(bags.shape[-1], config).to(device).train()
        generator = AnomalousFeatureGenerator(
            config.corruption, config.noise, (config.gamma_low, config.gamma_high)
        ).to(device)
        parameters = [*detector.parameters(), *generator.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
        steps = config.epochs * -(-len(bags) // config.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for epoch in range(config.epochs):
            losses = []
            for batch in torch.randperm(len(bags), generator=draws).split(config.batch):
                progress.check()
                loss = _loss(detector, generator, bags[batch], places[batch], config, draws)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, config.clip)
                optimizer.step()
                schedule.step()
                generator.clamp()
                losses.append(float(loss.detach()))
            progress.metric("loss", epoch + 1, float(np.mean(losses)))
            progress.update((epoch + 1) / config.epochs, f"training, epoch {epoch + 1} of {config.epochs}")
    return detector.eval()


def _loss(
    detector: Detector,
    generator: AnomalousFeatureGenerator,
    features: Tensor,
    centers: Tensor,
    config: ScaConfig,
    draws: torch.Generator,
) -> Tensor:
    """Mean over patches of the binary cross-entropy of their logit and whether they were corrupted."""
    adapted = detector.adaptor(detector.padded(features))
    mask, noise = generator.draw(adapted.shape, draws, adapted.device)
    if config.noise_octaves > 0:
        octaves = (torch.rand((*adapted.shape[:2], 1), generator=draws) - 0.5) * config.noise_octaves
        noise = noise * torch.exp2(octaves).to(noise.device)
    logits = detector.discriminator(generator(adapted, mask, noise), centers)
    loss = binary_cross_entropy_with_logits(logits, mask.float())
    if (
        config.clean_pass or config.corruption >= 1.0
    ):  # where all patches are corrupted, the clean ones are a scan apart
        loss = loss + softplus(detector.discriminator(adapted, centers)).mean()
    return loss
