"""The maps of the method's inner working, with their names and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from core.pipelines.cmdr_iad.judging import Judged
from core.pipelines.cmdr_iad.networks import Task
from core.scores import MapKind


@dataclass(frozen=True, eq=False)
class Shown:
    """A map before it is brought to the points; see ``core.scores.ScoreMap``."""

    values: Tensor
    title: str
    help: str
    kind: MapKind = "score"
    ends: tuple[str, str] = ("", "")


def shown_maps(judged: Judged) -> dict[str, Shown]:
    """Every map that the mode has, in the order of the method's steps."""
    maps = {
        f"d_{task}": Shown(judged.distances[task], *_DISTANCES[task]) for task in _DISTANCES if task in judged.distances
    }
    steps = judged.fused
    if steps is not None:
        maps |= {
            "d_joint": Shown(steps.joint, "Mapping, both (d_joint)", "Product of both mapping errors"),
            "gate": Shown(
                steps.gate, "Gate (α)", "How far the mapping error counts: high where it is high and varies around",
                "weight", ("half", "whole"),
            ),
            "a_map": Shown(steps.mapping, "Mapping anomaly (A_map)", "Both mapping errors times the gate"),
            "trust": Shown(
                steps.trust, "Trusted decoder (w3/(w2+w3))", "Which decoder's error counts more here: the smaller one",
                "weight", ("2D trusted", "3D trusted"),
            ),
            "a_rec": Shown(
                steps.reconstruction, "Reconstruction anomaly (A_rec)", "Mean of both decoders' errors, by trust"
            ),
        }  # fmt: skip
    maps["psi"] = Shown(judged.score, "Anomaly (Ψ)", "What the score is made of, before it is divided by anything")
    return maps


_DISTANCES: dict[Task, tuple[str, str]] = {
    "map_2d": ("Image told from surface (d_map2D)", "How unlike the image is to what the surface makes expect"),
    "map_3d": ("Surface told from image (d_map3D)", "How unlike the surface is to what the image makes expect"),
    "rec_2d": ("Image rebuilt (d_rec2D)", "How unlike the image is to what is rebuilt of it"),
    "rec_3d": ("Surface rebuilt (d_rec3D)", "How unlike the surface is to what is rebuilt of it"),
}
