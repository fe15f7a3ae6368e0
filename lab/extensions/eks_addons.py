"""EKS add-ons: API_CreateAddon, API_UpdateAddon, API_DeleteAddon, API_DescribeAddonVersions."""

import json
from pathlib import Path

from lab import kit
from lab.extensions import eks_shared as eks
from lab.extensions.eks_access import associate
from lab.registry import handler

CATALOGUE = json.loads(
    (Path(__file__).parent.parent / "data" / "eks_addons.json").read_text())
CATALOGUE.pop("_comment")
NO_REPLICAS = {"code": "InsufficientNumberOfReplicas",
               "message": "The add-on is unhealthy because it doesn't have the desired number of "
                          "replicas.", "resourceIds": []}


def versions_of(name, kubernetes):
    """Newest first, for one Kubernetes version."""
    return [version.replace("{minor}", kubernetes) for version in CATALOGUE[name]["versions"]]


def default_of(name, kubernetes):
    return versions_of(name, kubernetes)[CATALOGUE[name]["default"]]


def need_known(name):
    if name not in CATALOGUE:
        raise eks.invalid(f"Addon {name} specified is not supported", addonName=name)


def need_version(name, version, kubernetes):
    if version not in versions_of(name, kubernetes):
        raise eks.invalid(f"Addon version specified is not supported: {version}", addonName=name)


def check_values(values, name):
    if values:
        try:
            if not isinstance(json.loads(values), dict):
                raise ValueError("not an object")
        except ValueError as error:
            raise eks.invalid("ConfigurationValue provided in request is not supported: Json "
                              f"schema validation failed: {error}", addonName=name) from error


def check_role(call, arn):
    if arn and kit.role_usable(call, arn) is None:
        raise eks.invalid(f"Role with arn {arn} does not exist")


def addon_of(call):
    cluster, name = eks.cluster_of(call), call.params["addonName"]
    addon = call.store.table("eks.addon").get((cluster["name"], name))
    if addon is None:
        raise eks.not_found(f"No addon: {name} found in cluster: {cluster['name']}",
                            clusterName=cluster["name"], addonName=name)
    return cluster, addon


