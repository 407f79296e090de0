"""Threads for plain functions: reused, bounded, and never waited for."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait

import pytest

from runner.functions.threads import DaemonThreads, OneThread

BOUND = 10.0
"""Seconds that any wait here takes at most."""


class Threads(DaemonThreads):
    def names(self) -> set[str]:
        return {thread.name for thread in threading.enumerate() if thread.name.startswith(f"{self._name}-")}

    def hold(self, *, at_once: bool = True) -> tuple[Future[bool], threading.Event]:
        """Occupy a thread until the event is set, from now on if `at_once`."""
        running, released = threading.Event(), threading.Event()

        def work() -> bool:
            running.set()
            return released.wait(BOUND)

        future = self.submit(work)
        assert not at_once or running.wait(BOUND)
        return future, released


Make = Callable[[int], Threads]


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Threads] = []

    def make(limit: int) -> Threads:
        made.append(Threads(limit, f"{request.node.name}-{len(made)}"))
        return made[-1]

    yield make
    for threads in made:
        threads.shutdown()


def test_work_one_after_the_other_takes_one_thread(make: Make) -> None:
    threads = make(8)
    names = {threads.submit(lambda: threading.current_thread().name).result(BOUND) for _ in range(200)}
    assert len(names) == 1
    assert threads.names() == names


def test_work_at_once_takes_a_thread_each_up_to_the_limit_and_the_rest_waits(make: Make) -> None:
    threads = make(3)
    held = [threads.hold(at_once=place < 3) for place in range(5)]
    assert len(threads.names()) == 3
    assert [future.running() for future, _ in held] == [True, True, True, False, False]
    for _, released in held:
        released.set()
    assert [future.result(BOUND) for future, _ in held] == [True] * 5
    assert len(threads.names()) == 3


def test_after_a_rush_the_threads_are_idle_again(make: Make) -> None:
    """Idle threads and waiting work share one count: a rush beyond the limit leaves it as it was."""
    threads = make(4)
    for _ in range(50):
        wait([threads.submit(time.sleep, 0) for _ in range(40)], BOUND)
        assert threads._idle == threads._threads <= 4
    held = [threads.hold() for _ in range(4)]
    assert all(future.running() for future, _ in held)
    for _, released in held:
        released.set()


def test_many_submit_at_once_and_nothing_is_lost(make: Make) -> None:
    threads, results, guard = make(5), [], threading.Lock()

    def submit(number: int) -> None:
        for turn in range(200):
            result = threads.submit(tuple, (number, turn)).result(BOUND)
            with guard:
                results.append(result)

    submitters = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for submitter in submitters:
        submitter.start()
    for submitter in submitters:
        submitter.join(BOUND)
    assert len(results) == len(set(results)) == 1600
    assert threads._idle == threads._threads == len(threads.names()) <= 5


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration])
def test_whatever_is_raised_is_handed_over_and_the_thread_works_on(make: Make, kind: type[BaseException]) -> None:
    def explode() -> None:
        raise kind("the oven is cold")

    threads = make(1)
    assert type(threads.submit(explode).exception(BOUND)) is kind
    assert threads.submit(lambda: 7).result(BOUND) == 7
    assert len(threads.names()) == 1


def test_work_that_is_cancelled_while_it_waits_is_never_done(make: Make) -> None:
    threads = make(1)
    done: list[int] = []
    _, released = threads.hold()
    waiting = threads.submit(done.append, 1)
    assert waiting.cancel()
    released.set()
    threads.submit(done.append, 2).result(BOUND)
    assert done == [2]
    assert threads._idle == threads._threads == 1


def test_shutdown_waits_for_nobody_and_takes_nothing_more(make: Make) -> None:
    threads = make(2)
    future, released = threads.hold()
    threads.shutdown(wait=True)
    assert not future.done()
    with pytest.raises(RuntimeError, match="the threads are shut down"):
        threads.submit(print)
    released.set()
    assert future.result(BOUND)


def test_shutdown_leaves_what_waits_to_be_done_or_cancels_it(make: Make) -> None:
    for cancels in (False, True):
        threads = make(1)
        _, released = threads.hold()
        waiting = threads.submit(lambda: 7)
        threads.shutdown(cancel_futures=cancels)
        released.set()
        if cancels:
            with pytest.raises(CancelledError):
                waiting.result(BOUND)
        else:
            assert waiting.result(BOUND) == 7


def test_the_threads_end_after_shutdown_however_often_it_is_called(make: Make) -> None:
    threads = make(3)
    held = [threads.hold() for _ in range(3)]
    threads.shutdown()
    threads.shutdown(cancel_futures=True)
    for _, released in held:
        released.set()
    until = time.monotonic() + BOUND
    while threads.names() and time.monotonic() < until:
        time.sleep(0.001)
    assert threads.names() == set()


def test_an_idle_thread_keeps_nothing_alive(make: Make) -> None:
    class Meal:
        pass

    def fail(meal: Meal) -> None:
        raise ValueError

    threads = make(1)
    gc.disable()
    try:
        cooked = threads.submit(Meal).result(BOUND)
        kept = [weakref.ref(cooked), weakref.ref(raw := Meal())]
        threads.submit(fail, raw).exception(BOUND)
        del cooked, raw
        until = time.monotonic() + BOUND
        while any(ref() for ref in kept) and time.monotonic() < until:
            time.sleep(0.001)
        assert [ref() for ref in kept] == [None, None]
    finally:
        gc.enable()


def test_a_thread_that_cannot_be_started_is_not_counted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = make(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            threads.submit(print)
    assert threads.submit(lambda: 7).result(BOUND) == 7


def test_a_function_that_never_returns_does_not_hold_the_process_back() -> None:
    code = (
        "import threading; from runner.functions.threads import DaemonThreads\n"
        "threads = DaemonThreads(1, 't'); running = threading.Event()\n"
        "threads.submit(lambda: (running.set(), threading.Event().wait()))\n"
        "running.wait(); threads.shutdown(wait=True)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=BOUND, check=False).returncode == 0


async def test_one_piece_of_work_after_the_other_is_done_in_one_thread() -> None:
    """Two hundred changes are loaded by one: each new one would have memory of its own."""
    one = OneThread("one")
    try:
        assert len({await one.run(threading.current_thread) for _ in range(5)}) == 1
        with pytest.raises(ZeroDivisionError):
            await one.run(lambda: 1 // 0)
        assert (await one.run(threading.current_thread)).is_alive()
    finally:
        one.close()


async def test_nobody_waits_for_work_that_was_left_to_itself() -> None:
    one, begun, released = OneThread("one"), threading.Event(), threading.Event()

    def work() -> bool:
        begun.set()
        return released.wait(BOUND)

    try:
        hanging = asyncio.ensure_future(one.run(work))
        assert await asyncio.to_thread(begun.wait, BOUND)
        hanging.cancel()
        await asyncio.wait((hanging,))
        assert hanging.cancelled()
        assert not await one.run(released.is_set)
    finally:
        released.set()
        one.close()
