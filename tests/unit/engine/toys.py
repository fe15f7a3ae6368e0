"""A toy world: objects, referential rules, slow states, faults; and types for it."""
from __future__ import annotations

import copy
import itertools
import threading

from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import (
    Ambiguous, Busy, Exists, NotFound, ServiceFailure, Throttled,
)
from ansible_collections.groundwork.aws.plugins.module_utils.engine.resource import (
    Fact, Impact, Resource, attr, create_only, updates,
)
from tests.unit.engine.clocks import ThreadedClock, VirtualClock

OWNER, KEY, REPLACED = "groundwork:stack", "groundwork:key", "groundwork:replaced"
STACK = "toy-dev"
__all__ = ["ThreadedClock", "VirtualClock"]  # for those who need both


class Killed(BaseException):
    """The process ends here; everything it had in flight is without effect."""


# What the toy service knows of each kind: fields that hold ids (their objects must exist, and
# cannot go while they are held, but for loose ones), fields that are unique together, how long
# its states last.
SCHEMA = {
    "net": {},
    "disk": {},
    "image": {},
    "role": {"unique": ("Name",)},
    "rule": {"refs": ("Net", "Source"), "unique": ("Net", "Port")},
    "route": {"refs": ("Net",), "loose": ("Target",), "unique": ("Net", "Dest"),
              "dies_with": "Net"},
    "host": {"refs": ("Net", "Disks")},
    "cluster": {"refs": ("Role", "Nets"), "unique": ("Name",), "create": 600, "update": 300,
                "delete": 200},
    "node": {"refs": ("Cluster", "Net"), "create": 120, "update": 60, "delete": 90},
}


