from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import ScanError
from core.pipelines.btf.config import BtfConfig
from core.pipelines.btf.parts import Frame
from core.progress import Progress
from core.runtime import Runtime
from core.scan import Scan

CPU = Runtime(torch.device("cpu"))
CONFIG = BtfConfig(background="none", patches=60, voxel_points=1500)


def frame_of(*scans: Scan, config: BtfConfig = CONFIG) -> Frame:
    return Frame.learn(scans, config, 0, Progress())


def test_the_voxel_leaves_about_as_many_points_as_asked(plate):
    frame = frame_of(plate(0), plate(1))
    part = frame.part(plate(2), CONFIG, CPU)
    assert len(part.thinned.points) == pytest.approx(1500, rel=0.15)
    assert len(part.thinned.centers) == 60
    assert frame_of(plate(0), config=BtfConfig(background="none", voxel=2.5)).voxel == 2.5


def test_normals_of_a_scan_from_above_point_up(plate):
    part = frame_of(plate(0)).part(plate(1), CONFIG, CPU)
    assert (part.thinned.normals[:, 2] > 0).all()


def test_values_go_back_to_the_points_they_belong_to(plate):
    scan = plate(0)
    part = frame_of(plate(1)).part(scan, CONFIG, CPU)
    assert np.array_equal(part.to_scan(part.points[:, 0]), scan.points[:, 0])
    assert part.pictures is not None
    assert np.array_equal(part.of_picture(part.pictures.points[:, 1]), part.points[:, 1])


def test_another_unit_of_the_same_length_is_the_same_part(plate):
    scan = plate(0)
    frame = frame_of(plate(1))
    metres = scan.replaced(points=scan.points / 1000, unit="m")
    assert np.allclose(frame.part(metres, CONFIG, CPU).points, frame.part(scan, CONFIG, CPU).points, atol=1e-3)


def test_what_is_no_such_part_is_refused(plate):
    frame = frame_of(plate(0))
    scan = plate(1)
    with pytest.raises(ScanError, match="measures"):
        frame.part(scan.replaced(unit="m"), CONFIG, CPU)
    with pytest.raises(ScanError, match="only 5 points"):
        frame.part(scan.select(np.arange(5)), CONFIG, CPU)
    with pytest.raises(ScanError, match="voxels"):
        frame_of(plate(0), config=BtfConfig(background="none", voxel=40.0)).part(scan, CONFIG, CPU)
    same_place = scan.replaced(points=np.ones_like(scan.points))
    with pytest.raises(ScanError, match="extent"):
        frame_of(same_place)


def test_photographs_are_needed_where_the_good_scans_had_them(plate):
    bare = plate(1).replaced(image=None)
    assert not frame_of(plate(0), bare).photographs
    assert not frame_of(plate(0), config=BtfConfig(background="none", image="none")).photographs
    with pytest.raises(ScanError, match="photograph"):
        frame_of(plate(0)).part(bare, CONFIG, CPU)


def test_a_frame_comes_back_from_its_state(plate):
    frame = frame_of(plate(0))
    again = Frame.from_state(frame.state())
    assert again == frame
