# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Helm writes down of releases: a Secret for each revision.

https://helm.sh/docs/topics/kubernetes_apis/
"""
from __future__ import annotations

import base64
import datetime
import gzip
import json
import zlib

from ..clients.kubernetes import Cluster
from ..engine.errors import Busy, Failure
from ..engine.resource import search

CURRENT = "owner=helm,status!=superseded"
LABEL = "groundwork.aws/applyset"  # not the members' own: a release's Secrets are no members
# Helm hands the labels of a revision on to the next one, so that only one whose own number is in
# this label was begun by a run of ours.
BEGUN = "groundwork.aws/revision"
REMOVAL = "removal"  # in place of its number, where a run of ours has begun to take it away
UNDER_WAY = ("pending-", "uninstalling")  # statuses, of one that died for ever
LIMIT = 300  # seconds that helm gives itself where nobody says how many


# What of a release is read here.
PARTS = ("info.status", "version", "manifest", "chart.metadata.name", "chart.metadata.version")


def decoded(item: dict) -> dict:
    """A release out of its Secret."""
    meta = item["metadata"]
    try:
        packed = base64.b64decode(base64.b64decode(item["data"]["release"]))
        release = json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error):
        release = {}
    if any(search(part, release) is None for part in PARTS):
        raise Failure(f"Secret {meta['namespace']}/{meta['name']}: Helm's record in it cannot be "
                      "read; delete it, and the next run installs or upgrades the release anew")
    return release


def revision(item: dict) -> int:
    """Its number."""
    return int(item["metadata"]["labels"].get("version", 0))


def latest(items) -> dict:
    """namespace/name -> the Secret of the last revision of each release."""
    return {f"{item['metadata']['namespace']}/{item['metadata']['labels']['name']}": item
            for item in sorted(items, key=revision)}


def recorded(api: Cluster, place: str) -> list[dict]:
    """The Secrets of a release's revisions, the last one last."""
    space, name = place.split("/")
    return sorted(api.pages(f"/api/v1/namespaces/{space}/secrets",
                            labelSelector=f"{CURRENT},name={name}"), key=revision)


def labels(owner: str, number: int) -> str:
    """What a run of the set gives to the revision that it begins, as helm takes it."""
    return f"{LABEL}={owner},{BEGUN}={number}"


def mark_removal(api: Cluster, place: str, name: str) -> None:
    """Notes on the last revision that it is a run of the set that takes it away."""
    api.call("PATCH", f"/api/v1/namespaces/{place.split('/')[0]}/secrets/{name}",
             {"metadata": {"labels": {BEGUN: REMOVAL}}},
             headers={"Content-Type": "application/merge-patch+json"})


def died(records: list[dict], limit: int) -> dict | None:
    """The last of them where helm has died over it; `Busy` where somebody may be at it.

    Who asks holds the set's lease, so what a run of the set has begun is dead.
    """
    told = records[-1]["metadata"]["labels"] if records else {"status": "none"}
    if not told["status"].startswith(UNDER_WAY):
        return None
    since = max(int(told.get(name, 0)) for name in ("createdAt", "modifiedAt"))
    young = datetime.datetime.now().timestamp() - since < max(limit, LIMIT)
    if young and not ours(records):
        began = datetime.datetime.fromtimestamp(since, datetime.timezone.utc)
        raise Busy("Helm", f"release {told['name']} is being changed by somebody since "
                   f"{began:%H:%M:%S}Z ({told['status']}); wait for the end of that, or for "
                   f"{max(limit, LIMIT)} s from then, after which it counts as dead")
    return records[-1]


def take_back(api: Cluster, place: str, records: list[dict], seconds: float) -> None:
    """Back to the last revision that was whole, or to nothing."""
    space, name = place.split("/")
    whole = [r for r in records if r["metadata"]["labels"]["status"] == "deployed"]
    words = ["rollback", name, str(revision(whole[-1]))] if whole else ["uninstall", name, "--wait"]
    api.helm.call([*words, "--namespace", space], seconds)


def ours(records: list[dict]) -> bool:
    """Whether a run of the set has begun the last revision."""
    last, status = records[-1], records[-1]["metadata"]["labels"]["status"]
    if status == "uninstalling":
        return last["metadata"]["labels"].get(BEGUN) == REMOVAL
    # The way back from a failed revision has the labels of where it goes to.
    first = records[-2] if status == "pending-rollback" and len(records) > 1 else last
    return first["metadata"]["labels"].get(BEGUN) == str(revision(first))
