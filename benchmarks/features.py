"""Times of every feature extractor on one image of 224 x 224, and of Point-MAE on 1024 groups of 32.

python -m benchmarks.features [--runs 5] [--device auto]

Weights do not change the time, so random ones are used. The ratio is to a product of two matrices with as many
multiply-adds in the same run: below 1, as the network has more to do than multiply.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from benchmarks.stages import Stopwatch, Timing, seconds, stage_main
from core.backbones.image_extractors import ImageFeatures, VitMaps
from core.backbones.image_features import image_features
from core.backbones.point_mae import random_point_mae
from core.backbones.point_tokens import point_tokens
from core.backbones.vit import VitBase8
from core.runtime import Runtime

SIDE = 224
GROUPS, GROUP_SIZE = 1024, 32
FIXED = GROUPS * GROUP_SIZE
_MATRIX = 1024


@dataclass
class Case:
    """What is timed; ``operations`` in multiply-adds, ``target`` in seconds on two cores (None: none was set)."""

    name: str
    work: Callable[[], object]
    operations: float
    target: float | None = None
    points: int = SIDE * SIDE


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
            FIXED,
        ),
        Case(
            "Point-MAE 1024 x 32, own statistics",
            lambda: point_tokens(own, groups, centers, runtime, layers=(3, 7, 11)),
            point_mae,
            None,
            FIXED,
        ),
    ]


def stages(points: int, runs: int, runtime: Runtime) -> list[Timing]:
    """Every extractor; their inputs have one size whatever ``points`` says, and it is theirs that is given."""
    matrix = torch.randn(_MATRIX, _MATRIX, device=runtime.device)
    timings = []
    for case in cases(runtime):
        watch = Stopwatch(case.points, runs, runtime)
        watch.time(case.name, case.work)
        product = statistics.median(seconds(lambda: matrix @ matrix, runtime.device) for _ in range(max(runs, 3)))
        timing = watch.timings[0]
        assert timing.median_s is not None
        ratio = product * case.operations / _MATRIX**3 / timing.median_s
        note = "" if case.target is None else f"wanted: {1000 * case.target:.0f} ms on two cores"
        timings.append(replace(timing, ratio=ratio, plain="product of matrices", note=note))
    return timings


def main() -> None:
    stage_main(stages, __doc__, (FIXED,))


if __name__ == "__main__":
    main()
