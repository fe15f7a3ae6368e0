# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carrying out a plan: each step is a generator that yields what it waits for.

`yield f` returns what f() returned (in a worker thread); `yield Wait(s)` returns after s seconds;
`yield Wait(s, cls)` returns a listing begun after at most s seconds, shared by all steps that wait
for one of this type.
"""
from __future__ import annotations

import heapq
import itertools
import math
import queue
import re
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from .errors import Ambiguous, Busy, Exists, Failure, NotFound, Throttled, Unreachable
from .graph import remaining
from .plan import Change, Plan
from .resource import REPLACED, diff, needs, resolved, search, unknown_keys
from .scan import Scan
from .wait import PATIENCE, Clock, Patience

LOOKS = 5  # looks for the effect of a write (30 seconds), before it counts as not there


class Wait(NamedTuple):
    """What a step yields to wait for time, or for a listing of a type."""

    seconds: float
    cls: type | None = None


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
        return self.remove(change) if change.action == "delete" else self.make(change)

    def make(self, change: Change):
        """Creates or changes until nothing differs."""
        resource, live = self.plan.wanted[change.key], change.live
        if change.action != "update":
            wanted = self._known(resource)
            if change.action == "replace" and not resource.delete_first:
                yield from self.mark(change)
            live = yield from self.create(wanted, live)
            self.made.add(change.key)
            live = yield from self.settle(wanted, live)
            live = yield from self.complete(wanted, live)
        if change.action == "update" or resource.seeded:
            live = yield from self.converge(resource, live)
        self.lives[change.key] = live

    def mark(self, change: Change):
        """Tags what is to be replaced, so that a later run can tell it from its heir."""
        marked = replace(change.resource, tags={REPLACED: "true"})
        if marked.tags_path:
            with suppress(NotFound):  # something that cannot stand beside its heir took it along
                yield from self.update(marked, "tags", change.live, Busy, Ambiguous)

    def _known(self, resource):
        """The resource with all its values; what is still unknown is an error."""
        wanted = resolved(resource, self.lives)
        missing = set(unknown_keys([getattr(wanted, name) for name in wanted.attrs]))
        if missing:
            raise Failure(f"{', '.join(sorted(missing))} did not give the value it needs")
        return wanted

    def _young(self, resource) -> tuple:
        """NotFound is patience only where this run has made what may not be found."""
        young = any(n.key in self.made for n in needs(self.plan.wanted[resource.key]))
        return (NotFound,) if young else ()

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
            yield Wait(pause)

    def listing(self, resource, seconds: float = 0):
        """What is there of the type of a resource, read within so many seconds."""
        return (yield from self.attempt(Wait(seconds, type(resource)), forgiving=(Ambiguous,)))

    def update(self, wanted, name: str, live, *forgiving):
        """One call for the group of fields that one of them is in; returns their names."""
        methods = [m for m in wanted.updaters if name in m.updates]
        if not methods:
            raise Failure(f"{type(wanted).__name__} cannot change {name}")
        yield from self.attempt(partial(methods[0], wanted, self.api, live),
                                max(PATIENCE, wanted.seconds.get("create", 1)),
                                self.plan.wanted[wanted.key].patience, forgiving)
        return methods[0].updates

    def create(self, wanted, old):
        """Creates, looking before every repetition: a lost answer must not make a second one."""
        forgiving, refused = self._young(wanted), 0
        patterns = self.plan.wanted[wanted.key].patience  # asks what it needs, not plain values
        patience = Patience(self.clock, wanted.seconds.get("create", 1))
        while True:
            try:
                return (yield from self.attempt(partial(wanted.create, self.api),
                                                patterns=patterns, forgiving=forgiving)) or {}
            except (Ambiguous, Exists, Busy) as failure:
                pause, turns = patience.pause(), 1 if isinstance(failure, Busy) else LOOKS
                if isinstance(failure, Exists):
                    leaving = (yield from self.listing(wanted)).leaving.find(wanted)
                    turns, refused = (0, refused) if leaving else (turns, refused + 1)
                live = yield from self.look(wanted, old, turns)
                if live is not None:
                    return live
                if pause is None or refused > 1:  # once, it may have gone while we looked
                    raise
            yield Wait(pause)

    def look(self, wanted, old, turns: int):
        """The live object of a creation without an answer, or None when it is not there."""
        for turn in range(turns):
            yield Wait(turn and 2.0 ** turn)
            for live in (yield from self.listing(wanted)).find(wanted):
                same = old and wanted.ref and search(wanted.ref, live) == search(wanted.ref, old)
                if not same and not wanted.marked(live):  # neither what is replaced, nor was before
                    tags = wanted.tags_of(live)
                    mine = not wanted.tags_path or all(
                        tags.get(k) == v for k, v in wanted.tags.items() if "groundwork:" in k)
                    return live if mine else None
        return None

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
            fresh, listing = False, (yield from self.listing(wanted, pause))
            now = listing.same(live) if live else next(iter(listing.find(wanted)), None)
        return now

    def complete(self, wanted, live):
        """Sets what creation does not accept."""
        later = [n for n, a in wanted.attrs.items() if a.later and getattr(wanted, n) is not None]
        while later:
            done = yield from self.update(wanted, later[0], live, NotFound, Busy, Ambiguous)
            later = [n for n in later if n not in done]
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
                yield Wait(2.0 ** (looks % LOOKS))
            elif looks and (not lost or looks > 2 * LOOKS):
                raise lost or Failure(f"{', '.join(changed)} did not take the wanted value")
            else:  # the tags may hold one more: that it is not replaced after all
                tags, before, lost = changed.get("tags", ({}, wanted.tags))[1], changed, None
                try:
                    yield from self.update(replace(wanted, tags=tags), [*changed][0], live,
                                           Busy, *self._young(wanted))
                except Ambiguous as failure:
                    lost = failure
            live = yield from self.settle(wanted, live, fresh=True)
        return live

    def remove(self, change: Change):
        """Deletes and waits until the object is gone."""
        resource, live, pause = change.resource, change.live, 0
        usual = resource.seconds.get("delete", 1)
        if change.reason != "leaving":
            with suppress(NotFound):  # gone, or an earlier call without an answer has begun it
                yield from self.attempt(partial(resource.delete, self.api, live),
                                        max(600.0, 4 * usual), (), (Busy, Ambiguous))
        patience = Patience(self.clock, usual)
        while resource.leaving and (yield from self.listing(resource, pause)).same(live):
            pause = patience.pause()
            if pause is None:
                raise Failure("still being deleted")


class Run:
    """Drives the generators of a plan: all that can run does, longest way first."""

    def __init__(self, plan: Plan, scan: Scan, clock: Clock, width: int = 16):
        self.plan, self.scan, self.clock, self.width = plan, scan, clock, width
        self.steps, self.stop = Steps(plan, scan.api, clock), threading.Event()
        self.told = lambda step, outcome: None  # called when a step starts (None) and ends
        self.outcomes = {}
        self._changes = {c.step: c for c in plan.steps}
        self._ways = remaining(plan.after, {s: c.seconds for s, c in self._changes.items()})
        self._behind = defaultdict(list)
        for step in self._changes:
            for before in plan.after[step]:
                self._behind[before].append(step)
        self._running = {}  # step -> (generator, when it started)
        self._inbox, self._calls, self._count, self._busy = queue.Queue(), [], itertools.count(), 0
        self._waits, self._listed = {}, set()  # step or type -> [due, steps]; types being listed

    def go(self) -> dict[str, Outcome]:
        """Carries out the plan; returns what became of each step."""
        for step in sorted(self._changes, key=lambda s: -self._ways[s]):
            if not self.plan.after[step]:
                self._wait(step, step)
        with self.clock.pool(self.width) as pool:
            while len(self.outcomes) < len(self._changes):
                self._submit(pool)
                self._receive()
        return self.outcomes

    def _wait(self, step: str, waiter, seconds: float = 0) -> None:
        """Notes that a step waits: for time (to start, or to go on), or for a listing of a type."""
        entry = self._waits.setdefault(waiter, [math.inf, []])
        entry[0] = min(entry[0], self.clock.now() + seconds)
        entry[1].append(step)

    def _end(self, step: str, state: str, why: str = "") -> None:
        """Notes the end of a step; those that waited for it may start, or are skipped."""
        now = self.clock.now()
        outcome = Outcome(state, why, now - self._running.pop(step, (None, now))[1])
        self.outcomes[step] = outcome
        self.told(step, outcome)
        for behind in self._behind[step]:
            if behind not in self.outcomes and (
                    state != "done" or all(b in self.outcomes for b in self.plan.after[behind])):
                self._wait(behind, behind)

    def _advance(self, step: str, value=None, error=None) -> None:
        """Starts a step, or hands it what it waited for; notes what it waits for next."""
        if step not in self._running:
            bad = [b for b in self.plan.after[step] & self.outcomes.keys()
                   if self.outcomes[b].state != "done"]
            if bad or self.stop.is_set():
                why = f"because of {min(bad)}" if bad else "the run was stopped before it"
                self._end(step, "skipped", why)
                return
            self._running[step] = (self.steps.of(self._changes[step]), self.clock.now())
            self.told(step, None)
        elif self.stop.is_set() and error is None:
            error = Stopped("stopped; what was begun goes on by itself, the next run finds it")
        generator = self._running[step][0]
        try:
            request = generator.throw(error) if error else generator.send(value)
        except StopIteration:
            self._end(step, "done")
        except Exception as error:  # pylint: disable=broad-except  # one step's, not the run's
            name = "" if isinstance(error, Failure) else f"{type(error).__name__}: "
            self._end(step, "failed", f"{name}{error}")
        else:
            if isinstance(request, Wait):
                self._wait(step, request.cls or step, request.seconds)
            else:
                self._call([step], request)

    def _call(self, steps: list[str], function, cls=None) -> None:
        way = max(self._ways[step] for step in steps)
        heapq.heappush(self._calls, (-way, next(self._count), steps, function, cls))

    def _submit(self, pool) -> None:
        while self._calls and self._busy < self.width:
            self._busy += 1
            *_order, steps, function, cls = heapq.heappop(self._calls)
            if self.stop.is_set():
                self._inbox.put((steps, cls, None, None))
            else:
                pool.submit(self._work, steps, function, cls)

    def _work(self, steps: list[str], function, cls) -> None:
        """In a worker thread: one call, its result sent home."""
        value = error = None
        try:
            value = function()
        except BaseException as raised:  # pylint: disable=broad-except  # told at home
            error = raised
        self._inbox.put((steps, cls, value, error))

    def _receive(self) -> None:
        """One answer, or what is due; while a type is listed, those who ask wait for the next."""
        free = {w: due for w, (due, _steps) in self._waits.items() if w not in self._listed}
        longest = 0.05 if self.stop.is_set() else 1.0
        pause = min([longest, *(due - self.clock.now() for due in free.values())])
        message = self.clock.get(self._inbox, pause)
        if message:
            steps, cls, value, error = message
            self._busy -= 1
            self._listed.discard(cls)
            if error and not isinstance(error, Exception):
                raise error  # the end of the process, not of a step
            for step in steps:
                self._advance(step, value, error)
        now = math.inf if self.stop.is_set() else self.clock.now()
        for waiter in [w for w in free if self._waits[w][0] <= now]:
            steps = self._waits.pop(waiter)[1]
            if isinstance(waiter, str):
                self._advance(waiter)
            else:
                self._listed.add(waiter)
                self._call(steps, partial(self.scan.again().of, waiter), waiter)
