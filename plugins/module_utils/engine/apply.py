# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carrying out a plan: each step is a generator that yields what it waits for.

`yield f` returns what f() returned (in a worker thread); `yield Wait(s)` returns after s seconds;
`yield Wait(s, cls)` returns a listing begun after at most s seconds, shared by all steps that wait
for one of this type.
"""
from __future__ import annotations

import graphlib
import heapq
import itertools
import math
import queue
import re
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from .errors import Ambiguous, Busy, Exists, Failure, NotFound, Throttled, Unreachable
from .plan import Change, Plan
from .resource import KEY, OWNER, REPLACED, diff, needs, resolved, search, said, unknown_keys
from .scan import Scan
from .wait import PATIENCE, Clock, pauses

EFFECT = 30.0  # seconds in which a write shows its effect, before it counts as without one
HEALS = (Throttled, Unreachable, Ambiguous, Busy)  # failures that time heals


class Wait(NamedTuple):
    """What a step yields to wait for time, or for a listing of a type."""

    seconds: float
    cls: type | None = None


class Outcome(NamedTuple):
    """What became of a step: done, failed or skipped, and why."""

    state: str
    why: str = ""
    seconds: float = 0


class Steps:
    """The generators: what it takes to make, change or remove one resource."""

    def __init__(self, plan: Plan, api, clock: Clock):
        self.plan, self.api, self.clock = plan, api, clock
        self.lives = dict(plan.lives)
        self.made = set()  # keys of what this run created

    def make(self, change: Change):
        """Creates if need be; changes until nothing differs."""
        resource, live, fresh = self.plan.wanted[change.key], change.live, change.action != "update"
        wanted = self._known(resource)
        if fresh:
            beside = change.action == "replace" and not resource.delete_first
            if beside and resource.tags_path:
                yield from self.mark(change)
            live = yield from self.create(wanted, live if beside else None)
            self.made.add(change.key)
        if wanted.state_of(live) != "ready":
            live = yield from self.reach("ready", wanted, live)
        if fresh:
            live = yield from self.complete(wanted, live)
        if resource.seeded or not fresh:
            live = yield from self.converge(wanted, live)
        self.lives[change.key] = live

    def _known(self, resource):
        """The resource with all its values; what is still unknown is an error."""
        wanted = resolved(resource, self.lives)
        missing = sorted(set(unknown_keys(vars(wanted))))
        if missing:
            raise Failure(f"{', '.join(missing)} did not give the value it needs")
        return wanted

    def mark(self, change: Change):
        """Tags what is to be replaced, so that a later run can tell it from its heir."""
        marked = replace(change.resource, tags={REPLACED: "true"})
        with suppress(NotFound):  # something that cannot stand beside its heir took it along
            yield from self.attempt(partial(marked.updaters["tags"], marked, self.api, change.live))

    def create(self, wanted, old):
        """Creates, looking before every repetition: a lost answer must not make a second one."""
        usual, heir = wanted.seconds.get("create", 1), partial(self.heir, wanted, old)
        create = partial(self.attempt, partial(wanted.create, self.api), usual, wanted.key, heir)
        try:
            return (yield from create()) or {}
        except Exists:  # by a lost answer; or the one of that name is leaving, or has gone since
            leaving = (yield from self.attempt(Wait(0, type(wanted)))).leaving.find(wanted)
            for live in leaving:
                yield from self.reach("gone", wanted, live)
            return not leaving and (yield from heir()) or (yield from create()) or {}

    def heir(self, wanted, old):
        """What a creation has made: not what is replaced, or was before, nor somebody else's."""
        was = search(wanted.ref, old)
        for pause in itertools.chain([0], pauses(self.clock, 1, EFFECT)):
            for live in (yield from self.attempt(Wait(pause, type(wanted)))).find(wanted):
                tags, same = wanted.tags_of(live), was and search(wanted.ref, live) == was
                if not same and not wanted.marked(live) and all(
                        tags.get(name) == wanted.tags.get(name) for name in (OWNER, KEY)):
                    return live
        return None

    def complete(self, wanted, live):
        """Sets what creation does not accept."""
        later = [n for n, a in wanted.attrs.items() if a.later and getattr(wanted, n) is not None]
        for method in dict.fromkeys(wanted.updaters[name] for name in later):
            yield from self.attempt(partial(method, wanted, self.api, live), key=wanted.key)
            if wanted.ready:
                live = yield from self.reach("ready", wanted, live)
        return live

    def converge(self, wanted, live):
        """One group of fields after another until nothing differs."""
        groups = iter(wanted.attrs)  # there are no more of them than fields
        while changed := diff(wanted, live):  # the tags may hold one more: it is not replaced
            tags = changed.get("tags", ({}, wanted.tags))[1]
            (name, (have, want)), *_others = changed.items()
            if name not in wanted.updaters:  # known only now: what it refers to was made again
                raise Failure(f"{name} {said(have)} is not {said(want)}: the next plan replaces it")
            update = partial(wanted.updaters[name], replace(wanted, tags=tags))
            look = partial(self.reach, "ready", wanted, live, changed)
            yield from self.attempt(partial(update, self.api, live), 1, wanted.key, look)
            live = next(groups, None) and (yield from look())
            if not live:
                raise Failure(f"{', '.join(changed)} did not take the wanted value")
        return live

    def remove(self, change: Change):
        """Deletes and waits until the object is gone."""
        resource, live = change.resource, change.live
        if change.reason != "leaving":
            with suppress(NotFound):  # gone, or an earlier call without an answer has begun it
                yield from self.attempt(partial(resource.delete, self.api, live),
                                        resource.seconds.get("delete", 1))
        if resource.leaving:
            yield from self.reach("gone", resource, live)

    def reach(self, goal: str, wanted, live, differed=None):
        """Waits until a listing shows the object ready (returns it as it is now), or gone.

        `differed`: what a change was to end; returns False when it still differs so.
        """
        soon, usual = self.clock.now() + EFFECT, "create" if goal == "ready" else "delete"
        patience = pauses(self.clock, wanted.seconds.get(usual, 1), wanted.seconds.get("longest"))
        for pause in itertools.chain([0], patience):
            listing = yield from self.attempt(Wait(pause, type(wanted)))
            now = listing.same(live) if live else next(iter(listing.find(wanted)), None)
            state = wanted.state_of(now)
            if state == "failed" and goal == "ready":
                break
            same = state == goal and differed and diff(wanted, now) == differed
            if state == goal and (not same or self.clock.now() >= soon):
                return not same and (now or True)
        end = state if (state, goal) == ("failed", "ready") else f"not {goal} in time"
        why = yield from self.attempt(partial(wanted.complaint, self.api, now))
        raise Failure(": ".join(filter(None, (end, why))))

    def attempt(self, request, usual: float = 1, key: str = "", look=None):
        """A request, repeated while its failure is one that time heals.

        `key`: of what it makes or changes, with the patience of its type, and with patience for
        NotFound where this run has made what may not be found. `look` finds a lost effect.
        """
        resource = self.plan.wanted.get(key)  # which tells what it needs
        young = resource and self.made & {key, *(n.key for n in needs(resource))}
        heals, patterns = (*HEALS, NotFound) if young else HEALS, getattr(resource, "patience", ())
        long, short = pauses(self.clock, usual), pauses(self.clock, 1, PATIENCE)
        while True:
            try:
                return (yield request)
            except Failure as failure:
                found = look and isinstance(failure, Ambiguous) and (yield from look())
                if found:
                    return found
                patience = long if isinstance(failure, (Ambiguous, Busy)) else short
                healing = isinstance(failure, heals) or any(
                    re.search(p, str(failure)) for p in patterns)
                pause = next(patience, None) if healing else None
                if pause is None:
                    raise
            yield Wait(pause)