class World:
    """The service: objects by id, and what happens to calls.

    `faults`: number of a write call -> lost_before, lost_after, throttled, refused, kill_before,
    kill_after or stop. `read_faults`: number of a read call -> throttled or lost_before.
    """

    def __init__(self, clock, delay: float = 0):
        self.clock, self.delay, self.dead = clock, delay, False
        self.objects, self.faults, self.read_faults = {}, {}, {}
        self.writes, self.reads, self.log = 0, 0, []
        self.on_stop = lambda: None
        self.latency = 0.0  # slept inside a call; for threads
        self._ids, self._lock = itertools.count(1), threading.RLock()

    # What a test does
    def put(self, kind: str, tags: dict | None = None, **values) -> str:
        """An object that was always there."""
        name = f"{kind}-{next(self._ids)}"
        self.objects[name] = {"Id": name, "Kind": kind, "Tags": dict(tags or {}), "Serial": 0,
                              "State": "active", **values}
        return name

    def ours(self, kind: str = "", owner: str = STACK) -> list[dict]:
        """Objects with the stack's tag that are not going or gone."""
        return [o for o in self.all(kind) if o["Tags"].get(OWNER) == owner
                and o["State"] not in ("deleting", "gone")]

    def all(self, kind: str = "") -> list[dict]:
        """Everything there is, as it is now."""
        self._age()
        return [o for o in self.objects.values() if kind in ("", o["Kind"])]

    def calm(self) -> None:
        """A new process, some time later: no faults, everything visible."""
        self.dead, self.faults, self.read_faults = False, {}, {}
        self.writes = self.reads = 0
        self.log.clear()
        if hasattr(self.clock, "_due"):
            self.clock.sleep(self.delay + 1)

    # What a type calls
    def list(self, kind: str) -> list[dict]:
        """All visible objects of a kind."""
        with self._call(), self._lock:
            number, self.reads = self.reads, self.reads + 1
            self.log.append(("list", kind))
            self._faulty(self.read_faults.pop(number, None), "before")
            return [self._shown(o) for o in self.all(kind) if self._visible(o)]

    def create(self, kind: str, tags: dict, values: dict) -> dict:
        """Makes an object; refuses what is not there or there already."""
        def effect():
            self._refer(kind, values)
            self._unique(kind, values)
            name = self.put(kind, tags, **copy.deepcopy(values))
            made = self.objects[name]
            made["_visible"] = self.clock.now() + self.delay
            made["Serial"] = self._next_serial()
            self._begin(made, "create", "creating", "active")
            return self._shown(made)
        return self._write("create", kind, effect)

    def update(self, name: str, **values) -> None:
        """Changes fields; slow kinds show them when they are through."""
        def effect():
            found = self._existing(name, idle=True)
            self._refer(found["Kind"], values)
            if values.get("Version", found.get("Version")) not in (
                    found.get("Version"), (found.get("Version") or 0) + 1):
                raise ServiceFailure("InvalidVersion", "one version up at a time", "update")
            self._stale(found)
            if self._begin(found, "update", "updating", "active"):
                found["_then"] = copy.deepcopy(values)
            else:
                found.update(copy.deepcopy(values))
        self._write("update", name, effect)

    def tag(self, name: str, tags: dict) -> None:
        """Adds or overwrites tags."""
        def effect():
            found = self._existing(name)
            self._stale(found)
            found["Tags"] = {**found["Tags"], **tags}
        self._write("tag", name, effect)

    def delete(self, name: str) -> None:
        """Removes an object that nobody holds."""
        def effect():
            found = self._existing(name, idle=True)
            held = [o for o in self.all() if o["State"] != "gone" and o is not found
                    and name in self._held(o["Kind"], o)]
            dying = [o for o in held if o.get("Auto")
                     or o.get(SCHEMA[o["Kind"]].get("dies_with")) == name]
            for holder in held:
                if holder not in dying:
                    raise Busy("DependencyViolation", f"{holder['Id']} holds {name}", "delete")
            for other in dying:
                del self.objects[other["Id"]]
            if not self._begin(found, "delete", "deleting", "gone"):
                del self.objects[name]
        self._write("delete", name, effect)

    # How the service does it
    def _call(self):
        world = self

        class Call:
            """One request: takes its time, and never answers a dead process."""

            def __enter__(self):
                if world.latency:
                    world.clock.sleep(world.latency)
                if world.dead:
                    raise Killed

            def __exit__(self, *_error):
                pass

        return Call()

    def _write(self, operation: str, what: str, effect):
        with self._call(), self._lock:
            number, self.writes = self.writes, self.writes + 1
            fault = self.faults.pop(number, None)
            self._faulty(fault, "before")
            result = effect()
            self.log.append((operation, what))
            self._faulty(fault, "after")
            return result

    def _faulty(self, fault: str | None, when: str) -> None:
        if fault == f"kill_{when}":
            self.dead = True
            raise Killed
        if fault == f"lost_{when}":
            raise Ambiguous("NoAnswer", "the connection broke", "toy")
        if fault == "throttled" and when == "before":
            raise Throttled("RequestLimitExceeded", "slow down", "toy")
        if fault == "refused" and when == "before":
            raise ServiceFailure("ValidationError", "not like this", "toy")
        if fault == "stop" and when == "after":
            self.on_stop()

    def _age(self) -> None:
        now = self.clock.now()
        for found in list(self.objects.values()):
            if found.get("_until") is not None and now >= found["_until"]:
                found["_until"] = None
                found["State"] = found.pop("_next")
                found.update(found.pop("_then", {}))
                if found["State"] == "active" and found["Kind"] == "cluster":
                    found["Endpoint"] = f"https://{found['Id']}"

    def _begin(self, found: dict, phase: str, state: str, then: str) -> bool:
        """Starts a slow change of state, if the kind is slow at it."""
        seconds = SCHEMA[found["Kind"]].get(phase)
        if seconds:
            found.update(State=state, _until=self.clock.now() + seconds, _next=then)
            if phase == "create" and found.get("Doomed"):
                found["_next"] = "failed"
        return bool(seconds)

    def _held(self, kind: str, values: dict):
        for name in SCHEMA[kind].get("refs", ()):
            value = values.get(name)
            yield from value if isinstance(value, list) else [value] if value else []

    def _refer(self, kind: str, values: dict) -> None:
        loose = (values.get(name) for name in SCHEMA[kind].get("loose", ()))
        for name in [*self._held(kind, values), *(n for n in loose if n)]:
            self._existing(name)

    def _existing(self, name: str, idle: bool = False) -> dict:
        self._age()
        found = self.objects.get(name)
        if found is None or found["State"] in ("gone", "deleting") or not self._visible(found):
            raise NotFound("NotFound", f"{name} does not exist", "toy")
        if idle and found["State"] in ("creating", "updating"):
            raise Busy("InvalidState", f"{name} is {found['State']}", "toy")
        return found

    def _unique(self, kind: str, values: dict) -> None:
        names = SCHEMA[kind].get("unique", ())
        for other in self.all(kind) if names else ():
            if other["State"] != "gone" and all(other.get(n) == values.get(n) for n in names):
                raise Exists("AlreadyExists", f"{other['Id']} has this name", "create")

    def _visible(self, found: dict) -> bool:
        return self.clock.now() >= found.get("_visible", 0)

    def _stale(self, found: dict) -> None:
        if self.delay:
            found["_old"] = (self.clock.now() + self.delay, self._plain(found))

    def _shown(self, found: dict) -> dict:
        until, old = found.get("_old", (0, None))
        return copy.deepcopy(old if self.clock.now() < until else self._plain(found))

    @staticmethod
    def _plain(found: dict) -> dict:
        return {k: v for k, v in found.items() if not k.startswith("_")}

    def _next_serial(self) -> int:
        return max((o["Serial"] for o in self.objects.values()), default=0) + 1


class Toy(Resource):
    """Declarations in, calls out."""

    kind = ""
    ref, tags_path = "Id", "Tags"

    @classmethod
    def fetch(cls, scan):
        return scan.api.list(cls.kind)

    def create(self, api):
        params = {name: meta.param or meta.path for name, meta in self.attrs.items()
                  if not meta.later and getattr(self, name) is not None}
        values = {param: getattr(self, name) for name, param in params.items() if param}
        return api.create(self.kind, self.tags if self.tags_path else {}, values)

    def delete(self, api, live):
        api.delete(live["Id"])

    def _set(self, api, live, *names):
        values = {self.attrs[n].path: getattr(self, n) for n in names}
        api.update(live["Id"], **{p: v for p, v in values.items() if v is not None})

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        api.tag(live["Id"], self.tags)


