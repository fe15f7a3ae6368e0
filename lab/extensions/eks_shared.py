"""EKS: versions, updates, and what every EKS operation asks. moto's own EKS is not used."""

import json
from datetime import date, datetime, timezone
from pathlib import Path

from lab import kit
from lab.errors import Refusal
from lab.registry import handler

DATA = Path(__file__).parent.parent / "data"
CALENDAR = json.loads((DATA / "eks_versions.json").read_text())
VERSIONS = CALENDAR["versions"]


def invalid(text, **members):
    return Refusal("InvalidParameterException", text, **members)


def in_use(text, **members):
    return Refusal("ResourceInUseException", text, **members)


def not_found(text, **members):
    return Refusal("ResourceNotFoundException", text, **members)


def bad_request(text, **members):
    return Refusal("InvalidRequestException", text, **members)


def minor(version):
    major, _dot, rest = version.partition(".")
    return int(major), int(rest or 0)


def support(lab, version):
    """standard-support, extended-support or unsupported, on the day the lab pretends it is."""
    row = VERSIONS.get(version)
    day = date.fromisoformat(lab.settings.today or CALENDAR["today"])
    if row is None or day > date.fromisoformat(row["extended"]):
        return "unsupported"
    within = day <= date.fromisoformat(row["standard"])
    return "standard-support" if within else "extended-support"


def need_version(lab, version):
    if support(lab, version) == "unsupported":
        raise invalid(f"unsupported Kubernetes version: {version}")


def cluster_of(call, name=None):
    """The live cluster, or ResourceNotFoundException."""
    name = name or call.params.get("clusterName") or call.params.get("name")
    cluster = call.store.table("eks.cluster").get(name)
    if cluster is None:
        raise not_found(f"No cluster found for name: {name}.", clusterName=name)
    return cluster


def need_active(cluster, verb):
    """One change at a time. Source: API_UpdateClusterConfig, ResourceInUseException."""
    name, status = cluster["name"], cluster["status"]
    if status == "UPDATING":
        raise in_use(f"Cannot {verb} because cluster {name} currently has an update in progress",
                     clusterName=name)
    if status != "ACTIVE":
        raise in_use(f"Cannot {verb} because cluster {name} is in {status} state",
                     clusterName=name)


def members(call, kind, cluster):
    """The objects of one kind that belong to a cluster, by name."""
    table = call.store.table(f"eks.{kind}")
    return {key[1]: item for key, item in table.items() if key[0] == cluster}


def need_role(call, arn, service, field):
    """The role must exist, be known by now, and trust the service."""
    role = kit.role_usable(call, arn)
    if role is None or not kit.trusts(role, service):
        raise invalid(f"Role with arn: {arn}, could not be assumed because it does not exist or "
                      f"the trusted entity is not correct ({field})")
    return role


def token_mismatch():
    return invalid("The client request token was used with other parameters.")


# ---- updates: API_Update, API_DescribeUpdate, API_ListUpdates ---------------------------------

def begin_update(call, owner, kind, params, duration, finish=None):
    """Set the owner UPDATING, apply at once, and be done after AWS's duration, and when the
    owner's job (its real nodes), if there is one, has ended."""
    update = {"id": f"{kit.hex_id(8)}-{kit.hex_id(4)}-{kit.hex_id(4)}-{kit.hex_id(12)}",
              "status": "InProgress", "type": kind, "createdAt": kit.now(call), "errors": [],
              "params": [{"type": name, "value": text(value)} for name, value in params.items()]}
    owner.setdefault("_updates", []).insert(0, update)
    owner["status"] = "UPDATING"
    job = owner.pop("_job", None)
    planned = call.lab.settings.update_errors.get(duration, [])
    planned = [dict(zip(("errorCode", "errorMessage"), planned), resourceIds=[])] * bool(planned)

    def done():
        update["errors"] = (job.errors if job else []) + planned
        update["status"] = "Failed" if update["errors"] else "Successful"
        if owner["status"] == "UPDATING":
            owner["status"] = "ACTIVE"
        if finish and not update["errors"]:
            finish()

    call.lab.later(duration, done, job and job.ended)
    kit.remember_request(call, "clientRequestToken", lambda: {"update": update})
    return {"update": update}


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def owner_of_updates(call):
    cluster = cluster_of(call, call.params["name"])
    for kind, field in (("nodegroup", "nodegroupName"), ("addon", "addonName")):
        name = call.params.get(field)
        if name:
            owner = call.store.table(f"eks.{kind}").get((cluster["name"], name))
            if owner is None:
                raise not_found(f"No {kind} found for name: {name}.")
            return owner
    return cluster


@handler("eks", "DescribeUpdate")
def describe_update(call):
    wanted = call.params["updateId"]
    for update in owner_of_updates(call).get("_updates", []):
        if update["id"] == wanted:
            return {"update": update}
    raise not_found(f"No update found for ID: {wanted}")


@handler("eks", "ListUpdates")
def list_updates(call):
    ids = [update["id"] for update in owner_of_updates(call).get("_updates", [])]
    ids, token = kit.page(call, ids)
    return {"updateIds": ids, "nextToken": token}


# ---- tags: API_TagResource ---------------------------------------------------------------------

TAGGED = {"cluster": "arn", "nodegroup": "nodegroupArn", "addon": "addonArn",
          "access_entry": "accessEntryArn", "association": "associationArn"}


def by_arn(call):
    arn = call.params["resourceArn"]
    for kind, field in TAGGED.items():
        for item in call.store.table(f"eks.{kind}").values():
            if item[field] == arn:
                return item
    raise Refusal("NotFoundException", f"Resource was not found for arn: {arn}")


def check_tags(tags):
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag keys starting with 'aws:' are reserved for system use: {key}")


@handler("eks", "TagResource")
def tag_resource(call):
    check_tags(call.params["tags"])
    by_arn(call)["tags"].update(call.params["tags"])
    return {}


@handler("eks", "UntagResource")
def untag_resource(call):
    tags = by_arn(call)["tags"]
    for key in call.params["tagKeys"]:
        tags.pop(key, None)
    return {}


@handler("eks", "ListTagsForResource")
def list_tags(call):
    return {"tags": by_arn(call)["tags"]}


# ---- versions: API_DescribeClusterVersions ------------------------------------------------------

def moment(day):
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


@handler("eks", "DescribeClusterVersions")
def describe_cluster_versions(call):
    asked = call.params
    rows = []
    for version, row in VERSIONS.items():
        status = support(call.lab, version)
        if status == "unsupported" and not asked.get("includeAll"):
            continue
        rows.append({
            "clusterVersion": version, "clusterType": "eks", "status": status,
            "versionStatus": status.upper().replace("-", "_"),
            "defaultVersion": version == CALENDAR["default"],
            "defaultPlatformVersion": row["platform"], "kubernetesPatchVersion": row["patch"],
            "releaseDate": moment(row["released"]),
            "endOfStandardSupportDate": moment(row["standard"]),
            "endOfExtendedSupportDate": moment(row["extended"])})
    for field, key in (("status", "status"), ("versionStatus", "versionStatus")):
        if asked.get(field):
            rows = [row for row in rows if row[key] == asked[field]]
    if asked.get("clusterVersions"):
        rows = [row for row in rows if row["clusterVersion"] in asked["clusterVersions"]]
    if asked.get("defaultOnly"):
        rows = [row for row in rows if row["defaultVersion"]]
    rows, token = kit.page(call, rows)
    return {"clusterVersions": rows, "nextToken": token}
