# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helm releases. What is there is read from Helm's own Secrets; nothing to do needs no helm.

https://helm.sh/docs/topics/kubernetes_apis/, https://helm.sh/docs/helm/helm_upgrade/
"""
from __future__ import annotations

import base64
import gzip
import json
import re

from ..clients.kubeconfig import documents
from ..clients.kubernetes import Cluster
from ..engine.errors import Failure, NotFound, ServiceFailure
from ..engine.resource import KEY, OWNER, Impact, Resource, attr, create_only, updates
from .compare import (NONE, OTHER_SECRET, SECRET, VEILED, contested, differing, flat, secret,
                      sides, unveil, without)
from .reasons import headlines, warned

LABEL = "groundwork.aws/applyset"  # not the members' own: a release's Secrets are no members
CURRENT = "owner=helm,status!=superseded"
USUAL = 60.0  # seconds
# What helm says of a field: (object, its kind, field manager, path).
HELD = re.compile(r'applying object (\S+) [^:]*Kind=(\w+): Apply failed with 1 conflict: '
                  r'conflict with "([^"]*)"[^:]*: \.(\S+?)(?=[:;]|$|\s)')


def decoded(item: dict) -> dict:
    """A release out of its Secret."""
    packed = base64.b64decode(base64.b64decode(item["data"]["release"]))
    return json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)


def latest(items) -> dict:
    """namespace/name -> the Secret of the last revision of each release."""
    found = {}
    for item in sorted(items, key=lambda i: int(i["metadata"]["labels"]["version"])):
        meta = item["metadata"]
        found[f"{meta['namespace']}/{meta['labels']['name']}"] = item
    return found


def rendered(text: str) -> dict:
    """Kind/name -> flat object of all that a manifest holds; what a Secret holds is left out."""
    objects = [m for m in documents(text) if m]
    return {f"{m.get('kind')}/{(m.get('metadata') or {}).get('name')}.{path}":
            SECRET if secret(m) and path.split(".")[0] in VEILED else value
            for m in objects for path, value in flat(m).items()}


def merged(one: dict, other: dict) -> dict:
    """Two structures of values, the second on top."""
    both = {k: merged(one[k], v) if isinstance(v, dict) and isinstance(one.get(k), dict) else v
            for k, v in other.items()}
    return {**one, **both}


class Found(Resource):
    """A release as Helm's own Secrets have it."""

    place: str = create_only("place")
    version: str = attr("version", impact=Impact.ROLLING)
    values: dict = attr("values.live", impact=Impact.ROLLING,
                        want=lambda _wanted, live: live["values"]["stored"])
    objects: tuple = attr("objects.live", impact=Impact.ROLLING, default=(),
                          want=lambda _wanted, live: stored(live))
    status: str = attr("status", default="deployed")  # a run that died leaves pending-upgrade

    ref, identity, tags_path, reason = "place", ("place",), "metadata.labels", "why"
    delete_first, apart = True, ("values", "objects")
    seconds = {"create": USUAL, "delete": 20}
    outputs = {"chart": "chart", "version": "version", "revision": "revision"}
    # What a set asks of its members; releases are kept in Secrets.
    group, kind, listed_as, served, parent = "", "HelmRelease", "Secret", True, None
    group_kind = api_version = "HelmRelease"

    @property
    def namespace(self) -> str:
        """Where the release is."""
        return self.place.split("/")[0]

    @property
    def name(self) -> str:
        """Its name."""
        return self.place.split("/")[1]

    @classmethod
    def tags_of(cls, live):
        owner, where = live["metadata"]["labels"].get(LABEL), live["place"].replace("/", ":")
        return {OWNER: owner, KEY: f"{cls.parent.name}/release/{where}"} if owner else {}

    @classmethod
    def fetch(cls, scan):
        """The releases of the set, and the wanted ones that belong to somebody else."""
        api, wanted = scan.api, {r.place: r for r in scan.keyed(cls).values()}
        if not getattr(api, "helm", None):
            return []
        path = "/api/v1/secrets"
        found = latest(api.pages(path, labelSelector=f"{CURRENT},{LABEL}={scan.owner}"))
        missing = sorted({r.name for where, r in wanted.items() if where not in found})
        if missing:
            others = latest(api.pages(
                path, labelSelector=f"{CURRENT},name in ({','.join(missing)})"))
            found |= {where: item for where, item in others.items() if where in wanted}
        live = {where: cls.shown(where, item) for where, item in found.items()}
        seen = api.map(lambda r: r.seen(api, live.get(r.place)), wanted.values())
        return [*(i for where, i in live.items() if where not in wanted), *filter(None, seen)]

    @staticmethod
    def shown(where: str, item: dict) -> dict:
        """A release as the fields read it."""
        release = decoded(item)
        info = release["info"]
        return {"metadata": {k: v for k, v in item["metadata"].items() if k != "managedFields"},
                "place": where, "revision": release["version"],
                "chart": release["chart"]["metadata"]["name"],
                "version": release["chart"]["metadata"]["version"], "status": info["status"],
                "config": release.get("config") or {}, "manifest": release["manifest"],
                "why": info.get("description", "")}


