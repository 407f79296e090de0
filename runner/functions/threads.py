"""Threads for plain functions: daemons, so that one that never returns cannot hold the process back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Work = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads(Executor):
    """Starts a thread where none is idle, up to `limit`; what comes beyond waits for one.

    The standard pool joins its threads when the interpreter ends, whatever they do.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0  # less than none: as many pieces of work wait in the queue
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Raises RuntimeError after `shutdown`."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the threads are shut down")
            if self._idle <= 0 and self._threads < self._limit:
                name = f"{self._name}-{self._threads + 1}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
                self._threads += 1
            else:
                self._idle -= 1
            self._work.put((future, lambda: fn(*args, **kwargs)))  # under the lock: nothing goes behind the last None
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Take nothing more; threads end when nothing is left to do. Never waits for one that works."""
        with self._lock:
            self._closed = True
            left = tuple(self._drained()) if cancel_futures else ()
            for _ in range(self._threads):
                self._work.put(None)
        for future, _ in left:
            future.cancel()

    def _drained(self) -> Iterator[_Work]:
        with suppress(Empty):
            while True:
                if (work := self._work.get_nowait()) is not None:
                    yield work

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            self._do(*work)
            del work  # an idle thread keeps nothing alive

    def _do(self, future: Future[Any], call: Callable[[], Any]) -> None:
        """The thread counts as idle before the result is known, so that whoever waits for it finds it idle."""
        if not future.set_running_or_notify_cancel():
            self._rest()
            return
        try:
            result = call()
        except BaseException as problem:  # noqa: BLE001 - handed to whoever awaits the future
            self._rest()
            future.set_exception(problem)
            del future  # the traceback holds this frame: no cycle
        else:
            self._rest()
            future.set_result(result)

    def _rest(self) -> None:
        with self._lock:
            self._idle += 1


class OneThread:
    """Runs one piece of work after another in the same daemon thread, and leaves it to what does not come back.

    For work that comes again and again: the allocator gives every new thread memory of its own, which stays when the
    thread ends.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads = DaemonThreads(1, name)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives. Who is cancelled does not wait for its end, and nor does what is run next."""
        threads = self._threads
        future = threads.submit(work)
        try:
            return await asyncio.wrap_future(future)
        finally:
            if not future.done():
                threads.shutdown()
                self._threads = DaemonThreads(1, self._name)

    def close(self) -> None:
        """Takes nothing more; the thread ends with what it is at."""
        self._threads.shutdown()