class Run:
    """Drives the generators of a plan: all that can run does, longest way first."""

    def __init__(self, plan: Plan, scan: Scan, clock: Clock, width: int = 16):
        self.plan, self.scan, self.clock, self.width = plan, scan, clock, width
        self.steps, self.stop = Steps(plan, scan.api, clock), threading.Event()
        self.told = lambda step, outcome: None  # called when a step starts (None) and ends
        self.outcomes = {}
        self._changes = {c.step: c for c in plan.steps}
        self._ways = plan.ways
        self._order = graphlib.TopologicalSorter(plan.after)
        self._running = {}  # step -> (generator, when it started)
        self._waits, self._listed = {}, set()  # step or type -> [due, steps]; types being listed
        self._calls, self._busy, self._inbox = [], 0, queue.Queue()

    def go(self) -> dict[str, Outcome]:
        """Carries out the plan; returns what became of each step."""
        self._order.prepare()
        with self.clock.pool(self.width) as pool:
            while self._start():
                self._submit(pool)
                self._receive()
        return self.outcomes

    def _start(self) -> bool:
        """Starts, or skips, the steps whose turn it is; whether any step is running."""
        while ready := self._order.get_ready():
            for step in ready:
                bad = [b for b in self.plan.after[step] if self.outcomes[b].state != "done"]
                if bad or self.stop.is_set():
                    self._end(step, "skipped", f"because of {min(bad)}" if bad else
                              "the run was stopped before it")
                else:
                    change = self._changes[step]
                    do = self.steps.remove if change.action == "delete" else self.steps.make
                    self._running[step] = (do(change), self.clock.now())
                    self.told(step, None)
                    self._advance(step)
        return bool(self._running)

    def _end(self, step: str, state: str, why: str = "") -> None:
        """Notes the end of a step; those that waited for it may start."""
        now = self.clock.now()
        outcome = self.outcomes[step] = Outcome(
            state, why, now - self._running.pop(step, (None, now))[1])
        self.told(step, outcome)
        self._order.done(step)

    def _advance(self, step: str, value=None, error=None) -> None:
        """Hands a step what it waited for; notes what it waits for next."""
        if self.stop.is_set() and not error:
            error = Failure("stopped; what was begun goes on by itself, the next run finds it")
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
                wait = self._waits.setdefault(request.cls or step, [math.inf, []])
                wait[0] = min(wait[0], self.clock.now() + request.seconds)
                wait[1].append(step)
            else:
                heapq.heappush(self._calls, (-self._ways[step], [step], request, None))

    def _submit(self, pool) -> None:
        while self._calls and self._busy < self.width:
            self._busy += 1
            _way, steps, function, cls = heapq.heappop(self._calls)
            call = pool.submit((lambda: None) if self.stop.is_set() else function)
            call.add_done_callback(
                lambda call, asked=(steps, cls): self._inbox.put((*asked, call)))

    def _receive(self) -> None:
        """One answer, or what is due; while a type is listed, those who ask wait for the next."""
        free = {w: due for w, (due, _steps) in self._waits.items() if w not in self._listed}
        next_due = min(free.values(), default=math.inf)
        message = self.clock.get(self._inbox, min(1.0, next_due - self.clock.now()))
        if message:
            steps, cls, call = message
            self._busy -= 1
            self._listed.discard(cls)
            error = call.exception()
            if error and not isinstance(error, Exception):
                raise error  # the end of the process, not of a step
            for step in steps:
                self._advance(step, None if error else call.result(), error)
        now = math.inf if self.stop.is_set() else self.clock.now()
        for waiter in [w for w in free if self._waits[w][0] <= now]:
            steps = self._waits.pop(waiter)[1]
            if isinstance(waiter, str):
                self._advance(waiter)
            else:
                self._listed.add(waiter)
                way, listing = max(self._ways[s] for s in steps), self.scan.again().of
                heapq.heappush(self._calls, (-way, steps, partial(listing, waiter), waiter))
