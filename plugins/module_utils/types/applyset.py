# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parent of a set of objects, by which kubectl and every later run know its members.

https://github.com/kubernetes/enhancements/tree/master/keps/sig-cli/3659-kubectl-apply-prune
"""
from __future__ import annotations

import base64
import hashlib

from ..clients.kubernetes import Cluster
from ..engine.errors import NotFound
from ..engine.resource import KEY, OWNER, Resource, attr, create_only, updates

PREFIX = "applyset.kubernetes.io/"
ID, PART_OF, TOOLING = PREFIX + "id", PREFIX + "part-of", PREFIX + "tooling"
KINDS, SPACES = PREFIX + "contains-group-kinds", PREFIX + "additional-namespaces"
TOOL = "groundwork.aws/v1"


def applyset_id(name: str, namespace: str) -> str:
    """The value of the members' label, by the specification's own rule."""
    digest = hashlib.sha256(f"{name}.{namespace}.ConfigMap.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def listed(live: dict, annotation: str) -> list[str]:
    """The values of an annotation that holds a list."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(annotation) or ""
    return sorted(filter(None, text.split(",")))


def enough(wanted: list, live: list) -> list:
    """What to write: nothing is taken out before its members are gone."""
    return live if set(wanted) <= set(live) else sorted({*wanted, *live})


class Parent(Resource):
    """The ConfigMap that names a set and the kinds and namespaces that it has members of."""

    name: str = create_only("metadata.name")
    namespace: str = create_only("metadata.namespace")
    kinds: list = attr("kinds", want=lambda wanted, live: enough(wanted, live["kinds"]))
    namespaces: list = attr("namespaces",
                            want=lambda wanted, live: enough(wanted, live["namespaces"]))

    ref, identity, tags_path = "metadata.uid", ("name", "namespace"), "metadata.labels"
    delete_first, leaving, tells = True, "metadata.deletionTimestamp", ()
    force_conflicts, compared = (), True  # of the members, by the user's word
    outputs = {"id": 'metadata.labels."applyset.kubernetes.io/id"', "kinds": "kinds"}

    @property
    def id(self) -> str:
        """The value of the members' label."""
        return applyset_id(self.name, self.namespace)

    @property
    def own_tags(self) -> dict:
        """What its labels say, in the engine's words."""
        return {OWNER: self.id, KEY: self.key}

    @property
    def path(self) -> str:
        """Where the object is."""
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    @classmethod
    def tags_of(cls, live):
        meta = live.get("metadata") or {}
        owner = (meta.get("labels") or {}).get(ID)
        return {OWNER: owner, KEY: f"{meta['name']}/parent/{meta['name']}"} if owner else {}

    @classmethod
    def fetch(cls, scan):
        """The parent of each wanted set."""
        for parent in scan.keyed(cls).values():
            try:
                yield cls.shown(scan.api.get(f"{parent.path}/{parent.name}"))
            except NotFound:
                pass

    @staticmethod
    def shown(item: dict) -> dict:
        """The object with its lists."""
        return {**item, "kinds": listed(item, KINDS), "namespaces": listed(item, SPACES)}

    def manifest(self, kinds, namespaces) -> dict:
        """The object as the specification has it."""
        others = sorted({n for n in namespaces if n and n != self.namespace})
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": self.name, "namespace": self.namespace, "labels": {ID: self.id},
            "annotations": {TOOLING: TOOL, KINDS: ",".join(sorted(kinds)),
                            SPACES: ",".join(others)}}}

    def write(self, api: Cluster, kinds, namespaces) -> dict:
        """One call; returns the object."""
        path = f"{self.path}/{self.name}"
        return self.shown(api.apply(path, self.manifest(kinds, namespaces))[1])

    def create(self, api):
        return self.write(api, self.kinds, self.namespaces)

    @updates("kinds", "namespaces", "tags")
    def widen(self, api, live):
        """Writes what is to come before it comes."""
        self.write(api, {*self.kinds, *live["kinds"]}, {*self.namespaces, *live["namespaces"]})

    def delete(self, api, live):
        api.delete(f"{self.path}/{self.name}", live["metadata"]["uid"])
