# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a type is made of: fields, edges, values that are not known yet, and the one diff."""
from __future__ import annotations

import enum
import functools
import json
import typing
from dataclasses import dataclass, field, fields, replace

try:
    import jmespath
except ImportError:  # run.py reports the missing library
    jmespath = None

OWNER, KEY, REPLACED = "groundwork:stack", "groundwork:key", "groundwork:replaced"


class Impact(enum.IntEnum):
    """What a change does to those who use the object, from harmless to worst."""

    NONE, IN_PLACE, ROLLING, REPLACE, DOWNTIME, DATA_LOSS = range(6)

    def __str__(self):
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Attr:
    """How a field meets the live object."""

    path: str = ""  # JMESPath of the value in the live object; empty: matters at creation only
    param: str = ""  # its name in the creation call; empty: the path
    of: str = ""  # JMESPath in the live object of the resource held here; empty: its `ref`
    impact: Impact = Impact.IN_PLACE
    seconds: float = 0  # usual duration of a change of this field
    create_only: bool = False  # cannot be changed: a difference plans a replace
    later: bool = False  # not accepted by create(); an updater sets it right after
    read: typing.Callable | None = None  # live value -> the form of the option
    same: typing.Callable | None = None  # (wanted, live) -> bool, where equality is not enough
    want: typing.Callable | None = None  # (wanted, live object) -> what the service would store


def attr(path: str = "", default=None, **options):
    """A field of a type; `options` are those of `Attr`. None: do not care."""
    # pylint: disable-next=invalid-field-call  # every type with such fields is made a dataclass
    return field(default=default, metadata={"attr": Attr(path, **options)})


def create_only(path: str = "", **options):
    """A field that cannot be changed after creation."""
    return attr(path, create_only=True, impact=Impact.REPLACE, **options)


def updates(*names: str):
    """Marks the method that brings one group of fields to their wanted values in one call."""

    def mark(method):
        method.updates = names
        return method

    return mark


@dataclass(frozen=True)
class Unknown:
    """A value that only an apply can tell; `keys` are the resources it comes from."""

    keys: tuple[str, ...]

    def __str__(self):
        return f"(after apply: {', '.join(self.keys)})"

    __repr__ = __str__


class Computed:
    """A value made from live objects: `function(*lives)` once all of `needs` are there."""

    def __init__(self, needs, function: typing.Callable):
        self.needs, self.function = tuple(needs), function


@functools.lru_cache(maxsize=None)
def _expression(path: str):
    return jmespath.compile(path)


def search(path: str, live) -> typing.Any:
    """JMESPath search with compiled expressions kept; an empty path finds nothing."""
    return _expression(path).search(live) if path else None