class HelmRelease(Found):
    """A chart at a pinned version with its values, installed under a name."""

    chart: str = attr()
    repo: str = attr()
    secret_values: dict = attr()  # hidden, see compare.veil
    timeout: int = attr()
    needs: list = attr()

    def seen(self, api: Cluster, item: dict | None) -> dict | None:
        """The release with what an upgrade would change; None when it is not there."""
        given = flat(self.given()) if self.given() else {}
        have = flat(item["config"]) if item and item["config"] else {}
        veiled = flat(unveil(self.secret_values or {}))
        found = {p: (old if old == NONE else SECRET, OTHER_SECRET) if p in veiled else (old, new)
                 for p, (old, new) in differing(have, given).items()}
        same = item and not found and self.version in (None, item["version"]) \
            and item["status"] == self.status
        if not self.parent.compared or same:
            return item and {**item, "values": sides({})}
        mark = str(item["revision"]) if item else ""
        if self.key not in api.predicted or api.predicted[self.key][0] != mark:
            api.predicted[self.key] = (mark, self.predict(api, item))
        after = api.predicted[self.key][1]
        return item and {**item, "values": sides(found), "objects": after}

    def given(self) -> dict:
        """The values, those that nobody may see too."""
        return merged(self.values or {}, unveil(self.secret_values or {}))

    def predict(self, api: Cluster, item: dict | None):
        """What of the rendered objects differs, or why helm refuses it; it writes nothing."""
        try:
            text = api.helm.call(["template", self.name, *self.source()], USUAL,
                                 self.given(), reads=True)
        except Failure as failure:
            return self.told(failure)
        return sides({p: tuple(self.scrubbed(v) if isinstance(v, str) else v for v in pair)
                      for p, pair in differing(rendered(item["manifest"]),
                                               rendered(text)).items()}) if item else sides({})

    def source(self) -> list[str]:
        """The words that say which chart, and where."""
        return [self.chart, "--namespace", self.namespace,
                *(["--version", self.version] if self.version else []),
                *(["--repo", self.repo] if self.repo else [])]

    def scrubbed(self, text: str) -> str:
        """A text without the values that nobody may see."""
        return without(text, flat(unveil(self.secret_values or {})).values())

    def told(self, failure: Failure, *more: str) -> Failure:
        """The failure without them, with more that is known of it."""
        if not isinstance(failure, ServiceFailure):
            return failure
        text, held = failure.text, dict.fromkeys(HELD.findall(failure.text))
        if held:
            text = contested(self.key, {f"{kind} {where} {path}": who
                                        for where, kind, who, path in held})
        return type(failure)(failure.code, self.scrubbed("; ".join([text, *more])))

    @property
    def forced(self) -> bool:
        """Whether fields of other managers may be taken over."""
        return self.key in self.parent.force_conflicts

    def create(self, api):
        """Installs or upgrades; a failure takes everything back to where it was."""
        undo = ["--rollback-on-failure"] if api.helm.major > 3 else ["--atomic"]
        # Helm 4 applies by the server, and leaves a field that belongs to somebody else alone.
        undo += ["--force-conflicts"] if api.helm.major > 3 and self.forced else []
        limit, before = self.timeout or 300, warned(api, self.namespace)
        try:
            api.helm.call(["upgrade", "--install", self.name, *self.source(), "--wait", *undo,
                           "--timeout", f"{limit}s", "--reset-values",
                           "--labels", f"{LABEL}={self.parent.id}"], limit, self.given())
        except Failure as failure:  # what it was about has been taken back
            more = headlines(warned(api, self.namespace, before), self.name)
            raise self.told(failure, *more) from None
        listed = api.pages(f"/api/v1/namespaces/{self.namespace}/secrets",
                           labelSelector=f"{CURRENT},name={self.name}")
        return self.shown(self.place, latest(listed)[self.place])

    @updates("version", "values", "objects", "status", "tags")
    def upgrade(self, api, live):
        """One upgrade; the record of a run that died is taken away before, or helm refuses."""
        if live["status"].startswith(("pending-", "uninstalling")):
            meta = live["metadata"]
            api.delete(f"/api/v1/namespaces/{meta['namespace']}/secrets/{meta['name']}",
                       meta["uid"])
        self.create(api)

    def delete(self, api, live):
        space, name = live["place"].split("/")
        try:
            api.helm.call(["uninstall", name, "--namespace", space, "--wait"], 300)
        except ServiceFailure as failure:
            if "not found" in failure.text:
                raise NotFound(failure.code, failure.text) from None
            raise


def stored(live: dict):
    """What an upgrade would make of the objects; the refusal where it would not."""
    if isinstance(live.get("objects"), Failure):
        raise live["objects"]
    return (live.get("objects") or sides({}))["stored"]
