"""Takes nodes out of a cluster as EKS does: cordon, evict, then the instance goes.

Sources: kubernetes.io/docs/concepts/scheduling-eviction/api-eviction,
userguide/managed-node-update-behavior.html, userguide/delete-managed-node-group.html.
"""

import time

from lab.kube.api import ApiError

NODES = "/api/v1/nodes"
LOOK_SECONDS = 0.2
OUT_OF_SERVICE = "node.kubernetes.io/exclude-from-external-load-balancers"


def cordon(api, name):
    api.patch(f"{NODES}/{name}", {"spec": {"unschedulable": True},
                                  "metadata": {"labels": {OUT_OF_SERVICE: "true"}}})


def uncordon(api, name):
    api.patch(f"{NODES}/{name}", {"spec": {"unschedulable": None},
                                  "metadata": {"labels": {OUT_OF_SERVICE: None}}})


def pods_on(api, name):
    return api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")["items"]


def to_evict(pod):
    """Not what a DaemonSet would put back, what the node itself runs, and what has ended."""
    meta = pod["metadata"]
    owners = {owner["kind"] for owner in meta.get("ownerReferences", []) if owner.get("controller")}
    return not (owners & {"DaemonSet", "Node"} or "kubernetes.io/config.mirror" in
                meta.get("annotations", {}) or pod["status"].get("phase") in
                ("Succeeded", "Failed"))


def path_of(pod):
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


def evict(api, pod):
    """Ask once; False when a PodDisruptionBudget refuses for now."""
    meta = pod["metadata"]
    try:
        api.post(f"{path_of(pod)}/eviction", {
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"]}})
    except ApiError as error:
        # 429: the budget allows none now. 500: more than one budget names the pod.
        return error.status == 404 if error.status in (404, 429, 500) else fail(error)
    return True


def fail(error):
    raise error


def drain(api, name, seconds, force=False):
    """Evict until nothing is left. What still refuses after that many seconds is named, or
    deleted with force."""
    cordon(api, name)
    deadline = time.monotonic() + seconds
    while True:
        left = [pod for pod in pods_on(api, name) if to_evict(pod)]
        for pod in left:
            if not pod["metadata"].get("deletionTimestamp"):
                evict(api, pod)
        if not left:
            return []
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    if not force:
        return [f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in left]
    for pod in left:
        api.delete(path_of(pod))
    return []


def remove(api, name):
    """The instance is gone: its node, and what ran on it."""
    api.delete(f"{NODES}/{name}")
    for pod in pods_on(api, name):
        api.delete(path_of(pod), gracePeriodSeconds=0)


def join(api, nodes, seconds=30):
    """Create nodes and wait until they are Ready."""
    for node in nodes:
        try:
            api.post(NODES, node)
        except ApiError as error:
            if error.status != 409:  # a request whose answer was lost is sent again
                raise
    waiting, deadline = {node["metadata"]["name"] for node in nodes}, time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        waiting = {name for name in waiting if not is_ready(api.get(f"{NODES}/{name}"))}
        time.sleep(0.05 if waiting else 0)
    return not waiting


def is_ready(node):
    return any(row["type"] == "Ready" and row["status"] == "True"
               for row in node["status"].get("conditions", []))
