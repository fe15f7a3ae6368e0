"""Clocks on which a thousand seconds cost nothing."""
from __future__ import annotations

import functools
import heapq
import itertools
import queue
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor

FOREVER = 1e5  # more virtual seconds than any run may take
STUCK = 10  # real seconds in which each worker has said something, or waits for another


class VirtualClock:
    """Time that passes only when nobody works, in one thread.

    A call in the pool has its effect when its latency has passed; latencies come from a seed,
    so that every order of answers can be had and had again.
    """

    def __init__(self, seed: int = 0, latencies=(0.05,)):
        self._now, self._random, self._latencies = 0.0, random.Random(seed), latencies
        self._due, self._count, self._longest = [], itertools.count(), 0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def jitter(self, seconds: float) -> float:
        return seconds * self._random.uniform(0.9, 1.1)

    def get(self, inbox: queue.Queue, timeout: float):
        end = self._now + max(timeout, 0)
        while inbox.empty():
            if not self._due or self._due[0][0] > end:
                self._now = end
                assert self._now < FOREVER, "the run hangs"
                return None
            due, _count, work = heapq.heappop(self._due)
            self._now = max(self._now, due)
            work()
        return inbox.get_nowait()

    def pool(self, width: int) -> "VirtualClock":
        """Stands in for the worker threads."""
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._due.clear()

    def submit(self, function, *arguments) -> Future:
        """Promises what the function will answer when its latency has passed."""
        answer, due = Future(), self._now + self._random.choice(self._latencies)
        work = functools.partial(_keep, answer, function, *arguments)
        heapq.heappush(self._due, (due, next(self._count), work))
        return answer


class ThreadedClock:
    """The same with real worker threads: time jumps when all of them sleep and none answers."""

    def __init__(self, seed: int = 0):
        self._now, self._random, self._changed = 0.0, random.Random(seed), threading.Condition()
        self._sleepers, self._working, self.running = [], 0, False

    def now(self) -> float:
        with self._changed:
            return self._now

    def jitter(self, seconds: float) -> float:
        return seconds * self._random.uniform(0.9, 1.1)

    def sleep(self, seconds: float) -> None:
        """In a worker: until the main thread has moved the time so far; else time just passes."""
        with self._changed:
            if not self.running:
                self._now += seconds
                return
            due = self._now + seconds
            heapq.heappush(self._sleepers, due)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._now >= due or not self.running)

    def get(self, inbox: queue.Queue, timeout: float):
        """In the main thread: the next message; moves the time when all workers sleep."""
        with self._changed:
            end = self._now + max(timeout, 0)
            while inbox.empty():
                assert self._changed.wait_for(
                    lambda: not inbox.empty() or len(self._sleepers) >= self._working, STUCK), \
                    "the run hangs"
                if not inbox.empty():
                    break
                due = self._sleepers[0] if self._sleepers else end
                self._now = max(self._now, min(due, end))
                assert self._now < FOREVER, "the run hangs"
                while self._sleepers and self._sleepers[0] <= self._now:
                    heapq.heappop(self._sleepers)
                self._changed.notify_all()
                if self._now >= end:
                    return None
            return inbox.get_nowait()

    def pool(self, width: int):
        return _Pool(self, width)

    def end(self) -> None:
        """The run is over: nobody moves the time any more."""
        with self._changed:
            self.running = False
            self._sleepers.clear()
            self._changed.notify_all()

    def begin(self, more: int) -> None:
        """One call more, or one less, is being worked on."""
        with self._changed:
            self._working += more
            self._changed.notify_all()


class _Pool(ThreadPoolExecutor):
    """Tells the clock how many calls are under way."""

    def __init__(self, clock: ThreadedClock, width: int):
        super().__init__(width)
        self._clock = clock

    def __enter__(self):
        self._clock.running = True
        return super().__enter__()

    def __exit__(self, *error):
        self._clock.end()
        return super().__exit__(*error)

    def submit(self, function, *arguments) -> Future:  # pylint: disable=arguments-differ
        answer = Future()
        self._clock.begin(1)

        def work():
            _keep(answer, function, *arguments)  # tells who asked, while it still counts as work
            self._clock.begin(-1)

        super().submit(work)
        return answer


def _keep(answer: Future, function, *arguments) -> None:
    """Keeps the promise of an answer."""
    try:
        answer.set_result(function(*arguments))
    except BaseException as error:  # pylint: disable=broad-except  # told who asked
        answer.set_exception(error)
