"""The control planes of a lab: several at once, each in a folder of its own."""

import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from lab.kube.build import built

NEEDED = ("control", "kwok", "karpenter")


@dataclass(frozen=True)
class Options:
    name: str
    version: str = "1.35"
    service_cidr: str = "172.20.0.0/16"
    issuer_path: str = "/id/lab"   # of the OIDC issuer's address
    karpenter_time_scale: float = 1  # of the time that its nodes stay empty


class NotBuilt(ValueError):
    def __init__(self):
        super().__init__("clusters need the programs of lab/kube; build them once with: "
                         "python -m lab.kube")


class Fleet:
    """Clusters by key. `folder` is the lab's; without one a temporary folder is used."""

    def __init__(self, folder=None):
        self.folder = Path(folder) / "clusters" if folder else None
        self.clusters = {}

    def programs(self):
        """Of a cluster; NotBuilt where they are not there."""
        found = built(*NEEDED)
        if found is None:
            raise NotBuilt
        return found

    def place(self, key):
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="lab-clusters-"))
        return self.folder / "-".join(key)

    def start(self, key, options, webhooks):
        """Begin to start a cluster; it says itself when it is ready."""
        from lab.kube.cluster import Cluster  # most labs have no cluster, and start sooner

        cluster = self.clusters[key] = Cluster(self.place(key), options, self.programs(), webhooks)
        threading.Thread(target=run, args=(cluster,), daemon=True,
                         name=f"start {options.name}").start()
        return cluster

    def get(self, key):
        return self.clusters.get(key)

    def tell(self):
        """What runs, and how to get in as its administrator."""
        return [{"account": account, "region": region, "name": name,
                 "ready": cluster.ready.is_set(),
                 "error": cluster.error and str(cluster.error),
                 "endpoint": cluster.endpoint if cluster.ready.is_set() else None,
                 "kubeconfig": str(cluster.kubeconfig)}
                for (account, region, name), cluster in list(self.clusters.items())]

    def stop(self, key):
        cluster = self.clusters.pop(key, None)
        if cluster:
            cluster.stop()

    def close(self):
        """Stop all of them and leave nothing behind."""
        for key in list(self.clusters):
            self.stop(key)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def run(cluster):
    """The error, if there is one, is kept by the cluster."""
    try:
        cluster.start()
    except Exception:
        cluster.end()
