# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What most AWS objects share, so that a type is declarations and not code."""
from __future__ import annotations

import re

from ..clients.tags import pairs
from ..engine.resource import KEY, Resource, search


class Declared(Resource):
    """An object with one call to list, one to create and one to delete it.

    Fields whose path is a plain name become parameters of the creation under that name (or
    under `param`); `later` and unset fields are left out.
    """

    service = ""  # boto3 client name
    reads = ()  # (method, JMESPath of the objects in its answer)
    creates = ()  # (method, JMESPath of the object in its answer; empty: nothing useful)
    deletes = ()  # (method, parameter that takes the `ref`)
    unrehearsed = ()  # fields whose values are made before the first call of a creation

    @staticmethod
    def spelled(value) -> str:
        """Of an ARN, the last part."""
        return str(value).rsplit("/", 1)[-1] if str(value).startswith("arn:") else str(value)

    @classmethod
    def fetch(cls, scan):
        """One paged read of everything that may be the stack's."""
        return scan.api.pages(cls.service, *cls.reads, **cls.narrow(scan.api))

    @classmethod
    def narrow(cls, api) -> dict:
        """Parameters that keep a listing to the stack's objects, where the API has any."""
        return {}

    def params(self) -> dict:
        """Parameters of the creation."""
        found = {}
        for name, meta in self.attrs.items():
            value, param = getattr(self, name), meta.param or meta.path
            if value is not None and not meta.later and re.fullmatch(r"\w+", param):
                found[param] = value
        return found

    def tagging(self) -> dict:
        """Tags as a parameter of the creation."""
        return {"Tags": pairs(self.tags)} if self.tags else {}

    def create(self, api) -> dict | None:
        """One call, with the tags."""
        method, path = self.creates
        answer = getattr(getattr(api, self.service), method)(**self.params(), **self.tagging())
        return search(path, answer) if path else {}

    def delete(self, api, live: dict) -> None:
        """One call with the identifier."""
        method, param = self.deletes
        getattr(getattr(api, self.service), method)(**{param: search(self.ref, live)})

    def explain(self, api, live: dict) -> str:
        """What the service can tell of why a change or a removal failed; read after the run."""
        return ""


def merged(one: dict, other: dict) -> dict:
    """Two structures of values, the second on top."""
    both = {k: merged(one[k], v) if isinstance(v, dict) and isinstance(one.get(k), dict) else v
            for k, v in other.items()}
    return {**one, **both}


def given(resource) -> set[str]:
    """The fields that a wanted object gives; none where nobody wants it."""
    return {n for n in resource.attrs if getattr(resource, n) is not None} if resource else set()


def agrees(resource, tags: dict | None) -> bool:
    """Whether tags from the tagging API, which is late, are those wanted: then no call need ask."""
    return bool(resource and tags and resource.tags and resource.tags.items() <= tags.items())


def settled(cls, scan, found: dict, known: dict) -> bool:
    """Whether what was found, by name, is certainly all that the stack has of a type.

    It is when the tagging API knows (`known`: name -> tags) every wanted object and none that
    was not found. It is late, and does not know all types: then a list must be asked. So must it
    be before something is removed, and for members, whose owner has no others.
    """
    wanted, keys = {} if scan.removing else scan.keyed(cls), set()
    for name in found.keys() & known.keys():
        tags = cls.tags_of(found[name])
        if agrees(wanted.get(tags.get(KEY)), tags) and not cls.marked(found[name]):
            keys.add(tags[KEY])
    return bool(wanted) and wanted.keys() <= keys and known.keys() <= found.keys()


def gathered(cls, scan, known: dict, describe, listed) -> list[dict]:
    """All objects of a type each of which takes a call, with a list only where it is needed.

    `known`: name -> tags, by the tagging API; `describe(name)` is the object or None; `listed()`
    are the names of all.
    """
    def read(names) -> dict:
        items = zip(names, scan.api.map(describe, names))
        return {name: item for name, item in items if item}

    found = read(sorted(known, key=str))
    if not settled(cls, scan, found, known):
        found.update(read(sorted({*listed()} - known.keys())))
    return list(found.values())
