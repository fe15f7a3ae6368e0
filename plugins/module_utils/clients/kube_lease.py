# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lease kept where the set is: https://kubernetes.io/docs/concepts/architecture/leases/."""
from __future__ import annotations

import json

from ..engine.errors import Busy, Exists, NotFound
from .lease import MINUTES

HOLDER = "groundwork.aws/holder"  # annotation: who holds it, enough to tell whether it still runs


class LeaseObject:
    """A Lease beside the parent of a set; its resourceVersion is the condition of every write."""

    def __init__(self, api, namespace: str, name: str):
        self.api, self.namespace, self.name = api, namespace, name
        self.path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    def read(self) -> tuple:
        """(holder, mark of this state); (None, None) when there is none.

        A record that cannot be read is an empty holder.
        """
        try:
            found = self.api.get(f"{self.path}/{self.name}")
        except NotFound:
            return None, None
        notes = found["metadata"].get("annotations") or {}
        unknown = {"who": "somebody", "host": "somewhere", "pid": 0, "token": "",
                   "until": "2000-01-01T00:00:00+00:00"}  # not one of ours: free to take
        try:
            holder = json.loads(notes[HOLDER]) if HOLDER in notes else unknown
        except ValueError:
            holder = {}
        return (holder if isinstance(holder, dict) else {}, found["metadata"]["resourceVersion"])

    def write(self, holder: dict, mark):
        """The mark of the state that is written, or None when it is not the marked one before."""
        meta = {"name": self.name, "namespace": self.namespace,
                "annotations": {HOLDER: json.dumps(holder)}}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": {
            "holderIdentity": f"{holder['who']}@{holder['host']}/{holder['pid']}",
            "leaseDurationSeconds": MINUTES * 60}}
        try:
            if mark:
                meta["resourceVersion"] = mark
                answer = self.api.call("PUT", f"{self.path}/{self.name}", body)[1]
            else:
                answer = self.api.call("POST", self.path, body)[1]
        except (Busy, Exists):
            return None
        return answer["metadata"]["resourceVersion"]

    def remove(self, mark) -> None:
        """Takes it away, unless somebody else has written it since."""
        self.api.call("DELETE", f"{self.path}/{self.name}",
                      {"preconditions": {"resourceVersion": mark}})
