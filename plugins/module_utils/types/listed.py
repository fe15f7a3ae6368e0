# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What RDS and ElastiCache share: listings without tags, groups of parameters, engine versions."""
from __future__ import annotations

import re

from ..clients.tags import pairs
from ..engine.errors import Busy, Failure, NotFound
from ..engine.resource import Fact, attr, diff, search, updates
from .declared import Declared, agrees

BATCH = 20  # parameters a call: API_ModifyDBParameterGroup, API_ModifyCacheParameterGroup


class Tagged(Declared):
    """An object with a unique name, whose tags have calls of their own."""

    arn = ""  # its ARN in the listing
    tags_path = "TagList"
    delete_first = True

    @updates("tags")
    def retag(self, api, live):
        """Adds or overwrites our tags."""
        getattr(api, self.service).add_tags_to_resource(
            ResourceName=search(self.arn, live), Tags=pairs(self.tags))

    def differing(self, live: dict, names) -> dict:
        """Parameter -> wanted value of those of the named fields that differ."""
        changed = diff(self, live)
        return {meta.param or meta.path: getattr(self, n) for n, meta in self.attrs.items()
                if n in names and n in changed}


class Reading:
    """How `Listed` reads: what is wanted, and what the tagging API knows."""

    @classmethod
    def fetch(cls, scan):
        """One listing, and a call for the tags of each of our own objects."""
        known, wanted = scan.api.tagged(cls.tagged_as), scan.named(cls)
        own = [item for item in cls.listed(scan)
               if search(cls.ref, item) in wanted or search(cls.arn, item) in known]
        return scan.api.map(lambda item: cls.described(
            scan, item, wanted.get(search(cls.ref, item)), known.get(search(cls.arn, item))), own)


class Listed(Reading, Tagged):
    """An object whose listing has no tags: they are asked for, of our own objects only."""

    tagged_as = ""  # its type in the tagging API

    @classmethod
    def listed(cls, scan) -> list:
        """Everything of the region, in one paged call."""
        return scan.api.pages(cls.service, *cls.reads)

    @classmethod
    def described(cls, scan, item: dict, wanted, tags: dict | None) -> dict:
        """The item with its tags, which need no call where the tagging API shows those wanted."""
        if not agrees(wanted, tags):
            service = getattr(scan.api, cls.service)
            try:
                tags = service.list_tags_for_resource(ResourceName=search(cls.arn, item))["TagList"]
            except (NotFound, Busy):  # ElastiCache tells no tags of what is not available yet
                ours = wanted and search(cls.ref, item).startswith(f"{scan.owner}-")
                tags = tags or (wanted.tags if ours else {})
        return {**item, "TagList": tags}


class ParameterGroup(Listed):
    """Parameters of one engine family; those nobody gives have the engine's own values."""

    parameters: dict = attr("Parameters", later=True)  # name -> value as text

    shows, changes, resets, rows = "", "", "", ""  # methods, and their parameter with the rows

    @classmethod
    def described(cls, scan, item, wanted, tags):
        """With the values that were set, and those given that are the engine's own anyway."""
        item = super().described(scan, item, wanted, tags)
        given = (wanted.parameters if wanted else None) or {}
        values = cls._values(scan.api, item, Source="user")
        if given.keys() - values.keys():  # AWS may not count a default value as set
            everything = cls._values(scan.api, item)
            values.update((n, everything[n]) for n in given.keys() - values if n in everything)
        return {**item, "Parameters": values}

    @classmethod
    def _list(cls, api, item: dict, **narrow) -> list:
        return api.pages(cls.service, cls.shows, "Parameters", **narrow,
                         **{cls.ref: item[cls.ref]})

    @classmethod
    def _values(cls, api, item: dict, **narrow) -> dict:
        return {row["ParameterName"]: row["ParameterValue"]
                for row in cls._list(api, item, **narrow) if "ParameterValue" in row}

    def methods(self, api, live: dict) -> dict:
        """Parameter -> what else its row must say."""
        return {}

    @updates("parameters")
    def tune(self, api, live):
        """Sets what differs, and gives back the engine's own value of what is no longer given."""
        have = live.get("Parameters") or {}
        wanted = {n: v for n, v in self.parameters.items() if have.get(n) != v}
        surplus = sorted(have.keys() - self.parameters.keys())
        if not wanted and not surplus:
            return
        more = self.methods(api, live)
        rows = [{"ParameterName": n, "ParameterValue": v, **more.get(n, {})}
                for n, v in wanted.items()]
        service, name = getattr(api, self.service), {self.ref: live[self.ref]}
        for start in range(0, len(rows), BATCH):
            getattr(service, self.changes)(**name, **{self.rows: rows[start:start + BATCH]})
        rows = [{"ParameterName": n, **more.get(n, {})} for n in surplus]
        for start in range(0, len(rows), BATCH):
            getattr(service, self.resets)(**name, **{self.rows: rows[start:start + BATCH]})


class SubnetGroup(Listed):
    """The subnets that a database or a cache may be in."""

    description: str = attr("Description")
    subnets: list = attr("Subnets[].SubnetIdentifier", param="SubnetIds")

    changes = ""  # method

    @updates("description", "subnets")
    def change(self, api, live):
        """All at once; a subnet that is in use cannot leave."""
        getattr(getattr(api, self.service), self.changes)(**self.params())


def number(version: str) -> tuple:
    """7.0.7 -> (7, 0, 7)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def once_known(wanted, live) -> bool:
    """What is still being made does not tell everything of itself."""
    return not live or wanted == live


def new_enough(wanted: str, live: str | None) -> bool:
    """Whether the version that runs is the wanted one or a newer minor of it."""
    if live is None:
        return True  # still being made
    if number(live)[0] > number(wanted)[0]:
        raise Failure(f"version {live} runs and {wanted} is wanted, but AWS cannot go back "
                      f"to an older major version; write {number(live)[0]}, or restore into "
                      "something new")
    return number(live) >= number(wanted)


class EngineVersion(Fact):
    """The version on offer that is nearest to the one asked for, within its major version.

    Nobody asks while nothing is created or changed.
    """

    engine: str = attr("Engine")
    asked: str = attr()  # such as 15.4 (that minor or the next one on offer) or 15 (the newest)

    ref = "EngineVersion"
    offers = None  # the type whose listing tells all versions

    @classmethod
    def fetch(cls, scan):
        return ()

    def find(self, scan):
        """Refuses a major version that AWS does not offer."""
        if not scan.changing:
            return {}
        offered = {item["EngineVersion"]: item for item in scan.of(self.offers).items
                   if item["Engine"] == self.engine
                   and re.fullmatch(r"[\d.]+", item["EngineVersion"])}
        versions, asked = sorted(offered, key=number), number(self.asked)
        same = [v for v in versions if number(v)[0] == asked[0]]
        if not same:
            majors = dict.fromkeys(str(number(v)[0]) for v in versions)
            raise Failure(f"plan {self.key}: AWS offers no {self.engine} {self.asked}; it offers "
                          f"{', '.join(majors) or 'nothing'}")
        later = [v for v in same if number(v) >= asked] if len(asked) > 1 else []
        return offered[later[0] if later else same[-1]]