class Net(Toy):
    """Known by its key tag."""

    cidr: int = create_only("Cidr")
    dns: bool = attr("Dns", later=True)

    kind = "net"
    outputs = {"id": "Id"}

    @updates("dns")
    def set_dns(self, api, live):
        """Later field."""
        self._set(api, live, "dns")


class Disk(Toy):
    """Holds data."""

    size: int = attr("Size", impact=Impact.ROLLING, seconds=30)
    format: int = create_only("Format")
    keep: bool = attr("Keep")

    kind, stateful = "disk", True

    @property
    def protected(self):
        return self.keep is not False

    @updates("size", "keep")
    def grow(self, api, live):
        """One group."""
        self._set(api, live, "size", "keep")


class Image(Fact):
    """Nobody makes it."""

    name: str = attr("Name")

    identity, ref = ("name",), "Id"

    @classmethod
    def fetch(cls, scan):
        return scan.api.list("image")


class Cluster(Toy):
    """Slow, with a unique name; goes up one version at a time."""

    name: str = create_only("Name")
    role: "Role" = create_only("Role")
    nets: list[Net] = create_only("Nets")
    version: int = attr("Version", impact=Impact.ROLLING, seconds=300)
    logs: list = attr("Logs", seconds=300)
    desired: int = attr(param="Desired")

    kind, identity, delete_first = "cluster", ("name",), True
    ready, failed, leaving, gone = ("State=='active'", "State=='failed'", "State=='deleting'",
                                    "State=='gone'")
    reason = "Why"
    seconds = {"create": 600, "delete": 200}

    @updates("version")
    def step(self, api, live):
        """One up."""
        api.update(live["Id"], Version=min(self.version, live["Version"] + 1))

    @updates("logs")
    def set_logs(self, api, live):
        """Another group."""
        self._set(api, live, "logs")


class Role(Toy):
    """Known by its unique name; its trust may hold what only a cluster can tell."""

    name: str = create_only("Name")
    path: int = create_only("Path")
    trust: dict = attr("Trust")

    kind, identity, delete_first = "role", ("name",), True
    seconds = {"create": 10}

    @updates("trust")
    def set_trust(self, api, live):
        """One group."""
        self._set(api, live, "trust")


class Member(Toy):
    """Has no tags."""

    tags_path = ""


class Rule(Member):
    """A member that must be taken out."""

    net: Net = create_only("Net")
    port: int = create_only("Port")
    note: int = attr("Note")

    kind, identity, member_of, ignore = "rule", ("net", "port"), "net", "Auto"

    @updates("note")
    def set_note(self, api, live):
        """One group."""
        self._set(api, live, "note")


class Host(Toy):
    """Several groups of fields, and many ways to refer to others."""

    net: Net = create_only("Net")
    disks: list[Disk] = attr("Disks")
    image: Image | str = attr("Image", impact=Impact.ROLLING, seconds=60)
    size: int = attr("Size", impact=Impact.DOWNTIME, seconds=120)
    alarm: int = attr("Alarm", later=True)

    kind = "host"
    seconds = {"create": 20, "delete": 10}

    @updates("disks")
    def set_disks(self, api, live):
        """One group."""
        self._set(api, live, "disks")

    @updates("image", "size")
    def rebuild(self, api, live):
        """One group of two."""
        self._set(api, live, "image", "size")

    @updates("alarm")
    def set_alarm(self, api, live):
        """Later field."""
        self._set(api, live, "alarm")


class Route(Member):
    """A member that goes with its parent."""

    net: Net = create_only("Net")
    dest: int = create_only("Dest")
    target: Host = attr("Target")

    kind, identity, member_of, dies_with_parent = "route", ("net", "dest"), "net", True

    @updates("target")
    def point(self, api, live):
        """One group."""
        self._set(api, live, "target")


class Node(Toy):
    """Slow and known by its key tag: its replacement stands beside it."""

    cluster: Cluster = create_only("Cluster")
    net: Net = create_only("Net")
    gate: Rule = attr()
    labels: dict = attr("Labels", seconds=60)

    kind = "node"
    ready, failed, leaving, gone = ("State=='active'", "State=='failed'", "State=='deleting'",
                                    "State=='gone'")
    seconds = {"create": 120, "delete": 90}

    @updates("labels")
    def set_labels(self, api, live):
        """One group."""
        self._set(api, live, "labels")


TYPES = (Net, Disk, Role, Rule, Host, Route, Cluster, Node)


def tags(key: str) -> dict:
    """What the stack writes on everything of its own."""
    return {OWNER: STACK, KEY: key, "Name": key}


def made(cls, key: str, **fields):
    """A toy with its tags."""
    return cls(key=key, tags=tags(key) if cls.tags_path else {}, **fields)
