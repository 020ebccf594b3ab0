"""Times of every feature extractor on one image of 224 x 224, and of Point-MAE on 1024 groups of 32.

python -m benchmarks.features [--repeat 15] [--threads 2] [--device auto]

Weights do not change the time, so random ones are used. Beside each median stand the CPU seconds of the process, which
a loaded machine hardly changes, and the ratio to a plain reference that runs in the same round: for networks the
multiplication of two matrices with as many operations, for Point-MAE's own statistics the running ones.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from core.backbones.image_extractors import ImageFeatures, VitMaps
from core.backbones.image_features import image_features
from core.backbones.point_mae import random_point_mae
from core.backbones.point_tokens import point_tokens
from core.backbones.vit import VitBase8
from core.runtime import Runtime

SIDE = 224
GROUPS, GROUP_SIZE = 1024, 32
_MATRIX = 1024


@dataclass
class Case:
    """What is timed; ``operations`` in multiply-adds, ``target`` in seconds on two cores (None: none was set)."""

    name: str
    work: Callable[[], object]
    operations: float
    target: float | None = None


def vit(runtime: Runtime) -> ImageFeatures:
    network = VitBase8().to(runtime.device).eval().requires_grad_(False)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    return VitMaps("random ViT-B/8", runtime, network, {})


def cases(runtime: Runtime) -> list[Case]:
    image = torch.rand(1, 3, SIDE, SIDE)
    groups, centers = 0.1 * torch.randn(GROUPS, GROUP_SIZE, 3), torch.randn(GROUPS, 3)
    plain, own = (random_point_mae(0, cloud_statistics=flag).to(runtime.device) for flag in (False, True))

    def described(features: ImageFeatures) -> Callable[[], object]:
        return lambda: features(image)

    def named(name: str, *layers: str) -> Callable[[], object]:
        return described(image_features(name, runtime, layers=layers))

    # Multiply-adds: of the trunks as published for 224 x 224 less what lies behind the last layer; of the transformers
    # 12 width^2 a token and block, and 2 width a pair of tokens.
    def transformer(tokens: int, width: int) -> float:
        return 12 * (12.0 * tokens * width**2 + 2.0 * tokens**2 * width)

    encoder = GROUPS * GROUP_SIZE * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 384.0)
    point_mae = encoder + transformer(GROUPS, 384)
    return [
        Case("oriented energy", named("oriented_energy"), 0.2e9, 0.030),
        Case("ResNet-18, layer1 to layer3", named("random:resnet18"), 1.4e9, 0.060),
        Case("ResNet-18, layer2 alone", named("random:resnet18", "layer2"), 1.0e9),
        Case("Wide-ResNet-50-2, layer1 to layer3", named("random:wide_resnet50_2"), 9.0e9, 0.250),
        Case("Wide-ResNet-50-2, layer1 and layer2", named("random:wide_resnet50_2", "layer1", "layer2"), 4.5e9),
        Case("oriented energy + ResNet-18", named("oriented_energy+random:resnet18"), 1.6e9),
        Case("ViT-B/8", described(vit(runtime)), transformer(785, 768), 2.0),
        Case(
            "Point-MAE 1024 x 32, three layers",
            lambda: point_tokens(plain, groups, centers, runtime, layers=(3, 7, 11)),
            point_mae,
            0.8,
        ),
        Case(
            "Point-MAE 1024 x 32, own statistics",
            lambda: point_tokens(own, groups, centers, runtime, layers=(3, 7, 11)),
            point_mae,
        ),
    ]


def measured(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds of the clock and of the CPU."""
    started, burnt = time.perf_counter(), time.process_time()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started, time.process_time() - burnt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runtime = Runtime.choose(options.device)
    matrix = torch.randn(_MATRIX, _MATRIX, device=runtime.device)
    print(f"{runtime.title}; {options.threads} threads, median of {options.repeat}; times in ms")
    print(f"{'':38s}{'clock':>8s}{'fastest':>9s}{'CPU':>8s}{'x matmul':>10s}{'target':>8s}")
    for case in cases(runtime):
        case.work()  # the first run loads kernels
        clock, burnt, ratio = [], [], []
        for _ in range(options.repeat):
            spent, busy = measured(case.work, runtime.device)
            plain, _ = measured(lambda: matrix @ matrix, runtime.device)
            clock.append(spent)
            burnt.append(busy)
            ratio.append(spent / (plain * case.operations / _MATRIX**3))
        target = "" if case.target is None else f"{1000 * case.target:8.0f}"
        print(
            f"{case.name:38s}{1000 * statistics.median(clock):8.1f}{1000 * min(clock):9.1f}"
            f"{1000 * statistics.median(burnt):8.1f}{statistics.median(ratio):10.2f}{target}"
        )


if __name__ == "__main__":
    main()
