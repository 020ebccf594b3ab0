"""The worker: order, progress, cancel, failures, and its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.jobs import Job, Jobs
from core.progress import Progress


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    made = Jobs()
    yield made
    assert made.shutdown()


def test_results_come_back_in_order_on_the_windows_thread(jobs: Jobs, qtbot: QtBot) -> None:
    found: list[tuple[int, str]] = []
    for i in range(5):
        jobs.submit(
            Job("count", lambda _, i=i: (i, threading.current_thread().name), done=found.append)  # type: ignore[misc]
        )
    threads: list[str] = []
    jobs.submit(Job("last", lambda _: None, done=lambda _: threads.append(threading.current_thread().name)))
    qtbot.waitUntil(lambda: not jobs.busy, timeout=30_000)
    assert found == [(i, "nominal-worker") for i in range(5)]
    assert threads == [threading.main_thread().name]


def test_worker_survives_a_failing_job_and_a_failing_callback(jobs: Jobs, qtbot: QtBot) -> None:
    failures: list[str] = []
    jobs.failed.connect(lambda job, error: failures.append(f"{job.title}: {error}"))
    jobs.submit(Job("bad", lambda _: 1 / 0))
    jobs.submit(Job("bad end", lambda _: 1, done=lambda _: {}["missing"]))
    answers: list[int] = []
    jobs.submit(Job("good", lambda _: 42, done=answers.append))
    qtbot.waitUntil(lambda: bool(answers), timeout=30_000)
    assert answers == [42]
    assert [f.split(":")[0] for f in failures] == ["bad", "bad end"]


def test_a_jobs_own_failure_handler_takes_the_error(jobs: Jobs, qtbot: QtBot) -> None:
    unhandled: list[Any] = []
    jobs.failed.connect(lambda *both: unhandled.append(both))
    errors: list[Exception] = []
    jobs.submit(Job("bad", lambda _: 1 / 0, failed=errors.append))
    qtbot.waitUntil(lambda: bool(errors), timeout=30_000)
    assert isinstance(errors[0], ZeroDivisionError)
    assert not unhandled


def _until_cancelled(started: threading.Event) -> Any:
    def work(progress: Progress) -> None:
        started.set()
        while True:
            progress.check()
            threading.Event().wait(0.002)

    return work


def test_cancel_stops_the_running_job_and_leaves_the_next(jobs: Jobs, qtbot: QtBot) -> None:
    started = threading.Event()
    ended: list[str] = []
    jobs.submit(Job("long", _until_cancelled(started), cancelled=lambda: ended.append("cancelled")))
    jobs.submit(Job("next", lambda _: "next", done=ended.append))
    assert started.wait(5)
    jobs.cancel()
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=30_000)
    assert ended == ["cancelled", "next"]


def test_a_waiting_job_that_is_cancelled_never_runs(jobs: Jobs, qtbot: QtBot) -> None:
    started = threading.Event()
    ran: list[str] = []
    jobs.submit(Job("long", _until_cancelled(started)))
    jobs.submit(Job("batch 1", lambda _: ran.append("1"), tag="batch"))
    jobs.submit(Job("batch 2", lambda _: ran.append("2"), tag="batch"))
    assert started.wait(5)
    assert jobs.is_busy_with("batch")
    jobs.cancel("batch")
    assert not jobs.is_busy_with("batch")
    jobs.cancel()
    qtbot.waitUntil(lambda: not jobs.busy, timeout=30_000)
    assert ran == []


def test_a_replacing_job_takes_the_place_of_its_like(jobs: Jobs, qtbot: QtBot) -> None:
    started = threading.Event()
    shown: list[str] = []
    jobs.submit(Job("first", _until_cancelled(started), done=shown.append, tag="open", replaces=True))
    assert started.wait(5)
    for name in ("second", "third"):
        jobs.submit(Job(name, lambda _, n=name: n, done=shown.append, tag="open", replaces=True))  # type: ignore[misc]
    qtbot.waitUntil(lambda: not jobs.busy, timeout=30_000)
    assert shown == ["third"]


def test_progress_and_curves_reach_the_window(jobs: Jobs, qtbot: QtBot) -> None:
    values: list[tuple[str, float, float]] = []
    seen: list[tuple[float, str]] = []
    jobs.measured.connect(lambda _, name, step, value: values.append((name, step, value)))
    jobs.progressed.connect(lambda job: seen.append((job.fraction, job.what)))

    def work(progress: Progress) -> None:
        for i in range(1000):
            progress.update(i / 1000, f"step {i}")
        progress.metric("loss", 1, 0.5)
        progress.update(1.0, "done")

    jobs.submit(Job("work", work))
    qtbot.waitUntil(lambda: not jobs.busy, timeout=30_000)
    assert values == [("loss", 1.0, 0.5)]
    assert seen[-1] == (1.0, "done")
    assert len(seen) < 100, "the window is told only as often as it can show"


def test_what_a_stalled_job_reported_last_is_shown(jobs: Jobs, qtbot: QtBot) -> None:
    seen: list[str] = []
    shown, go_on = threading.Event(), threading.Event()
    jobs.progressed.connect(lambda job: (seen.append(job.what), shown.set()))

    def work(progress: Progress) -> None:
        progress.update(0.0, "connecting")
        shown.wait(30)
        progress.update(0.5, "half of it")  # sooner after the first than reports are shown
        go_on.wait(30)

    jobs.submit(Job("work", work))
    qtbot.waitUntil(lambda: bool(seen) and seen[-1] == "half of it", timeout=20_000)
    go_on.set()
    qtbot.waitUntil(lambda: not jobs.busy, timeout=30_000)


def test_shutdown_cancels_and_ends_the_thread(qtbot: QtBot) -> None:
    jobs = Jobs()
    started = threading.Event()
    jobs.submit(Job("long", _until_cancelled(started)))
    assert started.wait(5)
    assert jobs.shutdown()
    assert not any(t.name == "nominal-worker" and t is jobs._thread for t in threading.enumerate())
    jobs.submit(Job("too late", lambda _: None))
    assert not jobs.busy