@handler("eks", "CreateAddon")
def create_addon(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    cluster, asked = eks.cluster_of(call), call.params
    name = asked["addonName"]
    need_known(name)
    if (cluster["name"], name) in call.store.table("eks.addon"):
        raise eks.in_use("Addon already exists.", clusterName=cluster["name"], addonName=name)
    if cluster["status"] not in ("ACTIVE", "UPDATING"):
        raise eks.bad_request(f"Cluster {cluster['name']} is not in ACTIVE state",
                              clusterName=cluster["name"], addonName=name)
    version = asked.get("addonVersion") or default_of(name, cluster["version"])
    need_version(name, version, cluster["version"])
    check_values(asked.get("configurationValues"), name)
    check_role(call, asked.get("serviceAccountRoleArn"))
    eks.check_tags(asked.get("tags") or {})
    addon = {
        "addonName": name, "clusterName": cluster["name"], "status": "CREATING",
        "addonVersion": version, "health": {"issues": []}, "createdAt": kit.now(call),
        "addonArn": call.arn("eks", f"addon/{cluster['name']}/{name}/{kit.hex_id(8)}-"
                             f"{kit.hex_id(4)}-{kit.hex_id(12)}"),
        "modifiedAt": kit.now(call), "tags": dict(asked.get("tags") or {}),
        "serviceAccountRoleArn": asked.get("serviceAccountRoleArn"), "publisher": "eks",
        "owner": "aws", "configurationValues": asked.get("configurationValues")}
    addon["podIdentityAssociations"] = identities(call, cluster, addon)
    call.store.table("eks.addon")[cluster["name"], name] = addon
    call.lab.later("eks.addon.create", lambda: settle(call, addon))
    kit.remember_request(call, "clientRequestToken", lambda: {"addon": addon})
    return {"addon": addon}


def identities(call, cluster, addon):
    """Associations that the add-on owns."""
    rows = call.params.get("podIdentityAssociations")
    if rows is None:
        return addon.get("podIdentityAssociations") or []
    table = call.store.table("eks.association")
    for key in [key for key, item in table.items() if item["ownerArn"] == addon["addonArn"]]:
        del table[key]
    namespace = "kube-system"
    return [associate(call, cluster, {"namespace": namespace, **row}, addon["addonArn"])[
        "associationArn"] for row in rows]


def has_nodes(call, cluster):
    return any(group["status"] in ("ACTIVE", "UPDATING") and group["scalingConfig"]["desiredSize"]
               for group in eks.members(call, "nodegroup", cluster).values())


def settle(call, addon):
    """Done creating or updating: healthy, or waiting for nodes."""
    if addon["status"] == "DELETING":
        return
    needs = CATALOGUE[addon["addonName"]]["needs_nodes"] and call.lab.settings.addons_need_nodes
    if needs and not has_nodes(call, addon["clusterName"]):
        addon.update(status="DEGRADED", health={"issues": [NO_REPLICAS]})
    else:
        addon.update(status="ACTIVE", health={"issues": []})


def nodes_changed(call, cluster):
    """Called when a node group comes: what was degraded for lack of nodes recovers."""
    for addon in eks.members(call, "addon", cluster).values():
        if addon["status"] == "DEGRADED":
            settle(call, addon)


@handler("eks", "DescribeAddon")
def describe_addon(call):
    return {"addon": addon_of(call)[1]}


@handler("eks", "ListAddons")
def list_addons(call):
    names = list(eks.members(call, "addon", eks.cluster_of(call)["name"]))
    names, token = kit.page(call, names)
    return {"addons": names, "nextToken": token}


@handler("eks", "UpdateAddon")
def update_addon(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    (cluster, addon), asked = addon_of(call), call.params
    name = addon["addonName"]
    if addon["status"] in ("CREATING", "UPDATING", "DELETING"):
        raise eks.in_use(f"Addon {name} cannot be updated as it is currently in "
                         f"{addon['status']} state", clusterName=cluster["name"], addonName=name)
    if asked.get("addonVersion"):
        need_version(name, asked["addonVersion"], cluster["version"])
    check_values(asked.get("configurationValues"), name)
    check_role(call, asked.get("serviceAccountRoleArn"))
    addon["podIdentityAssociations"] = identities(call, cluster, addon)
    params = {}
    for field, kind in (("addonVersion", "AddonVersion"),
                        ("configurationValues", "ConfigurationValues"),
                        ("serviceAccountRoleArn", "ServiceAccountRoleArn")):
        if asked.get(field) is not None:
            addon[field] = params[kind] = asked[field]
    addon["modifiedAt"] = kit.now(call)
    return eks.begin_update(call, addon, "AddonUpdate", params, "eks.addon.update",
                            lambda: settle(call, addon))


@handler("eks", "DeleteAddon")
def delete_addon(call):
    cluster, addon = addon_of(call)
    if addon["status"] == "UPDATING":
        raise eks.bad_request(f"Addon {addon['addonName']} cannot be deleted while UPDATING")
    addon["status"] = "DELETING"

    def gone():
        call.store.table("eks.addon").pop((cluster["name"], addon["addonName"]), None)
        table = call.store.table("eks.association")
        for key in [key for key, item in table.items() if item["ownerArn"] == addon["addonArn"]]:
            del table[key]

    call.lab.later("eks.addon.delete", gone)
    return {"addon": addon}


@handler("eks", "DescribeAddonVersions")
def describe_versions(call):
    asked = call.params
    wanted = asked.get("kubernetesVersion")
    if asked.get("addonName") and asked["addonName"] not in CATALOGUE:
        raise eks.invalid(f"Addon {asked['addonName']} specified is not supported")
    kubernetes = [version for version in eks.VERSIONS
                  if wanted in (None, version)
                  and eks.support(call.lab, version) != "unsupported"]
    rows = [describe_one(name, row, kubernetes) for name, row in CATALOGUE.items()
            if asked.get("addonName") in (None, name)
            and (not asked.get("types") or row["type"] in asked["types"])]
    rows, token = kit.page(call, [row for row in rows if row["addonVersions"]])
    return {"addons": rows, "nextToken": token}


def describe_one(name, row, kubernetes):
    offered = {}
    for version in kubernetes:
        for addon_version in versions_of(name, version):
            offered.setdefault(addon_version, []).append({
                "clusterVersion": version, "platformVersions": ["*"],
                "defaultVersion": addon_version == default_of(name, version)})
    return {"addonName": name, "type": row["type"], "publisher": "eks", "owner": "aws",
            "defaultNamespace": "kube-system", "addonVersions": [
                {"addonVersion": version, "architecture": ["amd64", "arm64"],
                 "computeTypes": ["ec2"], "compatibilities": compatible,
                 "requiresConfiguration": False, "requiresIamPermissions": row["iam"]}
                for version, compatible in offered.items()]}


@handler("eks", "DescribeAddonConfiguration")
def describe_configuration(call):
    name = call.params["addonName"]
    need_known(name)
    return {"addonName": name, "addonVersion": call.params["addonVersion"],
            "configurationSchema": json.dumps({"type": "object"})}
