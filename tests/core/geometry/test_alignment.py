"""The common pose of a category: found where parts lie alike, searched where not, given up where they differ."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import RegistrationError
from core.geometry.alignment import CommonPose, fullest
from core.geometry.registration import transform_points
from core.progress import Progress


def part(seed: int, count: int = 2500) -> np.ndarray:
    """A wedge with a post at one corner, 60 x 30 x 20: no pose but its own fits it."""
    rng = np.random.default_rng(seed)
    u, v = rng.random((2, count))
    top = np.stack([60 * u, 30 * v, 8 * u**2 + 4], 1)
    side = np.stack([60 * u, np.zeros(count), (8 * u**2 + 4) * v], 1)[: count // 3]
    angle = 2 * np.pi * u[: count // 4]
    post = np.stack([8 + 4 * np.cos(angle), 20 + 4 * np.sin(angle), 4 + 16 * v[: count // 4]], 1)
    return np.concatenate([top, side, post]).astype(np.float32)


def turned(points: np.ndarray, degrees: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    angle = np.deg2rad(degrees)
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:3, 3] = shift
    return transform_points(points, pose), pose


def test_the_fullest_cloud_is_the_reference() -> None:
    assert fullest([part(0, 100), part(1, 300), part(2, 300)]) == 1


@pytest.mark.parametrize("degrees", [0.0, 130.0])
def test_a_scan_is_brought_back(degrees: float) -> None:
    clouds = [part(0, 2600), *(turned(part(i), degrees * i, 2.0 * i)[0] for i in (1, 2))]
    pose, transforms = CommonPose.learn(clouds, "auto", 0, Progress())
    assert pose.reference is not None
    assert pose.any_pose == (degrees > 90)
    np.testing.assert_allclose(transforms[0], np.eye(4), atol=0.02)
    scan, _ = turned(part(7), degrees, -3.0)
    found = pose.find(scan, "scan")
    residual = transform_points(scan, found) - part(7)
    assert np.linalg.norm(residual, axis=1).mean() < 0.5, "half a millimetre on 60"
    again = CommonPose.from_state(pose.state())
    np.testing.assert_array_equal(again.find(scan, "scan"), found)


def test_scans_may_stay_as_they_lie() -> None:
    for clouds, mode in (([part(0), part(1)], "none"), ([part(0)], "any")):
        pose, transforms = CommonPose.learn(clouds, mode, 0, Progress())
        assert pose.reference is None
        assert all((transform == np.eye(4)).all() for transform in transforms)
        np.testing.assert_array_equal(pose.find(part(5), "scan"), np.eye(4))
        assert CommonPose.from_state(pose.state()).reference is None


def test_what_lies_in_no_pose_is_named() -> None:
    pose, _ = CommonPose.learn([part(0), part(1)], "any", 0, Progress())
    ball = np.random.default_rng(3).normal(size=(2500, 3)).astype(np.float32)
    ball *= 15 / np.linalg.norm(ball, axis=1, keepdims=True)
    with pytest.raises(RegistrationError, match="Scan ball"):
        pose.find(ball, "ball")
    unlike, _ = CommonPose.learn([part(0), ball], "auto", 0, Progress())
    assert unlike.reference is None
