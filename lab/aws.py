"""The lab's AWS: one object that answers requests, in process or behind a server."""

import copy
import math
import threading
import time
import uuid

from moto.core.exceptions import ServiceException, _RESTError as HTTPException

from lab import (
    accounts, attach, faults, inventory, moto_side, postgresql, registry, tokens, validate,
)
from lab.calls import Calls, is_write
from lab.errors import Drop, Killed, Refusal
from lab.kube.fleet import Fleet
from lab.settings import Settings
from lab.store import Store
from lab.timing import DURATIONS, Buckets, Schedule, Visibility
from lab.wire import Answer, parse_answer, read_parameters, serialize, understand

UNSIGNED = (b'<?xml version="1.0"?><ErrorResponse><Error><Code>MissingAuthenticationToken</Code>'
            b"<Message>Request is missing Authentication Token</Message></Error></ErrorResponse>")

LOOK_SECONDS = 0.05  # between two looks at what really takes its time

__all__ = ["Drop", "Killed", "Lab"]


class Lab:
    """moto keeps its objects per process, so there is one Lab at a time: a new one starts empty."""

    moto = moto_side
    current = None  # the one that moto's objects belong to

    def __init__(self, settings=None, clock=time.time, sleep=time.sleep, folder=None):
        registry.load_extensions()
        self.clock, self.sleep = clock, sleep
        self.lock = threading.RLock()
        self.fleet = Fleet(folder)
        self.databases = postgresql.Databases(folder)
        self.settings = self._checked(Settings.of(settings))
        self.calls = Calls()
        self.reset()

    def _checked(self, settings):
        if settings.kubernetes:
            self.fleet.programs()
        if settings.postgresql and postgresql.programs() is None:
            raise postgresql.NotInstalled
        return settings

    # ---- what tests use -------------------------------------------------------------------

    def reset(self):
        """An empty AWS. Settings stay, the calls and the fault plan start again."""
        with self.lock:
            Lab.current = self
            self.close()
            moto_side.reset()
            self.stores = {}
            self.marks = {}
            self.schedule = Schedule()
            self.buckets = Buckets()
            self.visibility = Visibility()
            self.violations, self.missing = [], []
            self.calls.clear()
            self.dead = None
            self.plan = faults.Plan(self.settings.faults, self.settings.seed)

    def snapshot(self):
        """All objects as they are once all is done that is under way; for `restore`."""
        with self.lock:
            self.schedule.run_due(math.inf)
            return self._copied((moto_side.objects(), self.stores, self.marks))

    def restore(self, snapshot):
        """An AWS with the objects of a snapshot of any lab in this process, as often as wanted."""
        with self.lock:
            self.reset()
            objects, self.stores, self.marks = self._copied(snapshot)
            moto_side.restore(*objects)

    def _copied(self, state):
        """A copy that shares the lab itself, and the places where moto has its accounts."""
        shared = (self, *state[0][0])
        return copy.deepcopy(state, {id(kept): kept for kept in shared})

    def attach(self, session):
        """Let every client of a boto3 or botocore session talk to this lab, without sockets."""
        return attach.attach(self, session)

    def set(self, **values):
        """Change settings; a new fault plan starts counting at its first write call."""
        with self.lock:
            self.settings = self._checked(self.settings.changed(values))
            if "faults" in values or "seed" in values:
                self.plan = faults.Plan(self.settings.faults, self.settings.seed)

    def close(self):
        """End what runs beside the lab: its clusters and databases."""
        self.fleet.close()
        self.databases.close()

    def revive(self):
        """After a kill: the next process may call again."""
        self.dead = None

    def inventory(self, account=None, region=None):
        with self.lock:
            self.schedule.run_due(self.clock())
            return inventory.collect(self, account, region)

    # ---- what extensions use --------------------------------------------------------------

    def store(self, account, region):
        return self.stores.setdefault((account, region), Store(account, region))

    def new_request_id(self):
        return str(uuid.uuid4())

    def duration(self, kind):
        seconds = self.settings.durations.get(kind, DURATIONS[kind])
        return seconds * self.settings.time_scale

    def later(self, kind, function, ended=None):
        """Run the function when AWS would be done with `kind`, and ended() is true."""
        def due():
            if ended is None or ended():
                function()
            else:
                self.schedule.at(self.clock() + LOOK_SECONDS, due)
        self.schedule.at(self.clock() + self.duration(kind), due)

    # ---- a request ------------------------------------------------------------------------

    def handle(self, method, url, headers, body):
        """Answer one request. Raises Drop or Killed where the fault plan says so."""
        try:
            call = understand(self, method, url, headers, body)
        except LookupError:
            return Answer(403, {"Content-Type": "text/xml"}, UNSIGNED)
        if self.settings.latency_ms:
            self.sleep(self.settings.latency_ms / 1000)
        with self.lock:
            return self._answer(call)

    def _answer(self, call):
        if self.dead:
            raise Killed(*self.dead)
        if Lab.current is not self:
            raise RuntimeError("another Lab was made in this process, and has emptied this one")
        answer, write, fault = None, is_write(call.name), None
        try:
            try:
                self._admit(call)
                write = write and not call.params.get("DryRun")
                fault = self.plan.choose(call, write) if self.plan else None
                if fault and fault["when"] == "before":
                    faults.strike(call, fault)
                answer = self._execute(call)
                if fault and fault["when"] == "after":
                    faults.strike(call, fault)
            except HTTPException as refused:  # moto's older form
                answer = serialize(call, Refusal(refused.error_type, refused.message,
                                                 refused.code))
            except ServiceException as refused:
                answer = serialize(call, refused)
        except Killed as killed:
            self.dead = killed.args
            raise
        finally:
            self.calls.add(call, write, answer)
        return answer

    def _admit(self, call):
        """Everything AWS looks at before it looks at its own objects."""
        accounts.identify(call)
        if "input_shape" not in call.model.__dict__ and not call.model.name:
            return
        self._parse(call)
        accounts.check_denied(call)
        if self.settings.throttle and not self.buckets.take(call):
            raise faults.throttled(call)

    def _parse(self, call):
        if call.operation not in call.model.service_model.operation_names:
            return
        try:
            read_parameters(call)
        except (ValueError, TypeError) as error:
            self.violations.append(f"{call.name}: {error}")
            raise Refusal("MalformedInput", str(error), 400) from error
        found = validate.violations(call) if self.settings.validate else []
        if found:
            self.violations.append(f"{call.name}: " + "; ".join(map(str, found)))
            raise validate.refusal(call, found)

    def _execute(self, call):
        self.schedule.run_due(self.clock())
        if call.params.get("DryRun") is True and call.service == "ec2":
            raise Refusal("DryRunOperation", "Request would have succeeded, "
                          "but DryRun flag is set.", 412)
        slow = self.settings.visibility_ms
        if slow:
            self.visibility.refuse(call)
        key = (call.service, call.operation)
        for check in registry.GUARDS.get(key, []):
            check(call)
        function = registry.HANDLERS.get(key)
        if function:
            answer = serialize(call, function(call))
        else:
            answer = tokens.once(call, moto_side.run)
        if answer.status >= 300:
            return answer
        for function in registry.AFTERS.get(key, []):
            function(call)
        answer = self._amend(call, key, answer)
        if slow:
            self.visibility.learn(call, answer)
            answer = self.visibility.filter(call, answer)
        return answer

    def _amend(self, call, key, answer):
        functions = registry.AMENDMENTS.get(key)
        if not functions:
            return answer
        result = parse_answer(call, answer)
        for function in functions:
            function(call, result)
        return serialize(call, result)
