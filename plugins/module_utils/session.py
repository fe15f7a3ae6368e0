# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run of a module: plan, and unless in check mode the lease, the plan again, and its steps."""
from __future__ import annotations

import contextlib
import json
import os
import signal
import threading

from .clients.lease import Lease
from .engine.apply import Run
from .engine.errors import Failure, Refused
from .engine.plan import Plan, Policy
from .engine.resource import search
from .engine.scan import Scan
from .engine.wait import Clock
from . import report

OPTIONS = dict(  # of every module that changes something
    state=dict(type="str", default="present", choices=["present", "absent"]),
    adopt=dict(type="list", elements="str", default=[]),
    allow_replace=dict(type="list", elements="str", default=[]),
    allow_data_loss=dict(type="list", elements="str", default=[]),
    lease_takeover=dict(type="bool", default=False),
    plan_file=dict(type="path"),
)
PROGRESS = "GROUNDWORK_PROGRESS"  # a file that the action plugin reads while the module runs


def carry_out(module, make) -> None:
    """Ends the module with the result of the session that `make()` returns, or with its failure."""
    try:
        writable("plan_file", module.params["plan_file"])
        result = make().converge()
    except Refused as refused:
        module.fail_json(msg="\n".join(refused.problems), problems=refused.problems)
    except Failure as failure:
        module.fail_json(msg=str(failure), problems=[str(failure)])
    if result.pop("failed_steps"):
        module.fail_json(**result)
    module.exit_json(**result)


def writable(option: str, path: str | None) -> None:
    """Raises `Refused` where the file that an option names cannot be written."""
    if path:
        folder = os.path.dirname(os.path.abspath(path))
        there = os.path.exists(path)
        if there and not os.path.isfile(path) or not os.access(path if there else folder, os.W_OK):
            raise Refused([f"{option}: {path} cannot be written"])


