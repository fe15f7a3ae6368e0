# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading: one listing per type, made once, indexed by key and by identity."""
from __future__ import annotations

import collections
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .errors import Credentials, Failure, Refused
from .resource import KEY, OWNER, canonical, search


class Index:
    """Live objects of one type; `owned`: key -> those tagged with this stack."""

    def __init__(self, cls, items, owner: str):
        self.cls, self.items, self.owned = cls, list(items), collections.defaultdict(list)
        self._identities = collections.defaultdict(list)
        for item in self.items:
            tags = cls.tags_of(item)
            if tags.get(OWNER) == owner and KEY in tags:
                self.owned[tags[KEY]].append(item)
            self._identities[self.identity(item)].append(item)

    def identity(self, item: dict) -> tuple:
        """What tells a live object of a named type from its siblings."""
        return tuple(canonical(self.cls.read(name, item)) for name in self.cls.identity)

    def find(self, resource) -> list[dict]:
        """The live objects that are this (resolved) resource: by identity, else by its key tag."""
        wanted = tuple(canonical(getattr(resource, name)) for name in self.cls.identity)
        named = self._identities.get(wanted) if wanted else None
        return named or self.owned.get(resource.key, [])


class Listing(Index):
    """The live objects of one type that exist, and beside them those that are `leaving`."""

    def __init__(self, cls, items, owner: str):
        states = [(cls.state_of(item), item) for item in items]
        super().__init__(cls, [i for s, i in states if s not in ("leaving", "gone")], owner)
        self.leaving = Index(cls, [i for s, i in states if s == "leaving"], owner)

    def same(self, live: dict) -> dict | None:
        """The object as it is now, leaving or not; None when it is gone."""
        same = partial(search, self.cls.ref) if self.cls.ref else self.identity
        return next((i for i in self.items + self.leaving.items if same(i) == same(live)), None)


class Scan:
    """One reading of the world, shared by all who ask; `api` is whatever the types talk to.

    `removing`: what is not wanted matters as much. `changing`: something is to be created or
    changed, so that facts which only that needs are asked for.
    """

    def __init__(self, api, owner: str, wanted=(), removing: bool = False):
        self.api, self.owner, self._wanted = api, owner, list(wanted)
        self._listings, self._locks = {}, {}
        self.removing, self.changing = removing, False

    def again(self) -> "Scan":
        """A fresh reading of the same stack."""
        return Scan(self.api, self.owner, self._wanted, self.removing)

    def named(self, cls) -> dict:
        """Name -> wanted object of a type that its first identity field names."""
        pairs = ((getattr(r, cls.identity[0]), r) for r in self.keyed(cls).values())
        return {name: r for name, r in pairs if isinstance(name, str)}

    def keyed(self, cls) -> dict:
        """Key -> wanted object of a type."""
        return {r.key: r for r in self._wanted if r.__class__ is cls}

    def asked(self, cls) -> set[str]:
        """Fields that any wanted object of the type gives: what nobody asks needs no read."""
        return {name for r in self.keyed(cls).values() for name in cls.attrs
                if getattr(r, name) is not None}

    def of(self, cls) -> Listing:
        """The listing of a type, read at the first request."""
        with self._locks.setdefault(cls, threading.Lock()):
            if cls not in self._listings:
                self._listings[cls] = Listing(cls, cls.fetch(self), self.owner)
            return self._listings[cls]

    def read(self, types, width: int = 32) -> None:
        """Reads all of these types side by side; every failure is told, none means absence."""
        with ThreadPoolExecutor(width) as pool:
            calls = {cls: pool.submit(self.of, cls) for cls in types}
        errors = {cls: call.exception() for cls, call in calls.items() if call.exception()}
        for error in errors.values():
            if not isinstance(error, Failure) or isinstance(error, Credentials):  # of all alike
                raise error
        if errors:
            raise Refused([f"read {cls.__name__}: {error}" for cls, error in errors.items()])
