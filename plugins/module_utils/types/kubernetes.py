# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kubernetes objects: https://kubernetes.io/docs/reference/using-api/server-side-apply/.

One class per group, version and kind, made from data. A live object is the server's own, with
`place` (namespace/name), `id` (that and the uid), `why` (what it says of its state), `waits`, and
what an apply would change, sorted by what that does to users: `manifest`, `template` and
`immutable`, each {"live": {path: value}, "stored": {path: value}}, and `owners`: path -> the field
manager that it would be taken from.
"""
from __future__ import annotations

import functools

from ..clients.kubernetes import CONFLICT, Cluster, Rejected
from ..engine.errors import (
    Busy, Denied, Exists, Failure, NotFound, Quota, ServiceFailure,
)
from ..engine.resource import (
    KEY, OWNER, Impact, Resource, attr, create_only, search, updates,
)
from .applyset import PART_OF
from .compare import (
    ONCE, changes, contested, fingerprint, masked, owners, rejection, scrubbed, settled, why,
)
from .helm import HelmRelease
from .kinds import TEMPLATE, facts
from .reasons import explained

# On the Endpoints that the controller of Services makes; they have no owner.
COPIED = "endpoints.kubernetes.io/managed-by"
VERDICTS = (Rejected, Denied, Busy, Quota)  # on one object, not on the connection


def group_kind(group: str, kind: str) -> str:
    """A kind as ApplySets and kubectl write it: Deployment.apps, ConfigMap."""
    return f"{kind}.{group}" if group else kind


def group_version(api_version: str) -> tuple[str, str]:
    """("apps", "v1") of apps/v1; the core has no group."""
    group, _slash, version = api_version.rpartition("/")
    return group, version


def readable(group: str, kind: str) -> str:
    """A kind's part of a key; the groups of Kubernetes itself go without saying."""
    plain = "." not in group or group.endswith(".k8s.io")
    return kind.lower() if plain else f"{kind.lower()}.{group}"


def place(meta: dict) -> str:
    """namespace/name, or the name of what is in no namespace."""
    return "/".join(filter(None, (meta.get("namespace"), meta["name"])))


def side(name: str, **options):
    """A field that an apply would change a part of."""
    return attr(f"{name}.live", want=lambda _wanted, live: stored(live, name),
                **options)


def stored(live: dict, name: str) -> dict:
    """What the server would store, or why it would not."""
    if "rejected" in live:
        raise live["rejected"]
    return live.get(name, {}).get("stored", {})


class Member(Resource):
    """What a set has on the cluster: how it is named, listed, and known as the set's."""

    place: str = create_only("place")
    needs: list = attr()

    ref, identity, tags_path = "id", ("place",), "metadata.labels"
    leaving, reason, tells = "metadata.deletionTimestamp", "why", ()
    group = version = kind = group_kind = api_version = pods = ""  # of the class, by Kinds
    served = parent = None
    awaited = False  # its kind comes to be in this run
    listed_as = ""  # how the parent names its kind

    @classmethod
    def key_of(cls, meta: dict) -> str:
        """The key of the object with this metadata."""
        return f"{cls.parent.name}/{readable(cls.group, cls.kind)}/" + place(meta).replace("/", ":")

    @classmethod
    def tags_of(cls, live):
        """The label of its set, in the engine's words."""
        owner = (live["metadata"].get("labels") or {}).get(PART_OF)
        return {OWNER: owner, KEY: cls.key_of(live["metadata"])} if owner else {}

    @classmethod
    def at(cls, api: Cluster, meta: dict | None = None) -> str:
        """The path of an object, or of the listing; the kind may be younger than this run."""
        cls.served = cls.served or api.served(cls.group, cls.kind, cls.version, fresh=True)
        if not cls.served:
            raise NotFound("UnknownKind", "the cluster knows no "
                           f"{cls.kind} of {cls.group}/{cls.version} (CRD missing)")
        return cls.served.at((meta or {}).get("namespace", ""), (meta or {}).get("name", ""))

    @classmethod
    def fetch(cls, scan):
        """The members of the set, and what is wanted and belongs to somebody else."""
        api, wanted = scan.api, scan.keyed(cls)
        if not (cls.served or api.served(cls.group, cls.kind, cls.version)):
            return []
        mine = {cls.key_of(item["metadata"]): item for item in cls.members(api, scan.owner)}
        seen = api.map(lambda pair: pair[1].seen(api, mine.get(pair[0])), wanted.items())
        found = [*(item for key, item in mine.items() if key not in wanted), *filter(None, seen)]
        return [cls.shown(api, item) for item in found]

    @classmethod
    def members(cls, api: Cluster, owner: str) -> list[dict]:
        """What carries the label: one listing, or one per namespace for who may see no more.

        Controllers copy the label to what they make of an object, such as the EndpointSlices of a
        Service: that is theirs.
        """
        query = {"labelSelector": f"{PART_OF}={owner},!{COPIED}"}
        try:
            found = api.pages(cls.at(api), **query)
        except NotFound:  # its definition is going, and nothing of it is there
            return []
        except Denied:
            if not (cls.served.namespaced and cls.parent.namespaces):
                raise
            found = [item for space in cls.parent.namespaces
                     for item in api.pages(cls.at(api, {"namespace": space}), **query)]
        return [item for item in found
                if not search("metadata.ownerReferences[?controller]", item)]

    def complaint(self, api, live):
        """What it, its pods and the cluster's events say."""
        return explained(api, live, bool(self.pods)) if live else ""

    @classmethod
    def shown(cls, api: Cluster, item: dict) -> dict:
        """The item as fields and acceptors read it."""
        meta = item["metadata"]
        return masked({**item, "place": place(meta), "why": why(item),
                       "id": f"{place(meta)}@{meta.get('uid', '')[:8]}"})