@contextlib.contextmanager
def told_to_stop(event: threading.Event):
    """Control-C and SIGTERM set the event, for as long as the block runs."""
    before = {number: signal.signal(number, lambda *_args: event.set())
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Session:
    """What all runs have in common; a subclass says what is wanted, read, and locked."""

    name = ""  # of the stack, as results tell it
    owner = ""  # whose objects are looked through

    def __init__(self, module, clock: Clock):
        self.module, self.params, self.clock = module, module.params, clock
        self.api, self.resources = None, []
        self.lost = ""  # why the lease was lost on the way

    def plan(self) -> Plan:
        """The plan by what is there now."""
        raise NotImplementedError

    def checked(self, current: Plan) -> None:
        """Raises `Refused` when facts speak against the plan."""

    def lease(self) -> Lease:
        """The lock that keeps other runs away."""
        raise NotImplementedError

    def ended(self, current: Plan, outcomes: dict) -> None:
        """What is written down after the steps, under the lease."""

    def scan(self) -> Scan:
        """A reading of what is there."""
        return Scan(self.api, self.owner, self.resources)

    def policy(self, components: tuple = ()) -> Policy:
        """What the user allows; `components`: those that alone are looked at.

        A plan of these goes on without what others are still to make.
        """
        allowed = {name: tuple(self.params[name])
                   for name in ("adopt", "allow_replace", "allow_data_loss")}
        return Policy(prune=self.params["prune"], components=components, **allowed,
                      later=bool(components) and self.module.check_mode)

    def converge(self) -> dict:
        """The result of the module."""
        current = self.plan()
        self.checked(current)
        self._write_plan(current)
        outcomes = {}
        if current.steps and not self.module.check_mode:
            self.api.read_only = False
            lease = self.lease()
            with told_to_stop(lease.stop):
                lease.take()
                try:
                    current = self._again(current)
                    outcomes = self._apply(current, lease)
                finally:
                    lease.release()
            self.lost = lease.lost
        return self.result(current, outcomes)

    def _again(self, before: Plan) -> Plan:
        """The plan, now that nobody else changes anything; it is the one that is carried out."""
        current = self.plan()
        if self.facts(current) != {**self.facts(before), "calls": self.api.counts}:
            self.checked(current)
            self._write_plan(current)
        return current

    def _apply(self, current: Plan, lease: Lease) -> dict:
        run = Run(current, self.scan(), self.clock)
        run.stop = lease.stop
        run.told = told = Progress(run, self.facts(current))
        outcomes = run.go()
        current.lives = run.steps.lives
        if run.stop.is_set():
            told.stopped(outcomes)
        if not lease.lost:
            self.ended(current, outcomes)
        return outcomes

    def _write_plan(self, current: Plan) -> None:
        if self.params["plan_file"]:
            try:
                with open(self.params["plan_file"], "w", encoding="utf-8") as file:
                    json.dump(self.facts(current), file, indent=2)
            except OSError as error:  # a full disk
                raise Refused([f"plan_file: {error}"]) from None

    def facts(self, current: Plan) -> dict:
        """What is known of a plan before it is carried out."""
        return dict(stack=self.name, plan=report.changes(current), summary=report.summary(current),
                    left_over=[c.key for c in current.left_over], calls=self.api.counts,
                    expected_seconds=round(max(current.ways.values(), default=0)))

    def result(self, current: Plan, outcomes: dict) -> dict:
        """What the module returns."""
        changes = [c for c in current.changes if c.action != "keep"]
        failed = {s: o for s, o in outcomes.items() if o.state != "done"}
        result = dict(
            self.facts(current), changed=bool(current.steps), outputs=report.outputs(current),
            failed_steps=bool(failed or self.lost),
            outcomes={s: {"state": o.state, "why": o.why, "seconds": round(o.seconds, 1)}
                      for s, o in outcomes.items()})
        if self.module._diff:
            result["diff"] = [report.difference(c) for c in changes]
        if result["failed_steps"]:
            result["problems"] = [*filter(None, [self.lost]), *report.failures(current, failed)]
            result["msg"] = "\n".join(result["problems"])
        return result


class Progress:
    """Tells the action plugin, through a file, the plan, what starts and ends, and what is left."""

    def __init__(self, run: Run, result: dict):
        self.path, self.clock, self.stop = os.environ.get(PROGRESS), run.clock, run.stop
        self.changes = {c.step: c for c in run.plan.steps}
        self.ways = run.plan.ways
        self.open, self.begun = set(self.changes), {}
        self._write(result)

    def __call__(self, step: str, outcome) -> None:
        change, now = self.changes[step], self.clock.now()
        if outcome:
            self.open.discard(step)
        else:
            self.begun[step] = now
        if self.stop.is_set() and (not outcome or outcome.state != "done"):
            return  # `stopped` names them all
        why = search(change.resource.reason, change.live) if change.action == "delete" else ""
        left = max((self.ways[s] - (now - self.begun.get(s, now)) for s in self.open), default=0)
        self._write(dict(key=change.key, action=change.action, expected_seconds=change.seconds,
                         state=outcome.state if outcome else "started", left=left,
                         waits=why if isinstance(why, str) else "",
                         seconds=outcome.seconds if outcome else 0, steps=len(self.changes),
                         done=len(self.changes) - len(self.open)))

    def stopped(self, outcomes: dict) -> None:
        """Names what is done, what was begun and goes on in AWS, and what was not begun."""
        kinds = {"done": [], "failed": [], "begun": [], "open": []}
        for step, outcome in outcomes.items():
            begun = outcome.state == "failed" and outcome.why.startswith("stopped")
            kind = {"skipped": "open"}.get(outcome.state, outcome.state)
            why = f" ({outcome.why})" if kind == "failed" and not begun else ""
            kinds["begun" if begun else kind].append(self.changes[step].key + why)
        self._write({"stopped": kinds})

    def _write(self, event: dict) -> None:
        if self.path:
            with contextlib.suppress(OSError):  # a full disk is no reason to end
                with open(self.path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(event) + "\n")
