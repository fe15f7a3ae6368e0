# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carrying out a plan: each step is a generator that yields what it waits for.

`yield Call(f)` returns what f returned (in a worker thread); `yield Pause(s)` returns after s
seconds; `yield Look(cls, s)` returns a listing begun after at most s seconds, shared by all steps
that wait for one of this type.
"""
from __future__ import annotations

import heapq
import itertools
import queue
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, replace

from .errors import Ambiguous, Busy, Exists, Failure, NotFound, Throttled, Unreachable
from .graph import remaining
from .plan import Change, Plan
from .resource import KEY, REPLACED, canonical, diff, needs, resolved, search, unknown_keys
from .scan import Scan
from .wait import PATIENCE, Clock, Patience

LOOKS = 5  # looks for the effect of a write (30 seconds), before it counts as not there


@dataclass(frozen=True)
class Call:
    function: object


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Look:
    cls: type
    seconds: float = 0


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
        if change.action == "update":
            live = yield from self.converge(resource, change.live)
        else:
            wanted = self._known(resource)
            if change.action == "replace" and not resource.delete_first:
                yield from self.mark(change)
            live = yield from self.create(wanted, change.live)
            self.made.add(change.key)
            live = yield from self.settle(wanted, live)
            live = yield from self.complete(wanted, live)
            if wanted.seeded:
                live = yield from self.converge(resource, live)
        self.lives[change.key] = live

    def mark(self, change: Change):
        """Tags what is to be replaced, so that a later run can tell it from its heir."""
        marked = replace(change.resource, tags={REPLACED: "true"})
        if not marked.tags_path:
            return
        method = self._updater(marked, "tags")
        try:
            yield from self.attempt(Call(lambda: method(marked, self.api, change.live)),
                                    forgiving=(Busy, Ambiguous))
        except NotFound:
            pass  # something that cannot stand beside its heir took it along

    def _known(self, resource):
        """The resource with all its values; what is still unknown is an error."""
        wanted = resolved(resource, self.lives)
        missing = {k for name in wanted.attrs for k in unknown_keys(getattr(wanted, name))}
        if missing:
            raise Failure(f"{', '.join(sorted(missing))} did not give the value it needs")
        return wanted

    def _young(self, resource) -> tuple:
        """NotFound is patience only where this run has made what may not be found."""
        young = any(n.key in self.made for n in needs(self.plan.wanted[resource.key]))
        return (NotFound,) if young else ()

    @staticmethod
    def _updater(resource, name: str):
        for method in type(resource).updaters:
            if name in method.updates:
                return method
        raise Failure(f"{type(resource).__name__} cannot change {name}")

    def attempt(self, request, seconds: float = PATIENCE, patterns=(), forgiving=()):
        """A request, repeated while its failure is one that time heals."""
        patience = Patience(self.clock, 1, self.clock.now() + seconds)
        while True:
            try:
                return (yield request)
            except Failure as failure:
                heals = isinstance(failure, (Throttled, Unreachable, *forgiving)) or any(
                    re.search(p, str(failure)) for p in patterns)
                pause = patience.pause() if heals else None
                if pause is None:
                    raise
            yield Pause(pause)

    def listing(self, cls, seconds: float = 0):
        """What is there, read within so many seconds."""
        return (yield from self.attempt(Look(cls, seconds), forgiving=(Ambiguous,)))

    def create(self, wanted, old):
        """Creates, looking before every repetition: a lost answer must not make a second one."""
        cls, forgiving, refused = type(wanted), self._young(wanted), 0
        patience = Patience(self.clock, wanted.seconds.get("create", 1))
        while True:
            try:
                return (yield from self.attempt(Call(lambda: wanted.create(self.api)),
                                                patterns=cls.patience,
                                                forgiving=forgiving)) or {}
            except (Ambiguous, Exists, Busy) as failure:
                exists, pause = isinstance(failure, Exists), patience.pause()
                turns = 1 if isinstance(failure, Busy) else LOOKS
                if exists and (yield from self.leaving(wanted)):
                    turns = 0
                live = yield from self.look(wanted, old, turns)
                if live is not None:
                    return live
                refused += 1 if exists and turns else 0
                if pause is None or refused > 1:  # once, it may have gone while we looked
                    raise
            yield Pause(pause)

    def leaving(self, wanted):
        """Whether the name is that of an object which is being deleted."""
        cls = type(wanted)
        listing = yield from self.listing(cls)
        names = tuple(canonical(getattr(wanted, n)) for n in cls.identity)
        return any(cls.tags_of(item).get(KEY) == wanted.key
                   or (names and listing.identity(item) == names) for item in listing.leaving)

    def look(self, wanted, old, turns: int):
        """The live object of a creation without an answer, or None when it is not there."""
        for turn in range(turns):
            if turn:
                yield Pause(2.0 ** turn)
            listing = yield from self.listing(type(wanted))
            found = [f for f in listing.find(wanted) if not self._former(wanted, f, old)]
            if found:
                return found[0] if self._mine(wanted, found[0]) else None
        return None

    @staticmethod
    def _former(wanted, live, old) -> bool:
        """Whether an object is the one that is being replaced, or was before."""
        same = old and wanted.ref and search(wanted.ref, live) == search(wanted.ref, old)
        return bool(same) or wanted.tags_of(live).get(REPLACED) == "true"

    @staticmethod
    def _mine(wanted, live) -> bool:
        tags = wanted.tags_of(live)
        return not wanted.tags_path or all(
            tags.get(k) == v for k, v in wanted.tags.items() if k.startswith("groundwork:"))

    def settle(self, wanted, live, fresh: bool = False):
        """The object once it is ready; `fresh`: what is known of it is out of date."""
        usual, longest = wanted.seconds.get("create", 1), wanted.seconds.get("longest")
        patience = Patience(self.clock, usual, self.clock.now() + longest if longest else 0)
        now = None if fresh else live
        while now is None or (wanted.ready and not search(wanted.ready, now)):
            if now is not None and wanted.failed and search(wanted.failed, now):
                raise Failure(f"failed: {search(wanted.reason, now) if wanted.reason else now}")
            pause = 0 if fresh else patience.pause()
            if pause is None:
                raise Failure(f"{'not there' if now is None else 'not ready'} in time")
            fresh = False
            listing = yield from self.listing(type(wanted), pause)
            now = listing.same(live) if live else next(iter(listing.find(wanted)), None)
        return now

    def complete(self, wanted, live):
        """Sets what creation does not accept."""
        later = [n for n, meta in wanted.attrs.items()
                 if meta.later and getattr(wanted, n) is not None]
        while later:
            method = self._updater(wanted, later[0])
            yield from self.attempt(Call(lambda m=method: m(wanted, self.api, live)),
                                    patterns=wanted.patience,
                                    forgiving=(NotFound, Busy, Ambiguous))
            later = [n for n in later if n not in method.updates]
            if wanted.ready:
                live = yield from self.settle(wanted, live, fresh=True)
        return live

    def converge(self, resource, live):
        """One group of fields after another until nothing differs."""
        wanted, before, looks, lost = self._known(resource), None, 0, None
        live = yield from self.settle(wanted, live)
        while changed := diff(wanted, live):
            looks = looks + 1 if changed == before else 0
            if looks % LOOKS:  # what was read may be older than what was written
                yield Pause(2.0 ** (looks % LOOKS))
            elif looks and (not lost or looks > 2 * LOOKS):
                raise lost or Failure(f"{', '.join(changed)} did not take the wanted value")
            else:
                before = changed
                lost = yield from self.change(wanted, live, changed)
            live = yield from self.settle(wanted, live, fresh=True)
        return live

    def change(self, wanted, live, changed: dict):
        """One call for the first group of fields; returns the failure when no answer came."""
        method = self._updater(wanted, next(iter(changed)))
        if "tags" in changed:  # may hold one more: that it is not replaced after all
            wanted = replace(wanted, tags=changed["tags"][1])
        try:
            yield from self.attempt(Call(lambda: method(wanted, self.api, live)),
                                    max(PATIENCE, wanted.seconds.get("create", 1)),
                                    wanted.patience, (Busy, *self._young(wanted)))
        except Ambiguous as failure:
            return failure
        return None

    def remove(self, change: Change):
        """Deletes and waits until the object is gone."""
        resource, live = change.resource, change.live
        usual = resource.seconds.get("delete", 1)
        if change.reason != "leaving":
            try:
                yield from self.attempt(Call(lambda: resource.delete(self.api, live)),
                                        max(600.0, 4 * usual), (), (Busy, Ambiguous))
            except NotFound:
                pass  # gone, or an earlier call without an answer has begun it
        if not resource.leaving:
            return
        patience, pause = Patience(self.clock, usual), 0
        while (yield from self.listing(type(resource), pause)).same(live) is not None:
            pause = patience.pause()
            if pause is None:
                raise Failure("still being deleted")


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
        self._lookers, self._due, self._looking, self._late = defaultdict(list), {}, set(), set()
        self._behind = defaultdict(list)
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
        with self.clock.pool(self.width) as pool:
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
        if isinstance(request, Call):
            self._push([step], None, request.function)
            return
        due, waiter = self.clock.now() + request.seconds, step
        if isinstance(request, Look):
            waiter = request.cls
            self._lookers[waiter].append(step)
            if self._due.setdefault(waiter, due) < due:
                return
            self._due[waiter] = due
        heapq.heappush(self._timers, (due, next(self._count), waiter))

    def _wake(self, due: float, waiter) -> None:
        """What a timer was set for: a step goes on, or those who wait for a listing get one."""
        if isinstance(waiter, str):
            self._advance(waiter)
        elif self._due.get(waiter) == due:
            self._look(waiter)

    def _look(self, cls) -> None:
        """Lists for all who wait for it; nobody is served by a listing begun before he asked."""
        if cls in self._looking:
            self._late.add(cls)
            return
        self._looking.add(cls)
        del self._due[cls]
        self._push(self._lookers.pop(cls), cls, lambda: self.scan.again().of(cls))

    def _push(self, waiters: list[str], cls, function) -> None:
        way = max(self._ways[step] for step in waiters)
        heapq.heappush(self._calls, (-way, next(self._count), waiters, cls, function))

    def _submit(self, pool) -> None:
        while self._calls and self._busy < self.width:
            *_order, waiters, cls, function = heapq.heappop(self._calls)
            if self.stop.is_set():
                self._deliver(waiters, cls, None, None)
                continue
            self._busy += 1
            pool.submit(self._work, waiters, cls, function)

    def _work(self, waiters: list[str], cls, function) -> None:
        """In a worker thread: one call, its result sent home."""
        value = error = None
        try:
            value = function()
        except BaseException as raised:  # pylint: disable=broad-except  # told at home
            error = raised
        self._inbox.put((waiters, cls, value, error))

    def _receive(self) -> None:
        """One message or the next due timer."""
        due = self._timers[0][0] - self.clock.now() if self._timers else 1.0
        message = self.clock.get(self._inbox, min(due, 1.0) if not self.stop.is_set() else 0.05)
        if message:
            self._busy -= 1
            self._deliver(*message)
        while self._timers and (self.stop.is_set() or self._timers[0][0] <= self.clock.now()):
            due, _count, waiter = heapq.heappop(self._timers)
            self._wake(due, waiter)

    def _deliver(self, waiters: list[str], cls, value, error) -> None:
        if error and not isinstance(error, Exception):
            raise error  # the end of the process, not of a step
        if error and not isinstance(error, Failure):
            error = Failure(f"{type(error).__name__}: {error}")
        self._looking.discard(cls)
        for waiter in waiters:
            self._advance(waiter, value, error)
        if cls in self._late:
            self._late.discard(cls)
            self._look(cls)
