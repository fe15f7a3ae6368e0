# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why an object is not as it should be: what its pods and the cluster's events say of it.

https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/
"""
from __future__ import annotations

import collections

from ..clients.kubernetes import Cluster
from ..engine.errors import Failure
from ..engine.resource import search
from .compare import reasons, why

MOST, LENGTH = 2, 400  # reasons that are told, and their characters
STARTING = ("ContainerCreating", "PodInitializing")
SIGNS = {"In": "in", "NotIn": "notin"}
RESULTS = ("Available: ", "Progressing: ", "Ready: ")  # conditions that pods explain


def explained(api: Cluster, item: dict, pods: bool) -> str:
    """The reasons of its pods, of events, and its own, but for what these are the reasons of."""
    own = reasons(item)
    told = [text for text in own if not text.startswith(RESULTS)]
    try:
        told += [*(of_pods(api, item) if pods else ()), *of_events(api, item)][:MOST]
        told = told or own or of_events(api, item, "Normal")[:1]
    except Failure:  # who may not see them is told the rest
        told = told or own
    return "; ".join(dict.fromkeys(told))


def of_pods(api: Cluster, item: dict) -> list[str]:
    """What keeps the pods of a workload from being ready, each reason once."""
    meta, selector = item["metadata"], search("spec.selector", item)
    if item["kind"] == "Pod":
        pods = [item]
    elif selector:
        pods = api.pages(f"/api/v1/namespaces/{meta['namespace']}/pods",
                         labelSelector=written(selector))
    else:
        return []
    told = collections.defaultdict(list)
    for pod in (p for p in pods if not done(p)):
        told[trouble(pod) or " ".join(of_events(api, pod)[:1])].append(pod["metadata"]["name"])
    return [f"pod {names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {text}"[:LENGTH]
            for text, names in told.items() if text]


def done(pod: dict) -> bool:
    """Whether nothing is to be said of it."""
    ready = search("status.phase=='Succeeded' || status.conditions[?type=='Ready' && "
                   "status=='True']", pod)
    return bool(ready) and not pod["metadata"].get("deletionTimestamp")


def trouble(pod: dict) -> str:
    """Why a pod waits to go, for a node, or for one of its containers; empty: nobody says."""
    if pod["metadata"].get("deletionTimestamp"):
        return why(pod) or "is being terminated"
    unscheduled = search("status.conditions[?type=='PodScheduled' && status!='True']|[0].message",
                         pod)
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or ()),
                      *(status.get("containerStatuses") or ())]:
        state, last = container.get("state") or {}, container.get("lastState") or {}
        waits = state.get("waiting") or {}
        ended = state.get("terminated") or last.get("terminated") or {}
        text = [] if waits.get("reason") in STARTING else \
            [waits.get("reason"), waits.get("message")]
        if ended.get("exitCode"):
            text += [f"ended with {ended['exitCode']}", ended.get("message")]
        if any(text):
            return ": ".join(filter(None, [f"container {container['name']}", *text]))
    return unscheduled or ""


def of_events(api: Cluster, item: dict, kind: str = "Warning") -> list[str]:
    """The last event of each reason about an object, the latest first."""
    meta = item["metadata"]
    last = {e.get("reason"): e.get("message", "") for e in events(
        api, meta.get("namespace", "default"), type=kind, **{"involvedObject.uid": meta["uid"]})}
    return [f"{reason}: {text.strip()}"[:LENGTH] for reason, text in reversed(last.items())]


def events(api: Cluster, namespace: str, **fields) -> list[dict]:
    """Those of a namespace with these fields, the latest last."""
    selector = ",".join(f"{name}={value}" for name, value in fields.items())
    found = api.pages(f"/api/v1/namespaces/{namespace}/events", fieldSelector=selector)
    return sorted(found, key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or
                  e["metadata"]["creationTimestamp"])


def warned(api: Cluster, namespace: str, before=()) -> dict[str, dict]:
    """Version -> warning, the latest last, of the warnings that are not among those of `before`."""
    try:
        found = {e["metadata"]["resourceVersion"]: e for e in events(
            api, namespace, type="Warning")}
    except Failure:  # they may not be seen
        return {}
    return {version: event for version, event in found.items() if version not in before}


def headlines(found: dict[str, dict], name: str) -> list[str]:
    """The last of each reason, as few as people read, those about objects of a name first."""
    last = {e.get("reason"): e for e in found.values()}
    rows = [(e["involvedObject"], e) for e in reversed(last.values())]
    rows.sort(key=lambda row: name not in row[0]["name"])
    return [": ".join(filter(None, (f"{about['kind'].lower()} {about['name']}", e.get("reason"),
                                    e.get("message"))))[:LENGTH] for about, e in rows[:MOST]]


def written(selector: dict) -> str:
    """A selector of labels as a query has it."""
    labels = selector.get("matchLabels") or ({} if "matchExpressions" in selector else selector)
    found = [f"{name}={value}" for name, value in labels.items()]
    for row in selector.get("matchExpressions") or ():
        name, values = row["key"], f" ({','.join(row.get('values') or ())})"
        found.append(f"{name} {SIGNS[row['operator']]}{values}" if row["operator"] in SIGNS else
                     name if row["operator"] == "Exists" else f"!{name}")
    return ",".join(found)
