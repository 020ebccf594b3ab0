"""How much features are worth: linear classification of shapes that pretraining never saw, against a random network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.backbones.point_mae import PointMAE, load_point_mae, random_point_mae
from core.backbones.pretrain_point_data import POINTS, group, real_shapes
from core.backbones.weights import WeightSet
from core.progress import Progress
from core.runtime import Runtime
from core.synthesis.shapes import HELD_OUT, procedural_cloud, unit_sphere
from core.synthesis.surfaces import random_rotation

_FOLDS = 5
_BATCH = 16


@dataclass(frozen=True)
class ProbeRow:
    """The accuracy of a linear classifier on one task.

    Attributes
    ----------
    task : str
        ``procedural families`` or ``real collections``.
    features : str
        Where the features come from: the set's name, or a random network.
    accuracy, spread : float
        Mean over the folds of a cross-validation, and standard deviation, 0 to 1.
    chance : float
        Share of the largest class.
    shapes, classes : int
    """

    task: str
    features: str
    accuracy: float
    spread: float
    chance: float
    shapes: int
    classes: int


def probe(
    weights: WeightSet,
    *,
    runtime: Runtime | None = None,
    shapes: Path | None = None,
    per_family: int = 40,
    progress: Progress | None = None,
) -> tuple[ProbeRow, ...]:
    """Hold weights against a random network of the same architecture, see ``probe_model``."""
    model = load_point_mae(weights)
    return probe_model(model, weights.name, runtime=runtime, shapes=shapes, per_family=per_family, progress=progress)


def probe_model(
    model: PointMAE,
    name: str,
    *,
    runtime: Runtime | None = None,
    shapes: Path | None = None,
    per_family: int = 40,
    progress: Progress | None = None,
) -> tuple[ProbeRow, ...]:
    """Hold a network against a random one of the same architecture, in two forms.

    Each cloud is turned at random, cut into 64 groups of 32 as in pretraining, and described by the largest and the
    mean value of its tokens; a ridge classifier is cross-validated on that. Tasks: the procedural families that are
    kept away from pretraining, and, if a file is given, which collection its kept-away shapes come from.

    Parameters
    ----------
    model : PointMAE
        In evaluation.
    name : str
        What its rows are called.
    shapes : Path, optional
        File of real shapes, see ``core.backbones.pretrain_point_data.real_shapes``.
    per_family : int
        Clouds of each held-out family.

    Returns
    -------
    tuple of ProbeRow
        For each task the model's row, then the random network's as it is and with each cloud's own statistics.
    """
    runtime, progress = runtime or Runtime.choose(), progress or Progress()
    tasks = [("procedural families", *_procedural(runtime, per_family))]
    if shapes is not None:
        tasks.append(("real collections", *_real(runtime, shapes)))
    networks = {
        name: model,
        "random network": random_point_mae(runtime.seed),
        # Batch norm by running statistics that saw no data is a handicap; this one goes without it.
        "random network, cloud statistics": random_point_mae(runtime.seed, cloud_statistics=True),
    }
    rows = []
    for i, (task, clouds, labels) in enumerate(tasks):
        for j, (features_of, network) in enumerate(networks.items()):
            start, share = (i + j / len(networks)) / len(tasks), 1 / (len(tasks) * len(networks))
            part = progress.part(start, start + share, f"{task}, {features_of}")
            features = pooled_features(network, clouds, runtime, part)
            scores = _accuracies(features, labels, runtime.seed)
            chance = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
            classes = len(np.unique(labels))
            mean, spread = round(float(scores.mean()), 4), round(float(scores.std()), 4)
            rows.append(ProbeRow(task, features_of, mean, spread, round(chance, 4), len(labels), classes))
    return tuple(rows)


def pooled_features(
    model: PointMAE, clouds: NDArray[np.float32], runtime: Runtime, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Largest and mean token of each cloud: (n, 768) for clouds (n, P, 3) in the unit sphere."""
    progress = progress or Progress()
    model = model.to(runtime.device)
    pooled = []
    with torch.inference_mode():
        for i in range(0, len(clouds), _BATCH):
            progress.update(i / len(clouds))
            groups, centers = group(torch.from_numpy(clouds[i : i + _BATCH]).to(runtime.device))
            tokens = model(groups, centers)
            pooled.append(torch.cat([tokens.amax(1), tokens.mean(1)], 1).cpu().numpy())
    progress.update(1.0)
    return np.concatenate(pooled)


def _accuracies(features: NDArray[np.float32], labels: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    # The strength of the regularisation is chosen within each training part, by leaving one out.
    classifier = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(0, 5, 11)))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return np.asarray(cross_val_score(classifier, features, labels, cv=folds))


def _procedural(runtime: Runtime, per_family: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    clouds, labels = [], []
    for label, family in enumerate(HELD_OUT):
        for i in range(per_family):
            rng = runtime.rng(label, i)
            clouds.append((procedural_cloud(rng, POINTS, family) @ random_rotation(rng).T).astype(np.float32))
            labels.append(label)
    return np.stack(clouds), np.array(labels)


def _real(runtime: Runtime, path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    shapes = real_shapes(path)
    _, labels = np.unique(shapes.sources, return_inverse=True)
    common = np.bincount(labels[shapes.held_out], minlength=labels.max() + 1) >= 2 * _FOLDS
    chosen = np.flatnonzero(shapes.held_out & common[labels])
    clouds = []
    for i in chosen:
        rng = runtime.rng(int(i))
        cloud = shapes.points[i][rng.permutation(shapes.points.shape[1])[:POINTS]].astype(np.float32)
        clouds.append((unit_sphere(cloud) @ random_rotation(rng).T).astype(np.float32))
    return np.stack(clouds), labels[chosen]