@dataclass(kw_only=True, eq=False, repr=False)
class Resource:
    """One object outside. A field that holds another resource is an edge of the graph.

    Class attributes declare what all objects of the type share; none of them is required.
    Methods make about one call each and never sleep, poll, retry or know of check mode.
    """

    key: str  # component/type/name, unique in the stack
    tags: dict = field(default_factory=dict)

    ref = ""  # JMESPath of the identifier by which others refer to the object
    identity = ()  # fields that identify the object; empty: its key tag does
    tags_path = ""  # JMESPath of its tags; empty: it has none in its listing
    member_of = ""  # field naming the parent that owns it; unwanted members are drift
    ignore = ""  # JMESPath, true for members that belong to nobody or to somebody else
    dies_with_parent = False  # needs no delete of its own when its parent goes
    stateful = False  # holds data
    delete_first = False  # its name is unique: a replacement cannot stand beside it
    ready = failed = leaving = gone = ""  # JMESPath acceptors of the live object's state
    reason = ""  # JMESPath of the explanation of a failed state
    patience = ()  # patterns of errors of create() and updaters that only time heals
    seconds = {}  # usual duration: {"create": s, "delete": s}; "longest": when to give up on it
    outputs = {}  # name -> JMESPath of what a user or another role wants to know
    external = False  # only looked up, never written
    spelled = str  # how a value of its identity stands in the key of a member that nobody wants
    seeded = False  # made from something older: its creation leaves fields to the updaters

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        dataclass(kw_only=True, eq=False, repr=False)(cls)
        cls.attrs = {f.name: f.metadata["attr"] for f in fields(cls) if "attr" in f.metadata}
        cls.updaters = {name: method for c in reversed(cls.__mro__) for method in vars(c).values()
                        for name in getattr(method, "updates", ())}  # field -> what changes it

    @classmethod
    def fetch(cls, scan) -> typing.Iterable[dict]:
        """All live objects of this type that the stack has, in one call where possible."""
        raise NotImplementedError(cls.__name__)

    def create(self, api) -> dict | None:
        """Makes the object; returns it as `fetch` would show it."""
        raise NotImplementedError(type(self).__name__)

    def delete(self, api, live: dict) -> None:
        """Removes the object. Fields are unset when it is no longer wanted."""
        raise NotImplementedError(type(self).__name__)

    @property
    def protected(self) -> bool:
        """Whether deletion needs the user's word; types with an option for it say so."""
        return self.stateful

    def complaint(self, api, live: dict | None) -> str:
        """Why a live object is not as it should be; asked for when a wait for it has failed."""
        return search(self.reason, live) or ""

    def identify(self, live: dict, of: str):
        """What others write where they refer to this object: `of`, else its `ref`."""
        return search(of or self.ref, live) if of or self.ref else True

    def get(self, path: str) -> Computed:
        """A value of the live object, for use in a field of another resource."""
        return Computed((self,), functools.partial(self.identify, of=path))

    @classmethod
    def tags_of(cls, live: dict) -> dict:
        """Tags of a live object as a dictionary; its API may list them as Key and Value."""
        found = search(cls.tags_path, live) or {}
        return found if isinstance(found, dict) else {tag["Key"]: tag["Value"] for tag in found}

    @classmethod
    def marked(cls, live: dict) -> bool:
        """Whether a live object is one that was replaced, or is about to be."""
        return cls.tags_of(live).get(REPLACED) == "true"

    @classmethod
    def state_of(cls, live: dict | None) -> str:
        """gone, leaving, failed, ready, or pending: what the acceptors say of a live object."""
        if live is None:
            return "gone"
        states = (s for s in ("gone", "leaving", "failed") if search(getattr(cls, s), live))
        return next(states, "ready" if not cls.ready or search(cls.ready, live) else "pending")

    @classmethod
    def read(cls, name: str, live: dict) -> typing.Any:
        """The live value of a field, in the form of the option."""
        meta = cls.attrs[name]
        value = search(meta.path, live)
        return meta.read(value) if meta.read and value is not None else value


