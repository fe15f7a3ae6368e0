# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helm releases. What is there is read from Helm's own Secrets; nothing to do needs no helm.

https://helm.sh/docs/topics/kubernetes_apis/, https://helm.sh/docs/helm/helm_upgrade/
"""
from __future__ import annotations

import re

from ..clients.helm import HelmFailed, described
from ..clients.kubeconfig import documents
from ..clients.kubernetes import Cluster
from ..engine.errors import Failure, NotFound, ServiceFailure
from ..engine.resource import KEY, OWNER, Impact, Resource, attr, create_only, updates
from .compare import (NONE, OTHER_SECRET, SECRET, contested, differing, exactly, flat, in_veil,
                      secret, sides, unveil, without)
from .declared import merged
from .helm_records import (CURRENT, LABEL, LIMIT, decoded, died, labels, latest, mark_removal,
                           recorded, revision, take_back)
from .reasons import headlines, warned

USUAL = 60.0  # seconds
SHORT = 4  # letters; what is no longer than this and was no secret by name is in every text
# What helm says of a field: (object, its kind, field manager, path).
HELD = re.compile(r'applying object (\S+) [^:]*Kind=(\w+): Apply failed with 1 conflict: '
                  r'conflict with "([^"]*)"[^:]*: \.(\S+?)(?=[:;]|$|\s)')


def rendered(text: str) -> dict:
    """Kind/name -> flat object of all that a manifest holds; what a Secret holds is left out."""
    found = [m for m in documents(text) if m]
    objects = [o for m in found for o in (m["items"] if isinstance(m.get("items"), list) else [m])]
    return {f"{m.get('kind')}/{(m.get('metadata') or {}).get('name')}.{path}":
            SECRET if secret(m) and in_veil(path) else value
            for m in objects for path, value in flat(m).items()}


def paths(values: dict | None) -> dict:
    """Path -> value, also of nothing."""
    return flat(unveil(values)) if values else {}


def same_version(wanted: str, live: str) -> bool:
    """Whether two versions are one: helm takes 1.0.0 for a chart that says v1.0.0."""
    return wanted.removeprefix("v") == live.removeprefix("v")


def same_chart(wanted: str, live: str) -> bool:
    """Whether a chart has this name; that of an archive elsewhere is not known before helm runs."""
    name = described(wanted).get("name") or wanted.split("@")[0].rstrip("/").split("/")[-1]
    return name == live or name.endswith(".tgz")


class Found(Resource):
    """A release as Helm's own Secrets have it."""

    place: str = create_only("place")
    version: str = attr("version", impact=Impact.ROLLING, same=same_version)
    values: dict = attr("values.live", impact=Impact.ROLLING, same=exactly,
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

    def delete(self, api, live):
        space, name = live["place"].split("/")
        mark_removal(api, live["place"], live["metadata"]["name"])
        try:
            api.helm.call(["uninstall", name, "--namespace", space, "--wait"], 300)
        except ServiceFailure as failure:
            if "not found" in failure.text:
                raise NotFound(failure.code, failure.text) from None
            raise


class HelmRelease(Found):
    """A chart at a pinned version with its values, installed under a name."""

    chart: str = attr("chart", impact=Impact.ROLLING, same=same_chart)
    repo: str = attr()
    secret_values: dict = attr()  # hidden, see compare.veil
    timeout: int = attr()
    needs: list = attr()

    tells = ("version",)

    def seen(self, api: Cluster, item: dict | None) -> dict | None:
        """The release with what an upgrade would change; None when it is not there."""
        have = paths(item["config"]) if item else {}
        found = self.covered(differing(have, paths(self.given())))
        same = item and not found and item["status"] == self.status \
            and same_chart(self.chart, item["chart"]) \
            and (self.version is None or same_version(self.version, item["version"]))
        if not self.parent.compared or same:
            return item and {**item, "values": sides({})}
        mark = str(item["revision"]) if item else ""
        if self.key not in api.predicted or api.predicted[self.key][0] != mark:
            api.predicted[self.key] = (mark, self.predict(api, item))
        after = api.predicted[self.key][1]
        return item and {**item, "values": sides(found), "objects": after}

    def covered(self, found: dict) -> dict:
        """What differs of the values, without those that were or are not to be seen."""
        plain, veiled = paths(self.values), paths(self.secret_values)
        return {p: (SECRET if old != NONE and (p in veiled or p not in plain) else old,
                    OTHER_SECRET if p in veiled else new) for p, (old, new) in found.items()}

    def given(self) -> dict:
        """The values, those that nobody may see too."""
        return merged(self.values or {}, unveil(self.secret_values or {}))

    def predict(self, api: Cluster, item: dict | None):
        """What of the rendered objects differs, or why helm refuses it; it writes nothing."""
        try:
            text = self.rendering(api, bool(item) and item["status"] != "uninstalled")
        except Failure as failure:
            return self.told(failure)
        if not item:
            return sides({})
        hidden = self.hidden(item["config"])
        return sides({p: tuple(without(v, hidden) if isinstance(v, str) else
                               SECRET if v in hidden else v for v in pair)
                      for p, pair in differing(rendered(item["manifest"]),
                                               rendered(text)).items()})

    def rendering(self, api: Cluster, there: bool) -> str:
        """What helm makes of the chart; of a release that is there, asked of the cluster.

        A kind that the cluster does not know may come before the release does.
        """
        words = ["template", self.name, *self.source(), "--no-hooks"]
        words += ["--is-upgrade"] if there else []
        try:
            return api.helm.call(words + (api.helm.asking if there else []), USUAL, self.given(),
                                 reads=True)
        except HelmFailed as failure:
            if not (there and "no matches for kind" in failure.text):
                raise
        return api.helm.call(words, USUAL, self.given(), reads=True)

    def source(self) -> list[str]:
        """The words that say which chart, and where."""
        return [self.chart, "--namespace", self.namespace,
                *(["--version", self.version] if self.version else []),
                *(["--repo", self.repo] if self.repo else [])]

    def hidden(self, config: dict) -> list:
        """The values that nobody may see: of today, and those before that may have been such."""
        plain, veiled = paths(self.values), paths(self.secret_values)
        before = [v for p, v in paths(config).items()
                  if p in veiled or p not in plain and len(str(v)) > SHORT]
        return [*veiled.values(), *before]

    def told(self, failure: Failure, *more: str) -> Failure:
        """The failure without them, with more that is known of it."""
        if not isinstance(failure, ServiceFailure):
            return failure
        text, held = failure.text, dict.fromkeys(HELD.findall(failure.text))
        if held:
            text = contested(self.key, {f"{kind} {where} {path}": who
                                        for where, kind, who, path in held})
        return type(failure)(failure.code, without("; ".join([text, *more]), self.hidden({})))

    @property
    def forced(self) -> bool:
        """Whether fields of other managers may be taken over."""
        return self.key in self.parent.force_conflicts

    def create(self, api):
        return self.install(api, 1)

    def install(self, api: Cluster, number: int) -> dict:
        """Installs or upgrades; a failure takes everything back to where it was.

        `number`: of the revision that this makes.
        """
        undo = ["--rollback-on-failure"] if api.helm.major > 3 else ["--atomic"]
        # Helm 4 applies by the server, and leaves a field that belongs to somebody else alone.
        undo += ["--force-conflicts"] if api.helm.major > 3 and self.forced else []
        limit, before = self.timeout or LIMIT, warned(api, self.namespace)
        try:
            api.helm.call(["upgrade", "--install", self.name, *self.source(), "--wait", *undo,
                           "--timeout", f"{limit}s", "--reset-values",
                           "--labels", labels(self.parent.id, number)],
                          2 * limit, self.given())  # as long again for the way back
        except Failure as failure:  # what it was about has been taken back
            more = headlines(warned(api, self.namespace, before), self.name)
            raise self.told(failure, *more) from None
        return self.shown(self.place, recorded(api, self.place)[-1])

    @updates("chart", "version", "values", "objects", "status", "tags")
    def upgrade(self, api, _live):
        """One upgrade; what a run that died had begun is taken back before, with its objects."""
        records = recorded(api, self.place)
        if died(records, self.timeout or LIMIT):
            take_back(api, self.place, records, self.timeout or LIMIT)
            records = recorded(api, self.place)
        self.install(api, revision(records[-1]) + 1 if records else 1)


def stored(live: dict):
    """What an upgrade would make of the objects; the refusal where it would not."""
    if isinstance(live.get("objects"), Failure):
        raise live["objects"]
    return (live.get("objects") or sides({}))["stored"]
