"""Training of the 3D decoder on good chunks (P3 5.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.pipelines.cmdr_iad.decoder_3d import Decoder3d
from core.pipelines.cmdr_iad.strips.config import StripsConfig
from core.pipelines.cmdr_iad.strips.describing import ChunkDescriber, Described
from core.progress import Progress
from core.runtime import Runtime


def cosine_loss(rebuilt: Tensor, features: Tensor) -> Tensor:
    """1 minus the mean cosine of (B, P, C) vectors; those that sum to exactly 0 stand for no point and do not count."""
    known = features.sum(dim=2) != 0
    return 1.0 - functional.cosine_similarity(rebuilt, features, dim=2)[known].mean()


def new_decoder(config: StripsConfig, channels: int) -> Decoder3d:
    """An untrained decoder of the config's size."""
    return Decoder3d(config.chunk_side**2, channels, width=config.width, gate=config.gate)


def train_decoder(
    chunks: Sequence[Described], describer: ChunkDescriber, config: StripsConfig, runtime: Runtime, progress: Progress
) -> Decoder3d:
    """A decoder that rebuilds the features of good chunks, in evaluation mode on the runtime's device."""
    draws = runtime.generator(1)
    order = torch.randperm(len(chunks), generator=draws).tolist()
    back = min(int(config.held_back * len(chunks)), len(chunks) - 1)
    held, used = [chunks[i] for i in order[:back]], [chunks[i] for i in order[back:]]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=draws)))
        decoder = new_decoder(config, describer.channels).to(runtime.device)
        optimizer = torch.optim.AdamW(decoder.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        for epoch in range(config.epochs):
            losses = []
            decoder.train()
            for batch in torch.randperm(len(used), generator=draws).split(config.batch):
                progress.check()
                features = describer.maps([used[i] for i in batch.tolist()])
                loss = cosine_loss(decoder(features), features)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
            progress.metric("loss", epoch + 1, float(np.mean(losses)))
            decoder.eval()
            if held:
                progress.metric("loss of held-back chunks", epoch + 1, _loss_of(decoder, held, describer, config))
            progress.update((epoch + 1) / config.epochs, f"training, epoch {epoch + 1} of {config.epochs}")
    return decoder.eval()


def _loss_of(decoder: Decoder3d, chunks: list[Described], describer: ChunkDescriber, config: StripsConfig) -> float:
    with torch.no_grad():
        losses = []
        for start in range(0, len(chunks), config.batch):
            features = describer.maps(chunks[start : start + config.batch])
            losses.append(float(cosine_loss(decoder(features), features)))
    return float(np.mean(losses))