def leaves(value) -> typing.Iterator:
    """All that a value holds, wherever it stands in it, if it is a structure; else the value."""
    if isinstance(value, (dict, list, tuple, set)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def needs(resource: Resource) -> list[Resource]:
    """The resources that must be there before this one."""
    held = leaves([getattr(resource, name) for name in resource.attrs])
    return list(dict.fromkeys(need for leaf in held if isinstance(leaf, (Computed, Resource))
                              for need in (leaf.needs if isinstance(leaf, Computed) else [leaf])))


def _types_in(hint) -> set:
    """The types that an annotation names, wherever they stand in it."""
    here = {hint} if isinstance(hint, type) and issubclass(hint, Resource) else set()
    return here.union(*(_types_in(part) for part in typing.get_args(hint)))


@functools.lru_cache(maxsize=None)
def field_types(cls) -> dict[str, frozenset]:
    """Field -> the other types that its annotation names."""
    return {name: frozenset(_types_in(hint) - {cls})
            for name, hint in typing.get_type_hints(cls).items()}


@functools.lru_cache(maxsize=None)
def refers_to(cls) -> frozenset:
    """All types that fields of `cls` may hold."""
    return frozenset().union(*field_types(cls).values())


def resolve(value, lives: dict, of: str = ""):
    """The plain value of a field, with `Unknown` wherever a live object is still missing."""
    if isinstance(value, Resource):
        value = value.get(of)
    if isinstance(value, Computed):
        keys = tuple(r.key for r in value.needs)
        missing = tuple(k for k in keys if lives.get(k) is None)
        known = None if missing else value.function(*(lives[k] for k in keys))
        return Unknown(missing or keys) if known is None else known
    if isinstance(value, dict):
        return {k: resolve(v, lives, of) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        found = [(isinstance(v, Lookup), resolve(v, lives, of)) for v in value]
        return [part for looked_up, plain in found  # a pattern stands for all that it finds
                for part in (plain if looked_up and isinstance(plain, list) else [plain])]
    return value


def resolved(resource: Resource, lives: dict) -> Resource:
    """A copy whose fields hold plain values."""
    return replace(resource, **{name: resolve(getattr(resource, name), lives, meta.of)
                                for name, meta in resource.attrs.items()})


def unknown_keys(value) -> list[str]:
    """The keys that a resolved value still waits for."""
    return [key for leaf in leaves(value) if isinstance(leaf, Unknown) for key in leaf.keys]


def canonical(value):
    """A comparable form: order of lists, key order and empty values do not count."""
    if isinstance(value, dict):
        value = {k: c for k, v in value.items() if (c := canonical(v)) not in (None, "", False, 0)}
    elif isinstance(value, (list, tuple, set)):
        value = sorted((canonical(v) for v in value), key=str)
    else:
        return value
    return json.dumps(value, sort_keys=True, default=str) if value else ""


said = functools.partial(json.dumps, default=str)  # a value in a message


def equal(wanted, live) -> bool:
    """Whether a wanted value is the live one; nothing, empty and false are the same."""
    return wanted is live or not (wanted or live) or canonical(wanted) == canonical(live)


def diff(resource: Resource, live: dict) -> dict[str, tuple]:
    """Field -> (live, wanted) for every field of a resolved resource that differs."""
    found, cls = {}, type(resource)
    for name, meta in cls.attrs.items():
        wanted = getattr(resource, name)
        if wanted is None or not meta.path:
            continue
        have = cls.read(name, live)
        wanted = meta.want(wanted, live) if meta.want else wanted
        if unknown_keys(wanted) or not (meta.same or equal)(wanted, have):
            found[name] = (have, wanted)
    have, mark = cls.tags_of(live), {REPLACED: "false"} if cls.marked(live) else {}
    wanted = {**resource.tags, **mark}
    if any(have.get(k) != v for k, v in wanted.items()):
        found["tags"] = ({k: have.get(k) for k in wanted}, wanted)
    return found


class Fact(Resource):
    """Something the service knows and nobody makes: a default version, an image, a prefix list."""

    external = True

    def find(self, scan) -> dict | None:
        """The first listed object that agrees in the identity fields."""
        return next(iter(scan.of(type(self)).find(self)), None)


class Lookup(Fact):
    """Resources of the stack that are found, not made: a component used without the others.

    `key` is the key of one resource, or ends in `*` for several; `kind` is their type.
    """

    kind: type = Resource

    def find(self, scan) -> dict | list | None:
        """The live object, or for a pattern all of them; None when nothing is there."""
        owned = scan.of(self.kind).owned
        if not self.key.endswith("*"):
            return owned[self.key][0] if self.key in owned else None
        return [owned[k][0] for k in sorted(owned) if k.startswith(self.key[:-1])] or None

    def identify(self, live: dict | list, of: str):
        """The identifier, or all of them for a pattern."""
        path = of or self.kind.ref
        return [search(path, item) for item in live] if isinstance(live, list) else \
            search(path, live)