class KubeObject(Member):
    """An object of a cluster, as its owner writes it."""

    manifest: dict = side("manifest")
    template: tuple = side("template", impact=Impact.ROLLING, default=())
    immutable: tuple = side("immutable", impact=Impact.REPLACE, create_only=True, default=())

    delete_first, apart = True, ("manifest", "template", "immutable")

    def seen(self, api: Cluster, item: dict | None) -> dict | None:
        """The live object with what an apply would change; None when it is not there."""
        if not self.parent.compared or self.key in api.made or (
                item and item["metadata"].get("deletionTimestamp")):
            return item  # nothing of it is compared any more
        before, after = api.predicted.get(self.key, ("", None))
        if item is None or fingerprint(item) not in (before, fingerprint(after)):
            item, after = self.predict(api, item)
            api.predicted[self.key] = (fingerprint(item), after)
        if item is None:
            return None
        refused = isinstance(after, Failure)
        if refused:
            return {**item, **rejection(self.manifest, item, after)}
        found = changes(item, after, self.rolls)
        return {**item, **found, "owners": owners(api.conflicts.get(self.key, ()), found)}

    @property
    def namespace(self) -> str:
        """Empty for what is in none."""
        return self.manifest["metadata"].get("namespace", "")

    @property
    def keeps(self) -> bool:
        """Whether it has fields that belong to others once it is there."""
        return ONCE in (self.manifest["metadata"].get("annotations") or {})

    @property
    def rolls(self) -> str:
        """The part whose change makes other pods."""
        return "spec.template" if self.group == "apps" and self.pods == TEMPLATE else ""

    def predict(self, api: Cluster, item: dict | None) -> tuple:
        """(live object, what it would be after an apply, or why that is refused)."""
        where = self.at(api, self.manifest["metadata"])
        if item is None and self.keeps:
            item = self.look(api, where)  # what is there decides what would be applied
        try:
            made, after = self.dry_run(api, where, settled(self.manifest, item))
        except NotFound as failure:  # its namespace
            return item, self.told(failure)
        except ServiceFailure as failure:
            if not isinstance(failure, VERDICTS):
                raise self.told(failure) from None
            if isinstance(failure, Busy) and self.namespace:  # which is going, and says why
                space = api.get(f"/api/v1/namespaces/{self.namespace}")
                failure.text = "; ".join(filter(None, (failure.text, why(space))))
            made, after = False, self.told(failure)
        if item is None and not made:  # somebody else's, or refused before it was looked for
            item = self.look(api, where)
        return item, after

    def dry_run(self, api: Cluster, where: str, manifest: dict) -> tuple[bool, dict]:
        """What an apply would bring, even if fields must be taken over for it."""
        api.conflicts.pop(self.key, None)
        try:
            return api.apply(where, manifest, self.forced, dry=True)
        except Rejected as failure:
            if failure.code != CONFLICT:
                raise
            api.conflicts[self.key] = failure.causes
            return api.apply(where, manifest, True, dry=True)

    @staticmethod
    def look(api: Cluster, where: str) -> dict | None:
        """The object at this path, if there is one that may be seen."""
        try:
            return api.get(where)
        except (NotFound, Denied):
            return None

    @property
    def forced(self) -> bool:
        """Whether fields of other managers may be taken over."""
        return self.key in self.parent.force_conflicts

    def told(self, failure: ServiceFailure) -> ServiceFailure:
        """The failure as people need it, without the values that nobody may see."""
        text = failure.text
        if failure.code == CONFLICT:
            text = contested(self.key, owners(failure.causes))
        told = type(failure)(failure.code, scrubbed(text, self.manifest))
        told.causes = getattr(failure, "causes", ())
        return told

    def apply(self, api: Cluster, there: bool = False) -> dict:
        """One server-side apply."""
        where = self.at(api, self.manifest["metadata"])
        live = self.look(api, where) if there and self.keeps else None
        try:
            return api.apply(where, settled(self.manifest, live), self.forced)[1]
        except ServiceFailure as failure:
            raise self.told(failure) from None

    def create(self, api):
        item = self.apply(api)
        if item["metadata"].get("deletionTimestamp"):  # an older one, still on its way
            raise Exists("Leaving", why(item))
        api.made.add(self.key)
        return self.shown(api, item)

    @updates("manifest", "template", "tags")
    def change(self, api, live):
        """Everything that differs, in one call."""
        item = self.apply(api, there=True)
        api.predicted[self.key] = (fingerprint(item), item)

    def delete(self, api, live):
        meta = live["metadata"]
        api.delete(self.at(api, meta), meta["uid"], foreground=bool(self.pods))


