"""The view as a person sees it: colours are read from the picture, points are picked with the mouse."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QTimer, QVariantAnimation
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pyvistaqt import QtInteractor
from vtkmodules.vtkCommonCore import vtkObjectBase

from app.viewer.colormaps import DARK, diverging, sequential
from app.viewer.viewer import Field, Viewer, ViewMode
from core.geometry.carrying import carry
from core.scan import Scan

ColorAt = Callable[[Viewer, int], np.ndarray]


def nearest(scan: Scan, x: float, y: float, z: float = 0.0) -> int:
    return int(np.linalg.norm(scan.points - [x, y, z], axis=1).argmin())


def defect(id: int = 1, x: float = 5.0, y: float = 5.0, z: float = 0.0) -> SimpleNamespace:
    low, high = (x - 2, y - 2, z - 0.5), (x + 2, y + 2, z + 0.5)
    return SimpleNamespace(id=id, position=(x, y, z), bounds=(low, high), height=-0.4, area=12.0)


def show(viewer: Viewer, scan: Scan) -> None:
    viewer.set_scan(scan)
    viewer.view("top")
    end = viewer._rig
    if end.state() != QVariantAnimation.State.Stopped:
        end.setCurrentTime(end.duration())


def test_a_hot_point_is_hot_and_a_cold_one_cold(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    hot = nearest(scan, 5, 5)
    values = np.zeros(len(scan), dtype=np.float32)
    values[np.linalg.norm(scan.points - scan.points[hot], axis=1) < 2] = 1.0
    show(viewer, scan)
    viewer.set_field(Field(values, "Score", "score", 0.0, 1.0))
    viewer.set_mode(ViewMode.HEATMAP)
    ends = sequential("turbo").astype(int)
    np.testing.assert_allclose(color_at(viewer, hot), ends[-1], atol=12)
    np.testing.assert_allclose(color_at(viewer, nearest(scan, -5, -5)), ends[0], atol=12)


def test_recoloured_when_the_range_moves(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    show(viewer, scan)
    viewer.set_field(Field(np.full(len(scan), 0.5, dtype=np.float32), "Score", "score", 0.0, 1.0))
    viewer.set_mode(ViewMode.HEATMAP)
    point = nearest(scan, 0, 0)
    table = sequential("turbo").astype(int)
    np.testing.assert_allclose(color_at(viewer, point), table[128], atol=14)
    viewer.set_color_range(0.0, 0.5)
    np.testing.assert_allclose(color_at(viewer, point), table[255], atol=12)
    viewer.set_color_range(0.5, 4.0)
    np.testing.assert_allclose(color_at(viewer, point), table[0], atol=12)


def test_what_is_not_judged_is_grey(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    values = np.ones(len(scan), dtype=np.float32)
    values[scan.points[:, 0] < 0] = np.nan
    show(viewer, scan)
    viewer.set_field(Field(values, "Score", "score", 0.0, 1.0))
    viewer.set_mode(ViewMode.HEATMAP)
    np.testing.assert_allclose(color_at(viewer, nearest(scan, -5, 0)), DARK.unknown, atol=12)
    np.testing.assert_allclose(color_at(viewer, nearest(scan, 5, 0)), sequential("turbo")[-1], atol=12)


def test_heights_are_blue_below_and_red_above_with_zero_in_the_middle(
    viewer: Viewer, scan: Scan, color_at: ColorAt
) -> None:
    heights = np.select([scan.points[:, 0] < -4, scan.points[:, 0] > 4], [-3.0, 3.0], 0.0).astype(np.float32)
    show(viewer, scan)
    viewer.set_field(Field(heights, "Height", "height", -1.0, 3.0, "mm"))  # made symmetric: -3 .. 3
    viewer.set_mode(ViewMode.HEATMAP)
    for x, entry in ((-7, 0), (0, 127), (7, 255)):
        np.testing.assert_allclose(color_at(viewer, nearest(scan, x, 0)), diverging()[entry], atol=14)


def test_labels_have_a_colour_each(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    names = np.where(scan.points[:, 0] < 0, 3.0, 17.0).astype(np.float32)
    show(viewer, scan)
    viewer.set_field(Field(names, "Expert", "label"))
    viewer.set_mode(ViewMode.HEATMAP)
    left, right = color_at(viewer, nearest(scan, -5, 0)), color_at(viewer, nearest(scan, 5, 0))
    assert np.abs(left - right).max() > 60
    content = viewer._notes.legend.content
    assert [name for _, name in content.entries] == ["3", "17"]
    np.testing.assert_allclose(left, content.entries[0][0], atol=12)


def test_marked_points_stand_out_and_follow_the_mask(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    show(viewer, scan)
    viewer.set_mode(ViewMode.MASK)
    point = nearest(scan, 5, 5)
    for marked in (True, False, True):
        mask = np.linalg.norm(scan.points - scan.points[point], axis=1) < (2 if marked else -1)
        viewer.set_mask(mask)
        np.testing.assert_allclose(color_at(viewer, point), DARK.mark if marked else DARK.dimmed, atol=12)
        np.testing.assert_allclose(color_at(viewer, nearest(scan, -5, 0)), DARK.dimmed, atol=12)


def test_on_a_heatmap_a_mask_is_a_contour_that_leaves_the_colours(
    viewer: Viewer, scan: Scan, color_at: ColorAt
) -> None:
    values = np.zeros(len(scan), dtype=np.float32)
    show(viewer, scan)
    viewer.set_field(Field(values, "Score", "score", 0.0, 1.0))
    viewer.set_mode(ViewMode.HEATMAP)
    mask = np.hypot(scan.points[:, 0], scan.points[:, 1]) < 4
    before = color_at(viewer, nearest(scan, 0, 0))
    viewer.set_mask(mask)
    np.testing.assert_array_equal(color_at(viewer, nearest(scan, 0, 0)), before)
    image = viewer.screenshot(annotated=False)
    white = [image.pixelColor(x, y).lightness() > 235 for x in range(image.width()) for y in range(image.height())]
    assert sum(white) > 60  # the rim
    viewer.set_contour_visible(False)
    image = viewer.screenshot(annotated=False)
    assert not any(
        image.pixelColor(x, y).lightness() > 235 for x in range(image.width()) for y in range(image.height())
    )


def test_ground_truth_shows_how_the_mask_agrees(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    show(viewer, scan)
    viewer.set_mode(ViewMode.GROUND_TRUTH)
    inside, outside = nearest(scan, 5, 5), nearest(scan, -5, 5)
    np.testing.assert_allclose(color_at(viewer, inside), DARK.missed, atol=12)
    viewer.set_mask(scan.labels.copy())
    np.testing.assert_allclose(color_at(viewer, inside), DARK.found, atol=12)
    viewer.set_mask(~scan.labels)
    np.testing.assert_allclose(color_at(viewer, inside), DARK.missed, atol=12)
    np.testing.assert_allclose(color_at(viewer, outside), DARK.false_alarm, atol=12)


def test_rgb_of_points_and_of_an_image(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    viewer.set_mode(ViewMode.RGB)
    show(viewer, scan.replaced(colors=np.tile(np.array([[200, 40, 90]], np.uint8), (len(scan), 1))))
    np.testing.assert_allclose(color_at(viewer, 1800), (200, 40, 90), atol=12)
    grid = np.arange(len(scan), dtype=np.int32).reshape(60, 60)
    image = np.zeros((60, 60, 3), dtype=np.uint8)
    image[:, 30:] = (20, 220, 60)
    show(viewer, scan.replaced(grid=grid, image=image))
    np.testing.assert_allclose(color_at(viewer, int(grid[30, 45])), (20, 220, 60), atol=12)
    np.testing.assert_allclose(color_at(viewer, int(grid[30, 10])), (0, 0, 0), atol=12)


def test_a_mode_with_nothing_to_show_is_plain(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    show(viewer, scan.replaced(labels=None))
    assert viewer.available_modes() == (ViewMode.PLAIN,)
    for mode in ViewMode:
        viewer.set_mode(mode)
        np.testing.assert_allclose(color_at(viewer, 1800), DARK.part, atol=12)


@pytest.mark.parametrize("parallel", [False, True])
def test_a_click_picks_the_point_under_it(viewer: Viewer, scan: Scan, qtbot: object, parallel: bool) -> None:
    show(viewer, scan)
    viewer.set_projection(parallel)
    viewer.screenshot(annotated=False)
    seen: list[int] = []
    viewer.picked.connect(seen.append)
    wanted = [nearest(scan, 5, 5), nearest(scan, -7, 2)]
    for index in wanted:
        x, y = viewer.pixel_of(index)
        qtbot.mouseClick(viewer._canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))  # type: ignore[attr-defined]
    qtbot.mouseClick(viewer._canvas, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))  # type: ignore[attr-defined]
    assert seen == [*wanted, -1]


def test_what_lies_behind_is_not_picked(viewer: Viewer, scan: Scan) -> None:
    both = Scan(points=np.concatenate([scan.points, scan.points + np.float32([0, 0, -5])]))
    show(viewer, both)
    viewer.screenshot(annotated=False)
    front = nearest(both, 0, 0)
    x, y = viewer.pixel_of(front)
    assert viewer.point_at(x, y) == front


def test_few_points_while_moving_and_all_at_rest(make_viewer: Callable[..., Viewer], scan: Scan, qtbot: object) -> None:
    viewer = make_viewer(rest_limit=3_000, moving_limit=500, adaptive=False)
    seen: list[tuple[int, int]] = []
    viewer.shown_points_changed.connect(lambda shown, measured: seen.append((shown, measured)))
    show(viewer, scan)
    viewer.screenshot(annotated=False)
    assert seen == [(3_000, 3_600)]
    assert viewer.drawn_points == 3_000
    canvas = viewer._canvas
    at = QPointF(100, 100)
    wheel = QWheelEvent(
        at, canvas.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    distance = viewer._camera.GetDistance()
    QApplication.sendEvent(canvas, wheel)
    viewer._redraw.flush()
    assert viewer.drawn_points == 500
    assert viewer._camera.GetDistance() < distance
    qtbot.waitUntil(lambda: viewer.drawn_points == 3_000)  # type: ignore[attr-defined]
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))  # type: ignore[attr-defined]
    qtbot.mouseMove(canvas, QPoint(120, 110))  # type: ignore[attr-defined]
    viewer._on_moved()  # a virtual display does not deliver moves with a button down
    viewer._redraw.flush()
    assert viewer.drawn_points == 500
    qtbot.wait(260)  # type: ignore[attr-defined]
    assert viewer.drawn_points == 500  # still held
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(120, 110))  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: viewer.drawn_points == 3_000)  # type: ignore[attr-defined]


def test_thinned_points_keep_their_values_marks_and_indices(
    make_viewer: Callable[..., Viewer], scan: Scan, color_at: ColorAt
) -> None:
    viewer = make_viewer(rest_limit=2_000, moving_limit=500, adaptive=False)
    show(viewer, scan)
    values = (scan.points[:, 0] > 0).astype(np.float32)
    viewer.set_field(Field(values, "Score", "score", 0.0, 1.0))
    viewer.set_mode(ViewMode.HEATMAP)
    np.testing.assert_allclose(color_at(viewer, nearest(scan, 5, 0)), sequential("turbo")[-1], atol=12)
    np.testing.assert_allclose(color_at(viewer, nearest(scan, -5, 0)), sequential("turbo")[0], atol=12)
    x, y = viewer.pixel_of(nearest(scan, 5, 5))
    assert np.linalg.norm(scan.points[viewer.point_at(x, y)] - [5, 5, 0]) < 1.0


def test_changes_of_one_moment_are_painted_once(viewer: Viewer, scan: Scan, qtbot: object) -> None:
    show(viewer, scan)
    viewer.screenshot(annotated=False)
    qtbot.wait(300)  # type: ignore[attr-defined]
    frames: list[float] = []
    viewer._canvas.painted.connect(frames.append)
    for threshold in np.linspace(0, 1, 50):
        viewer.set_mask(scan.points[:, 0] > threshold)
        viewer.set_threshold_mark(float(threshold))
        viewer.set_color_range(0, float(threshold) + 1)
    qtbot.waitUntil(lambda: bool(frames))  # type: ignore[attr-defined]
    qtbot.wait(120)  # type: ignore[attr-defined]
    assert len(frames) <= 2  # of 150 changes; a busy machine paints a second time what came during the first


def test_a_quiet_view_paints_nothing(viewer: Viewer, scan: Scan, qtbot: object) -> None:
    show(viewer, scan)
    qtbot.wait(500)  # type: ignore[attr-defined]
    frames: list[float] = []
    viewer._canvas.painted.connect(frames.append)
    viewer._notes.update()  # a label alone must not render the points again
    qtbot.wait(400)  # type: ignore[attr-defined]
    assert frames == []


def test_the_camera_stays_for_a_part_in_the_same_place(viewer: Viewer, scan: Scan) -> None:
    show(viewer, scan)
    viewer._camera.Azimuth(20)
    before = viewer._camera.GetPosition()
    viewer.set_scan(scan.replaced(points=scan.points + np.float32([0.5, 0, 0])))
    assert viewer._camera.GetPosition() == before
    viewer.set_scan(scan.replaced(points=scan.points + np.float32([400, 0, 0])))
    assert viewer._camera.GetPosition() != before
    assert abs(viewer._camera.GetFocalPoint()[0] - 400) < 5


@pytest.mark.parametrize("name", ["front", "back", "left", "right", "top", "bottom", "iso"])
@pytest.mark.parametrize("parallel", [False, True])
def test_standard_views_frame_the_whole_part(viewer: Viewer, name: str, parallel: bool) -> None:
    rng = np.random.default_rng(3)
    scan = Scan(points=(rng.uniform(-1, 1, (400, 3)) * [30, 8, 3] + [5, -70, 900]).astype(np.float32))
    viewer.hide()  # without an animation
    viewer.set_scan(scan)
    viewer.set_projection(parallel)
    viewer.view(name)
    viewer._redraw.flush()
    pixels, depth = viewer._projection()(scan.points)
    assert (pixels >= 0).all()
    assert (pixels[:, 0] <= viewer.width()).all()
    assert (pixels[:, 1] <= viewer.height()).all()
    assert (np.abs(depth) <= 1).all()
    assert np.ptp(pixels, axis=0).max() > 0.45 * viewer.height()
    toward = np.array(viewer._camera.GetPosition()) - viewer._camera.GetFocalPoint()
    axis, sign = {
        "front": (1, -1),
        "back": (1, 1),
        "left": (0, -1),
        "right": (0, 1),
        "top": (2, 1),
        "bottom": (2, -1),
    }.get(name, (2, 1))
    assert np.sign(toward[axis]) == sign


def test_flying_to_a_defect_brings_it_to_the_middle_and_into_sight(viewer: Viewer, scan: Scan, qtbot: object) -> None:
    # a plate with a back: the defect is on the side that is turned away
    both = Scan(points=np.concatenate([scan.points, scan.points + np.float32([0, 0, -6])]))
    show(viewer, both)
    target = defect(x=4, y=-3, z=-6.0)
    viewer.set_defects([target])
    viewer.fly_to(target)
    assert viewer._rig.state() == QVariantAnimation.State.Running
    qtbot.waitUntil(lambda: viewer._rig.state() == QVariantAnimation.State.Stopped)  # type: ignore[attr-defined]
    np.testing.assert_allclose(viewer._camera.GetFocalPoint(), target.position, atol=1e-4)
    assert viewer._camera.GetPosition()[2] < -6
    assert viewer._notes.selected is target
    assert "0.4" in viewer._notes.selected_note


def test_a_defect_in_sight_is_not_turned_away_from(viewer: Viewer, scan: Scan) -> None:
    show(viewer, scan)
    viewer.hide()
    before = np.array(viewer._camera.GetPosition()) - viewer._camera.GetFocalPoint()
    viewer.fly_to(defect())
    after = np.array(viewer._camera.GetPosition()) - viewer._camera.GetFocalPoint()
    assert before @ after > 0.999 * np.linalg.norm(before) * np.linalg.norm(after)


def test_hidden_defects_are_told_from_those_in_sight(viewer: Viewer, scan: Scan) -> None:
    both = Scan(points=np.concatenate([scan.points, scan.points + np.float32([0, 0, -8])]))
    show(viewer, both)
    viewer.set_defects([defect(1), defect(2, x=-5, z=-8.0)])
    viewer._redraw.flush()
    assert viewer._notes.hidden_defects == {2}


def test_of_very_many_defects_the_worst_and_the_chosen_one_have_boxes(viewer: Viewer, scan: Scan) -> None:
    show(viewer, scan)
    worst = [defect(i + 1, x=float(i % 10) - 5) for i in range(40)]
    viewer.set_defects(worst)
    few = viewer.screenshot()
    viewer.set_defects([*worst, defect(41, x=8)])
    assert viewer.screenshot() == few
    viewer.outline(defect(41, x=8))
    assert viewer.screenshot() != few


def test_boxes_and_numbers_are_drawn_over_the_part(viewer: Viewer, scan: Scan) -> None:
    show(viewer, scan)
    bare = viewer.screenshot()
    chosen = defect()
    viewer.set_defects([chosen, defect(2, x=-5)])
    with_boxes = viewer.screenshot()
    viewer.outline(chosen)
    outlined = viewer.screenshot()
    assert bare != with_boxes
    accents = sum(
        abs(outlined.pixelColor(x, y).red() - DARK.accent[0]) + abs(outlined.pixelColor(x, y).blue() - DARK.accent[2])
        < 12
        for x in range(outlined.width())
        for y in range(outlined.height())
    )
    assert accents > 100


def test_results_of_another_scan_are_not_shown(viewer: Viewer, scan: Scan) -> None:
    show(viewer, scan)
    viewer.set_field(Field(np.zeros(7, dtype=np.float32), "Score"))
    viewer.set_mask(np.zeros(7, dtype=bool))
    assert viewer.available_modes() == (ViewMode.PLAIN, ViewMode.GROUND_TRUTH)


def test_an_empty_view_says_what_to_do(viewer: Viewer, scan: Scan) -> None:
    viewer.set_hint("Drop a scan here")
    assert viewer._hint.isVisible()
    assert viewer._hint.text() == "Drop a scan here"
    viewer.set_scan(scan)
    assert not viewer._hint.isVisible()
    viewer.set_scan(None)
    assert viewer._hint.isVisible()
    assert viewer.shown_points == (0, 0)
    assert viewer.point_at(50, 50) == -1
    viewer.fit()
    viewer.view("top")
    viewer.fly_to(defect())


@pytest.mark.parametrize("size", [(160, 120), (500, 350)])
@pytest.mark.parametrize("dark", [False, True])
def test_small_views_stay_clear(
    make_viewer: Callable[..., Viewer], scan: Scan, size: tuple[int, int], dark: bool
) -> None:
    viewer = make_viewer(*size)
    viewer.set_theme(dark)
    show(viewer, scan)
    viewer.set_field(Field(scan.points[:, 0].copy(), "A long title of a score", "score", -10, 10, "mm"))
    viewer.set_threshold_mark(3.0)
    viewer.set_mode(ViewMode.HEATMAP)
    viewer.screenshot()
    bar = viewer._notes.legend.rect
    assert bar.width() <= 0.3 * size[0] + 1
    assert bar.bottom() <= size[1]
    if size[0] < 200:
        assert bar.isEmpty()
    else:
        assert viewer.pixel_of(nearest(scan, 10, 0))[0] < size[0]


def test_normals_shade_whichever_way_they_point(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    show(viewer, scan)
    up = np.tile(np.float32([0, 0, 1]), (len(scan), 1))
    tilted = np.tile(np.float32([0.9, 0, 0.436]), (len(scan), 1))
    shades = []
    for normals in (up, -up, tilted):
        viewer.set_shading_normals(normals)
        shades.append(color_at(viewer, 1800).sum())
    assert abs(shades[0] - shades[1]) < 12
    assert shades[2] < 0.85 * shades[0]


def test_eye_dome_lighting_darkens_steps_only(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    raised = scan.points.copy()
    raised[:, 2] = np.where(raised[:, 0] > 0, 4.0, 0.0)
    show(viewer, scan.replaced(points=raised))
    flat = color_at(viewer, nearest(scan, -7, 0))
    beside = [color_at(viewer, nearest(scan, x, 0)).sum() for x in np.linspace(-1.2, 0, 5)]
    viewer.set_eye_dome(True)
    assert color_at(viewer, nearest(scan, -7, 0)).sum() > 0.85 * flat.sum()
    lit = [color_at(viewer, nearest(scan, x, 0)).sum() for x in np.linspace(-1.2, 0, 5)]
    assert min(after / before for after, before in zip(lit, beside, strict=True)) < 0.9
    viewer.set_eye_dome(False)
    np.testing.assert_allclose(color_at(viewer, nearest(scan, -7, 0)), flat, atol=3)


def test_a_reconstruction_takes_the_place_of_the_measured_part(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    show(viewer, scan)
    before = color_at(viewer, 1800)
    viewer.set_reconstruction(scan.points)
    viewer.set_blend(0.0)
    np.testing.assert_allclose(color_at(viewer, 1800), before, atol=3)
    viewer.set_blend(1.0, "as it should be")
    tinted = color_at(viewer, 1800)
    assert np.abs(tinted - before).max() > 8
    assert viewer._notes.legend.extra == ((viewer._scene.theme.reference, "as it should be"),)
    viewer.set_reconstruction(None)
    np.testing.assert_allclose(color_at(viewer, 1800), before, atol=3)
    assert not viewer._notes.legend.extra


def test_a_blend_moves_the_measured_points_and_keeps_their_colours(viewer: Viewer, scan: Scan) -> None:
    show(viewer, scan)
    raised = scan.points + np.float32([0, 0, 1])
    viewer.set_reconstruction(raised, carry(scan.points, raised))
    viewer.set_mask(scan.labels)
    viewer.set_blend(0.25)
    viewer._redraw.flush()
    shown = viewer._scene.clouds["full"]._kept["points"]
    assert np.median(shown[:, 2] - viewer._scene.points[:, 2]) == pytest.approx(0.25, abs=0.05)
    assert viewer.drawn_points == len(scan)
    viewer.set_scan(scan)
    viewer._redraw.flush()
    assert np.array_equal(viewer._scene.clouds["full"]._kept["points"], viewer._scene.points)


def test_keys_and_drops_are_left_to_the_window(viewer: Viewer, scan: Scan, qtbot: object) -> None:
    show(viewer, scan)
    assert not viewer._canvas.acceptDrops()
    for key in (Qt.Key.Key_Q, Qt.Key.Key_W, Qt.Key.Key_E, Qt.Key.Key_3, Qt.Key.Key_P):
        qtbot.keyClick(viewer._canvas, key)  # type: ignore[attr-defined]
    assert viewer.isVisible()
    assert not viewer._canvas._closed
    assert viewer._scene.clouds["full"].actor.GetProperty().GetRepresentation() == 0  # still points


def test_actors_are_built_once_and_memory_does_not_grow(viewer: Viewer) -> None:
    rng = np.random.default_rng(0)
    actors = {id(cloud.actor) for cloud in viewer._scene.clouds.values()}
    counts, sizes = [], []
    for index in range(12):
        points = rng.normal(size=(60_000, 3)).astype(np.float32)
        scan = Scan(points=points)
        viewer.set_scan(scan)
        viewer.set_field(Field(points[:, 0].copy(), "Score", "score", 0, 1))
        viewer.set_mode(ViewMode.HEATMAP)
        viewer.set_mask(points[:, 0] > 1.5)
        viewer.screenshot(annotated=False)
        gc.collect()
        if index >= 4:
            counts.append(sum(issubclass(type(thing), vtkObjectBase) for thing in gc.get_objects()))
            sizes.append(resident_mib())
    assert counts[-1] <= counts[0] + 2
    assert sizes[-1] - sizes[0] < 25  # eight scans of 2 MB each with their buffers
    assert {id(cloud.actor) for cloud in viewer._scene.clouds.values()} == actors
    assert viewer._scene.renderer.GetActors().GetNumberOfItems() == len(actors) + 1


def resident_mib() -> float:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096 / 2**20


def test_nothing_is_left_of_a_closed_view(make_viewer: Callable[..., Viewer], scan: Scan, qtbot: object) -> None:
    viewer = make_viewer()
    show(viewer, scan)
    viewer.fly_to(defect())
    viewer.set_mask(scan.labels.copy())
    viewer.close()
    viewer.close()
    assert viewer._canvas._closed
    assert not any(timer.isActive() for timer in viewer.findChildren(QTimer))
    assert viewer._rig.state() == QVariantAnimation.State.Stopped
    # what still reaches a closed view is ignored
    viewer.set_scan(scan)
    viewer.set_mode(ViewMode.MASK)
    viewer.set_mask(None)
    viewer.set_field(None)
    viewer.set_reconstruction(scan.points)
    viewer.set_blend(0.5)
    viewer.set_shading_normals(scan.points)
    viewer.set_defects([defect()])
    viewer.fly_to(defect())
    viewer.set_projection(True)
    viewer.set_theme(False)
    viewer.fit()
    viewer.view("top")
    qtbot.wait(100)  # type: ignore[attr-defined]


def test_closed_views_are_freed(qtbot: object) -> None:
    views, canvases = [], []
    for _ in range(2):
        viewer = Viewer()
        viewer.resize(200, 160)
        viewer.show()
        qtbot.waitExposed(viewer)  # type: ignore[attr-defined]
        viewer.set_scan(Scan(points=np.eye(3, dtype=np.float32)))
        viewer._redraw.flush()
        viewer.close()
        views.append(weakref.ref(viewer))
        canvases.append(weakref.ref(viewer._canvas))
        viewer.deleteLater()
        del viewer
    for _ in range(3):
        QApplication.sendPostedEvents(None, 52)  # deferred deletes
        QApplication.processEvents()
        gc.collect()
    assert [ref() for ref in views] == [None, None]
    assert [ref() for ref in canvases] == [None, None]
    assert not [thing for thing in gc.get_objects() if issubclass(type(thing), QtInteractor) and not thing._closed]


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_handful_of_points_is_a_scan_too(viewer: Viewer, count: int) -> None:
    viewer.set_scan(Scan(points=np.arange(3 * count, dtype=np.float32).reshape(count, 3)))
    viewer.set_field(Field(np.full(count, np.nan, dtype=np.float32), "Score", "score", 0, 0))
    viewer.set_mode(ViewMode.HEATMAP)
    viewer.set_mask(np.ones(count, dtype=bool))
    viewer.view("top")
    viewer.screenshot()
    viewer.fly_to(defect())
    viewer.screenshot()


def test_far_from_the_origin_the_part_is_still_drawn(viewer: Viewer, scan: Scan, color_at: ColorAt) -> None:
    show(viewer, scan.replaced(points=scan.points + np.float32([4000, -2000, 3000])))
    np.testing.assert_allclose(color_at(viewer, 1800), DARK.part, atol=12)


def good_patch(z: float) -> np.ndarray:
    """A dense square about (5, 5) at height ``z``."""
    x, y = np.meshgrid(np.linspace(4, 6, 40), np.linspace(4, 6, 40))
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1).astype(np.float32)


def around(picture: np.ndarray, viewer: Viewer, scan: Scan, x: float, y: float) -> np.ndarray:
    """The square of the picture that shows the part within 1 mm of a place."""
    corners = [viewer.pixel_of(nearest(scan, x + s, y + s)) for s in (-1, 1)]
    (left, right), (top, bottom) = (sorted(round(c[axis]) for c in corners) for axis in (0, 1))
    return picture[top:bottom, left:right].reshape(-1, 3).astype(int)


def test_a_good_surface_lies_over_the_part_as_dots_in_a_colour_of_its_own(
    viewer: Viewer, scan: Scan, pixels_of: Callable[[object], np.ndarray]
) -> None:
    show(viewer, scan)
    before = pixels_of(viewer.screenshot(annotated=False))
    viewer.set_explained(good_patch(0.0), "good surface of 007")
    picture = pixels_of(viewer.screenshot(annotated=False))
    dots = np.abs(around(picture, viewer, scan, 5, 5) - DARK.explained).max(axis=1) < 12
    assert 0.08 < dots.mean() < 0.9, "the part is seen between them"
    beside = around(picture, viewer, scan, -5, -5)
    assert (np.abs(beside - DARK.explained).max(axis=1) > 100).all()
    assert viewer._notes.legend.extra == ((DARK.explained, "good surface of 007"),)
    viewer.set_explained(None)
    np.testing.assert_array_equal(pixels_of(viewer.screenshot(annotated=False)), before)
    assert viewer._notes.legend.extra == ()


def test_a_good_surface_behind_the_part_shines_through(
    viewer: Viewer, scan: Scan, pixels_of: Callable[[object], np.ndarray]
) -> None:
    show(viewer, scan)
    plain = around(pixels_of(viewer.screenshot(annotated=False)), viewer, scan, 5, 5)
    viewer.set_explained(good_patch(-4.0), "good")
    seen = around(pixels_of(viewer.screenshot(annotated=False)), viewer, scan, 5, 5)
    toward = ((seen - plain) * (np.array(DARK.explained) - plain)).sum(axis=1)
    assert (toward > 0).mean() > 0.08
    assert (np.abs(seen - DARK.explained).max(axis=1) < 12).mean() < 0.03, "faint, for it is not in front"


def test_a_good_surface_goes_with_its_scan(viewer: Viewer, scan: Scan) -> None:
    show(viewer, scan)
    viewer.set_explained(good_patch(0.0), "good")
    viewer.set_scan(Scan(points=scan.points + np.float32(0.01)))
    assert not viewer._scene.explained
    assert viewer._notes.legend.extra == ()


def test_the_right_button_picks_and_asks_for_a_menu_but_its_drag_does_not(
    viewer: Viewer, scan: Scan, qtbot: object
) -> None:
    show(viewer, scan)
    picked, menus = [], []
    viewer.picked.connect(picked.append)
    viewer.menu_wanted.connect(menus.append)
    goal = nearest(scan, 3, -4)
    at = QPoint(*(round(v) for v in viewer.pixel_of(goal)))
    qtbot.mouseClick(viewer._canvas, Qt.MouseButton.RightButton, pos=at)  # type: ignore[attr-defined]
    assert len(picked) == 1
    assert np.linalg.norm(scan.points[picked[0]] - scan.points[goal]) < 0.5
    assert menus == [viewer._canvas.mapToGlobal(at)]
    qtbot.mouseClick(viewer._canvas, Qt.MouseButton.RightButton, pos=at + QPoint(4, 3))  # type: ignore[attr-defined]
    assert len(picked) == 1, "this means the picked point"
    assert len(menus) == 2
    far = at + QPoint(60, 10)
    qtbot.mousePress(viewer._canvas, Qt.MouseButton.RightButton, pos=at)  # type: ignore[attr-defined]
    qtbot.mouseMove(viewer._canvas, far)  # type: ignore[attr-defined]
    qtbot.mouseRelease(viewer._canvas, Qt.MouseButton.RightButton, pos=far)  # type: ignore[attr-defined]
    assert len(menus) == 2


def test_the_legend_names_the_ends_of_the_colours(
    viewer: Viewer, scan: Scan, pixels_of: Callable[[object], np.ndarray]
) -> None:
    values = np.linspace(-1, 1, len(scan)).astype(np.float32)
    show(viewer, scan)
    viewer.set_mode(ViewMode.HEATMAP)
    viewer.set_field(Field(values, "Selection", "selection", -1, 1, ends=("3D leads", "2D leads")))
    named = pixels_of(viewer.screenshot())
    assert viewer._notes.legend.content.ends == ("3D leads", "2D leads")
    viewer.set_field(Field(values, "Selection", "selection", -1, 1))
    bare = pixels_of(viewer.screenshot())
    box = viewer._notes.legend.rect.toRect()
    changed = np.flatnonzero((named != bare).any(axis=2)[:, box.left() : box.right()].any(axis=1))
    middle = (box.top() + box.bottom()) / 2
    assert (changed < middle).any(), "a word above the strip"
    assert (changed > middle).any(), "a word below it"
    viewer.set_field(Field(values, "Height", "height", -1, 1))
    viewer.screenshot()
    assert viewer._notes.legend.content.ends == ("below", "above")
