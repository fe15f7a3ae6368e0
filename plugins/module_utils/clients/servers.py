# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The API servers of a stack's own clusters, each connected once in a run."""
from __future__ import annotations

import threading

from ..engine.errors import Denied, Failure
from .eks_token import from_eks
from .kubernetes import Cluster

CONNECTING = threading.Lock()
INSTEAD = "what its controllers have made is found in the account by its tags"


class Server(Cluster):
    """One that answers. What may not be listed at the first try is left unread; later, and for
    every other reason, a listing that fails tells nothing of what is there."""

    def __init__(self, aws, description: dict):
        super().__init__(from_eks(aws, description), clock=aws.clock)
        self.notes, self._read, self.refused = aws.notes, set(), set()  # sets of kinds
        self.served("", "Service")

    def listed(self, group: str, kind: str, **query) -> list[dict]:
        """All objects of a kind, each with its `path`; none where nobody serves it."""
        served = self.served(group, kind)
        if not served or kind in self.refused:
            return []
        try:
            found = self.pages(served.path, **query)
        except Denied as failure:
            if kind in self._read:
                raise
            self.refused.add(kind)
            self.notes.append(f"{self.connection.name}: {kind} may not be listed ({failure}); "
                              f"{INSTEAD}")
            return []
        self._read.add(kind)
        return [{**item, "path": served.at(item["metadata"].get("namespace", ""),
                                           item["metadata"]["name"])} for item in found]


def server(aws, description: dict) -> Server | None:
    """The server of a cluster that DescribeCluster has described; None, and a note for people,
    where it cannot be asked."""
    name = description["name"]
    with CONNECTING:
        if name not in aws.servers:
            try:
                aws.servers[name] = Server(aws, description)
            except (Failure, OSError, ValueError) as failure:
                aws.servers[name] = None
                aws.notes.append(f"EKS cluster {name} cannot be asked what is in it ({failure}); "
                                 f"{INSTEAD}")
    found = aws.servers[name]
    if found:
        found.read_only = aws.read_only
    return found