class Claim(KubeObject):
    """A claim whose class waits for a pod is as ready as it gets without one."""

    @classmethod
    def shown(cls, api, item):
        meta, spec = item["metadata"], item.get("spec") or {}
        pending = (item.get("status") or {}).get("phase") == "Pending" \
            and not meta.get("deletionTimestamp")
        return {**super().shown(api, item), "waits": pending and cls.immediate(
            api, spec.get("storageClassName"))}

    @staticmethod
    def immediate(api: Cluster, name: str | None) -> bool:
        """Whether volumes of a class are made at once; one without a class waits for its volume."""
        try:
            found = name and api.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}")
        except (NotFound, Denied):
            return False
        return bool(found) and found.get("volumeBindingMode") != "WaitForFirstConsumer"


class Service(KubeObject):
    """A service that the API server itself calls must answer before what makes it call."""

    called: bool = attr()

    def seen(self, api, item):
        item = super().seen(api, item)
        return item and {**item, "waits": bool(self.called) and not self.answers(api)}

    def complaint(self, api, live):
        lacks = "an endpoint that is ready" if self.called else "a load balancer"
        return super().complaint(api, live) or f"nobody has given it {lacks}"

    def answers(self, api: Cluster) -> bool:
        """Whether an endpoint of it is ready."""
        meta = self.manifest["metadata"]
        slices = api.get(f"/apis/discovery.k8s.io/v1/namespaces/{meta['namespace']}/endpointslices",
                         labelSelector=f"kubernetes.io/service-name={meta['name']}")
        return any((e.get("conditions") or {}).get("ready") for s in slices.get("items") or ()
                   for e in s.get("endpoints") or ())


class Job(KubeObject):
    """A job tells what the containers of its last pod left as their termination message.

    https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
    """

    outputs = {"message": "message"}

    @classmethod
    def shown(cls, api, item):
        item = super().shown(api, item)
        if not search("status.conditions[?type=='Complete' || type=='Failed']", item):
            return item
        text = cls.left(api, item["metadata"])
        return {**item, "message": text, "why": " ".join(filter(None, (item["why"], text)))}

    @staticmethod
    def left(api: Cluster, meta: dict) -> str:
        """The messages, empty where there are none or nobody may see the pods."""
        try:
            pods = api.pages(f"/api/v1/namespaces/{meta['namespace']}/pods",
                             labelSelector=f"batch.kubernetes.io/job-name={meta['name']}")
        except Denied:
            return ""
        last = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], default={})
        told = search("status.containerStatuses[].state.terminated.message", last) or ()
        return " ".join(text.strip() for text in told)


SPECIAL = {"PersistentVolumeClaim": Claim, "Service": Service, "Job.batch": Job}


class Kinds:
    """The classes of one run, made as kinds are met."""

    def __init__(self, api: Cluster, parent, timeout: float = 0):
        self.api, self.parent, self.timeout = api, parent, timeout
        self.known = {}

    def of(self, group: str, version: str, kind: str):
        """The class of a kind; `version` may be empty, then it is the one that the server prefers.
        """
        served = self.api.served(group, kind, version)
        version = version or (served.version if served else "")
        if (group, version, kind) not in self.known:
            self.known[group, version, kind] = self._make(group, version, kind, served)
        return self.known[group, version, kind]

    @functools.cached_property
    def release(self):
        """The class of Helm releases."""
        return type("HelmRelease", (HelmRelease,), {
            "__doc__": HelmRelease.__doc__, "__annotations__": {}, "parent": self.parent})

    def of_group_kind(self, name: str):
        """The class of Deployment.apps, in the version of the set; None where nobody serves it."""
        kind, _dot, group = name.partition(".")
        same = [c for c in self.known.values() if c.group_kind == name]
        return same[0] if same else self.of(group, "", kind) \
            if self.api.served(group, kind) else None

    def _make(self, group: str, version: str, kind: str, served):
        name = group_kind(group, kind)
        row, base = facts(name), SPECIAL.get(name, KubeObject)
        changing = " || ".join(f"{part}.stored" for part in ("manifest", "template", "immutable"))
        longest = {"longest": self.timeout} if self.timeout else {}
        return type(kind, (base,), {
            "__doc__": base.__doc__, "__annotations__": {"immutable": tuple},
            "immutable": side("immutable", impact=row.replace, create_only=True, default=()),
            "group": group, "version": version, "kind": kind, "group_kind": name, "listed_as": name,
            "api_version": "/".join(filter(None, (group, version))), "served": served,
            "parent": self.parent, "pods": row.pods, "stateful": row.stateful,
            # What is about to be changed need not be ready for it: the change may be its cure.
            "ready": row.ready and f"{changing} || ({row.ready})",
            "failed": row.failed and f"!({changing}) && ({row.failed})",
            "seconds": {"create": row.create, **longest}})
