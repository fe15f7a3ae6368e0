# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carrying out a plan: each step is a generator that yields what it waits for.

`yield Call(f)` returns what f returned (in a worker thread); `yield Pause(s)` returns after s
seconds; `yield Look(cls)` returns a fresh listing, shared by all steps that look at once.
"""
from __future__ import annotations

import heapq
import itertools
import queue
import re
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from .errors import Ambiguous, Busy, Exists, Failure, NotFound
from .graph import remaining
from .plan import Change, Plan
from .resource import KEY, REPLACED, canonical, diff, needs, resolved, search, unknown_keys
from .scan import Scan
from .wait import PATIENCE, Clock, Patience

LOOKS = 4  # looks for an object whose creation was not answered, before it is made again


@dataclass(frozen=True)
class Call:
    function: object


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Look:
    cls: type


@dataclass
class Outcome:
    """What became of a step: done, failed or skipped, and why."""

    state: str
    why: str = ""
    seconds: float = 0


class Stopped(Failure):
    """The run was asked to end."""


class Steps:
    """The generators: what it takes to make, change or remove one resource."""

    def __init__(self, plan: Plan, api, clock: Clock):
        self.plan, self.api, self.clock = plan, api, clock
        self.lives = dict(plan.lives)
        self.made = set()  # keys of what this run created

    def of(self, change: Change):
        """The generator of a change."""
        if change.action == "delete":
            return self.remove(change)
        return self.make(change)

    def make(self, change: Change):
        """Creates or changes until nothing differs."""
        resource = self.plan.wanted[change.key]
        live = None if change.action in ("create", "replace") else change.live
        if change.action == "replace" and not resource.delete_first:
            mark = replace(change.resource, tags={REPLACED: "true"})
            yield from self.attempt(lambda: self._updater(mark, "tags")(mark, self.api,
                                                                         change.live))
        if live is None:
            wanted = self._known(resource)
            live = yield from self.create(wanted)
            self.made.add(change.key)
            live = yield from self.settle(wanted, live)
            live = yield from self.complete(wanted, live)
        else:
            live = yield from self.converge(resource, live)
        self.lives[change.key] = live

    def _known(self, resource):
        """The resource with all its values; what is still unknown is an error."""
        wanted = resolved(resource, self.lives)
        missing = {k for name in wanted.attrs for k in unknown_keys(getattr(wanted, name))}
        if missing:
            raise Failure(f"{', '.join(sorted(missing))} did not give the value it needs")
        return wanted

    @staticmethod
    def _updater(resource, name: str):
        for method in type(resource).updaters:
            if name in method.updates:
                return method
        raise Failure(f"{type(resource).__name__} cannot change {name}")

    def attempt(self, call, seconds: float = PATIENCE, patterns=(), forgiving=()):
        """A call, repeated while its failure is one that time heals."""
        patience = Patience(self.clock, 1, self.clock.now() + seconds)
        while True:
            try:
                return (yield Call(call))
            except Failure as failure:
                heals = isinstance(failure, forgiving) or any(
                    re.search(p, str(failure)) for p in patterns)
                pause = patience.pause() if heals else None
                if pause is None:
                    raise
            yield Pause(pause)

    def create(self, wanted):
        """Creates, looking before every repetition: a lost answer must not make a second one."""
        cls, usual = type(wanted), wanted.seconds.get("create", 1)
        young = NotFound if any(n.key in self.made for n in needs(self.plan.wanted[wanted.key])) \
            else ()
        patience = Patience(self.clock, usual)
        while True:
            try:
                return (yield from self.attempt(lambda: wanted.create(self.api),
                                                patterns=cls.patience, forgiving=young)) or {}
            except (Ambiguous, Exists, Busy) as failure:
                live = yield from self.look(wanted, isinstance(failure, Ambiguous))
                if live is not None:
                    return live
                pause = patience.pause()
                if pause is None or not (yield from self.passing(wanted, failure)):
                    raise
            yield Pause(pause)

    def passing(self, wanted, failure):
        """Whether a refused creation may succeed later: not answered, or the name is leaving."""
        if not isinstance(failure, Exists):
            return True
        cls = type(wanted)
        listing = yield Look(cls)
        names = tuple(canonical(getattr(wanted, n)) for n in cls.identity)
        return any(cls.tags_of(item).get(KEY) == wanted.key
                   or (names and listing.identity(item) == names) for item in listing.leaving)

    def look(self, wanted, patiently: bool):
        """The live object of a creation without an answer, or None when it is not there."""
        rhythm = Patience(self.clock, 60)
        for turn in range(LOOKS if patiently else 1):
            if turn:
                yield Pause(rhythm.pause() * 2 ** turn)
            listing = yield Look(type(wanted))
            found = listing.find(wanted)
            mine = [f for f in found if not wanted.tags_path or not wanted.tags
                    or wanted.key in self._keys(wanted, f)]
            if mine:
                return mine[0]
        return None

    @staticmethod
    def _keys(wanted, live) -> tuple:
        tags = wanted.tags_of(live)
        return (wanted.key,) if all(tags.get(k) == v for k, v in wanted.tags.items()
                                    if k.startswith("groundwork:")) \
            and tags.get(REPLACED) != "true" else ()

    def settle(self, wanted, live, fresh: bool = False):
        """The object once it is ready; `fresh`: what is known of it is out of date."""
        patience = Patience(self.clock, wanted.seconds.get("create", 1))
        now = None if fresh else live
        while now is None or (wanted.ready and not search(wanted.ready, now)):
            if now is not None and wanted.failed and search(wanted.failed, now):
                raise Failure(f"failed: {search(wanted.reason, now) if wanted.reason else now}")
            pause = patience.pause()
            if pause is None:
                raise Failure(f"{'not there' if now is None else 'not ready'} in time")
            if not fresh:
                yield Pause(pause)
            fresh = False
            listing = yield Look(type(wanted))
            now = listing.same(live) if live else next(iter(listing.find(wanted)), None)
        return now

    def complete(self, wanted, live):
        """Sets what creation does not accept."""
        later = [n for n, meta in wanted.attrs.items()
                 if meta.later and getattr(wanted, n) is not None]
        while later:
            method = self._updater(wanted, later[0])
            yield from self.attempt(lambda m=method: m(wanted, self.api, live),
                                    patterns=wanted.patience,
                                    forgiving=(NotFound, Busy, Ambiguous))
            later = [n for n in later if n not in method.updates]
            if wanted.ready:
                live = yield from self.settle(wanted, live, fresh=True)
        return live

    def converge(self, resource, live):
        """One group of fields after another until nothing differs."""
        wanted, before, again = self._known(resource), None, 0
        live = yield from self.settle(wanted, live)
        while changed := diff(wanted, live):
            again = again + 1 if list(changed) == before else 0
            if again >= LOOKS:
                raise Failure(f"{', '.join(changed)} did not take the wanted value")
            if again:  # what was read may be older than what was written
                yield Pause(2.0 ** again)
                live = yield from self.settle(wanted, live, fresh=True)
                continue
            before = list(changed)
            method = self._updater(wanted, before[0])
            yield from self.attempt(lambda m=method: m(wanted, self.api, live),
                                    max(PATIENCE, wanted.seconds.get("create", 1)),
                                    wanted.patience, (Busy, Ambiguous))
            live = yield from self.settle(wanted, live, fresh=True)
        return live

    def remove(self, change: Change):
        """Deletes and waits until the object is gone."""
        resource, live = change.resource, change.live
        usual = resource.seconds.get("delete", 1)
        if change.reason != "leaving":
            try:
                yield from self.attempt(lambda: resource.delete(self.api, live),
                                        max(600.0, 4 * usual), (), (Busy, Ambiguous))
            except NotFound:
                return
        if not resource.leaving:
            return
        patience = Patience(self.clock, usual)
        while (yield Look(type(resource))).same(live) is not None:
            pause = patience.pause()
            if pause is None:
                raise Failure("still being deleted")
            yield Pause(pause)


class Run:
    """Drives the generators of a plan: all that can run does, longest way first."""

    def __init__(self, plan: Plan, scan: Scan, clock: Clock, width: int = 16):
        self.plan, self.scan, self.clock, self.width = plan, scan, clock, width
        self.steps = Steps(plan, scan.api, clock)
        self.stop = threading.Event()
        self.told = lambda step, outcome: None  # called when a step starts (None) and ends
        self.outcomes = {}
        self._inbox, self._count = queue.Queue(), itertools.count()
        self._calls, self._timers, self._busy = [], [], 0
        self._lookers, self._behind = defaultdict(list), defaultdict(list)
        self._generators, self._started = {}, {}
        self._changes, self._ways, self._missing = {}, {}, {}

    def go(self) -> dict[str, Outcome]:
        """Carries out the plan; returns what became of each step."""
        changes = {c.step: c for c in self.plan.steps}
        if self.plan.absent and changes:
            raise Failure("; ".join(f"{key} is needed and not there: converge its component first"
                                    for key in self.plan.absent))
        self._changes = changes
        self._ways = remaining(self.plan.after, {s: c.seconds for s, c in changes.items()})
        self._missing = {step: len(self.plan.after[step]) for step in changes}
        for step in changes:
            for before in self.plan.after[step]:
                self._behind[before].append(step)
        for step in sorted(changes, key=lambda s: -self._ways[s]):
            if not self._missing[step]:
                self._start(step)
        with ThreadPoolExecutor(self.width) as pool:
            while self._generators:
                self._submit(pool)
                self._receive()
        return self.outcomes

    def _start(self, step: str) -> None:
        if self.stop.is_set():
            self._end(step, Outcome("skipped", "the run was stopped before it"))
            return
        self._generators[step] = self.steps.of(self._changes[step])
        self._started[step] = self.clock.now()
        self.told(step, None)
        self._advance(step)

    def _end(self, step: str, outcome: Outcome) -> None:
        """Notes the end of a step and starts, or skips, those that waited for it."""
        todo = [(step, outcome)]
        while todo:
            name, result = todo.pop()
            if name in self.outcomes:
                continue
            self._generators.pop(name, None)
            result.seconds = self.clock.now() - self._started.get(name, self.clock.now())
            self.outcomes[name] = result
            self.told(name, result)
            for behind in self._behind[name]:
                self._missing[behind] -= 1
                if result.state != "done":
                    todo.append((behind, Outcome("skipped", f"because of {name}")))
                elif not self._missing[behind] and behind not in self.outcomes:
                    self._start(behind)

    def _advance(self, step: str, value=None, error=None) -> None:
        """Hands a generator what it waited for, and notes what it waits for next."""
        generator = self._generators[step]
        if self.stop.is_set() and error is None:
            error = Stopped("stopped; what was begun goes on by itself, the next run finds it")
        try:
            request = generator.throw(error) if error else generator.send(value)
        except StopIteration:
            self._end(step, Outcome("done"))
        except Failure as failure:
            self._end(step, Outcome("failed", str(failure)))
        except Exception as error:  # pylint: disable=broad-except  # one step's, not the run's
            self._end(step, Outcome("failed", f"{type(error).__name__}: {error}"))
        else:
            self._note(step, request)

    def _note(self, step: str, request) -> None:
        if isinstance(request, Pause):
            entry = (self.clock.now() + request.seconds, next(self._count), step)
            heapq.heappush(self._timers, entry)
        elif isinstance(request, Look):
            if not self._lookers[request.cls]:
                self._push(step, request.cls, self._reader(request.cls))
            self._lookers[request.cls].append(step)
        else:
            self._push(step, None, request.function)

    def _reader(self, cls):
        return lambda: self.scan.again().of(cls)

    def _push(self, step: str, looked, function) -> None:
        heapq.heappush(self._calls, (-self._ways[step], next(self._count), step, looked, function))

    def _submit(self, pool) -> None:
        while self._calls and self._busy < self.width:
            *_order, step, looked, function = heapq.heappop(self._calls)
            if self.stop.is_set():
                self._deliver((step, looked, None, None))
                continue
            self._busy += 1
            pool.submit(self._work, step, looked, function)

    def _work(self, step: str, looked, function) -> None:
        """In a worker thread: one call, its result sent home."""
        try:
            message = (step, looked, function(), None)
        except Exception as error:  # pylint: disable=broad-except  # told as the step's failure
            known = isinstance(error, Failure)
            failure = error if known else Failure(f"{type(error).__name__}: {error}")
            message = (step, looked, None, failure)
        self._inbox.put(message)

    def _receive(self) -> None:
        """One message or the next due timer."""
        due = self._timers[0][0] - self.clock.now() if self._timers else 1.0
        message = self.clock.get(self._inbox, min(due, 1.0) if not self.stop.is_set() else 0.05)
        if message:
            self._busy -= 1
            self._deliver(message)
        while self._timers and (self.stop.is_set() or self._timers[0][0] <= self.clock.now()):
            self._advance(heapq.heappop(self._timers)[2])

    def _deliver(self, message: tuple) -> None:
        step, looked, value, error = message
        for waiter in self._lookers.pop(looked, []) if looked else [step]:
            self._advance(waiter, value, error)
