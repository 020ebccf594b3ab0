"""Plain, slow versions of the point operations: loops and definitions, nothing clever."""

from __future__ import annotations

import math

import numpy as np


def farthest_points(points, count, start=0):
    distance = np.full(len(points), np.inf, np.float32)
    chosen = []
    current = start
    for _ in range(count):
        chosen.append(current)
        for i, p in enumerate(points):
            d = p - points[current]
            distance[i] = min(distance[i], np.float32(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]))
        distance[current] = -1
        current = int(distance.argmax())
    return np.array(chosen)


def nearest(points, queries, k):
    distances = np.linalg.norm(points.astype(float)[None] - queries.astype(float)[:, None], axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


def ball(points, query, radius):
    distances = np.linalg.norm(points.astype(float) - query.astype(float), axis=1)
    return np.flatnonzero(distances < radius)


def interpolate(values, centers, queries, k, power, eps):
    result = []
    for query in queries.astype(float):
        distances = np.linalg.norm(centers.astype(float) - query, axis=1)
        some = np.argsort(distances, kind="stable")[:k]
        weights = [1 / (distances[i] ** power + eps) for i in some]
        result.append(sum(w * values[i] for w, i in zip(weights, some, strict=True)) / sum(weights))
    return np.array(result)


def normal(points, index, k):
    _, order = nearest(points, points[index : index + 1], k)
    around = points[order[0]].astype(float)
    return np.linalg.eigh(np.cov(around.T))[1][:, 0]


def pair_features(p, n, q, m):
    """Theta, alpha, phi as open3d's Feature.cpp has them."""
    line = q - p
    length = np.linalg.norm(line)
    if length == 0:
        return 0.0, 0.0, 0.0
    a, b = n @ line / length, m @ line / length
    phi = a
    if math.acos(min(1.0, abs(a))) > math.acos(min(1.0, abs(b))):
        n, m, line, phi = m, n, -line, -b
    v = np.cross(line, n)
    if np.linalg.norm(v) == 0:
        return 0.0, 0.0, 0.0
    v = v / np.linalg.norm(v)
    w = np.cross(n, v)
    return math.atan2(w @ m, n @ m), v @ m, phi


def fpfh(points, normals, index, radius, max_neighbors):
    points, normals = points.astype(float), normals.astype(float)

    def hood(i):
        distances, order = nearest(points, points[i : i + 1], min(max_neighbors, len(points)))
        inside = distances[0] < radius
        return distances[0][inside], order[0][inside]

    def simple(i):
        histogram = np.zeros((3, 11))
        _, order = hood(i)
        for j in order[1:]:
            theta, alpha, phi = pair_features(points[i], normals[i], points[j], normals[j])
            for row, value in enumerate(((theta + math.pi) / (2 * math.pi), (alpha + 1) / 2, (phi + 1) / 2)):
                histogram[row, min(10, max(0, math.floor(11 * value)))] += 100 / (len(order) - 1)
        return histogram

    distances, order = hood(index)
    total = np.zeros((3, 11))
    for d, j in zip(distances[1:], order[1:], strict=True):
        if d > 0:
            total += simple(j) / d**2
    sums = total.sum(axis=1, keepdims=True)
    total = np.where(sums > 0, 100 * total / np.where(sums > 0, sums, 1), 0)
    return (total + simple(index)).ravel()


def voxels(points, size):
    """Mapping of cell to the indices of its points."""
    low = points.min(axis=0).astype(float)
    cells = {}
    for i, p in enumerate(points.astype(float)):
        cells.setdefault(tuple(np.floor((p - low) / size).astype(int)), []).append(i)
    return cells


def dbscan(points, eps, min_points):
    near = [np.flatnonzero(np.linalg.norm(points.astype(float) - p, axis=1) <= eps) for p in points.astype(float)]
    core = [len(n) >= min_points for n in near]
    labels = np.full(len(points), -1)
    name = 0
    for seed in range(len(points)):
        if not core[seed] or labels[seed] >= 0:
            continue
        todo = [seed]
        while todo:
            i = todo.pop()
            if labels[i] >= 0:
                continue
            labels[i] = name
            if core[i]:
                todo += list(near[i])
        name += 1
    return labels
