"""EKS managed node groups: API_CreateNodegroup, API_UpdateNodegroupConfig,
API_UpdateNodegroupVersion, API_DeleteNodegroup."""

from lab import kit, quotas
from lab.extensions import autoscaling, eks_nodes
from lab.extensions import eks_shared as eks
from lab.extensions.eks_access import add_entry
from lab.extensions.eks_addons import nodes_changed
from lab.extensions.eks_node_rules import (
    check_instances, check_labels, check_launch_template, check_scaling, check_update_config,
    release_of,
)
from lab.registry import handler


def group_of(call):
    cluster, name = eks.cluster_of(call), call.params["nodegroupName"]
    group = call.store.table("eks.nodegroup").get((cluster["name"], name))
    if group is None:
        raise eks.not_found(f"No node group found for name: {name}.",
                            clusterName=cluster["name"], nodegroupName=name)
    return cluster, group


def need_active(group, verb):
    if group["status"] not in ("ACTIVE", "DEGRADED"):
        raise eks.in_use(f"Nodegroup {group['nodegroupName']} cannot be {verb} as it is currently "
                         f"in {group['status']} State", nodegroupName=group["nodegroupName"])


def check_create(call, cluster):
    asked, name = call.params, call.params["nodegroupName"]
    if (cluster["name"], name) in call.store.table("eks.nodegroup"):
        raise eks.in_use(f"NodeGroup already exists with name {name} and cluster name "
                         f"{cluster['name']}", nodegroupName=name)
    if cluster["status"] not in ("ACTIVE", "UPDATING"):
        raise eks.bad_request(f"Cluster '{cluster['name']}' is not in ACTIVE status",
                              clusterName=cluster["name"])
    quotas.check(call, "eks_nodegroups", len(eks.members(call, "nodegroup", cluster["name"])))
    if len(name) > 63:
        raise eks.invalid("The nodegroup name can't be longer than 63 characters")
    found = kit.subnets(call, asked["subnets"], lambda key: eks.invalid(
        f"The subnet ID '{key}' does not exist"))
    for subnet in found:
        if subnet.vpc_id != cluster["resourcesVpcConfig"]["vpcId"]:
            raise eks.invalid("Subnets are not tagged with the required tag or lie in another VPC: "
                              f"{subnet.id}")
    role = eks.need_role(call, asked["nodeRole"], "ec2.amazonaws.com", "nodeRole")
    check_scaling({"minSize": 1, "maxSize": 2, "desiredSize": 2,
                   **(asked.get("scalingConfig") or {})})
    check_update_config(asked.get("updateConfig") or {})
    check_labels(asked.get("labels") or {}, asked.get("taints") or [])
    eks.check_tags(asked.get("tags") or {})
    return found, role


@handler("eks", "CreateNodegroup")
def create_nodegroup(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    cluster, asked = eks.cluster_of(call), call.params
    subnets, _role = check_create(call, cluster)
    template = check_launch_template(call, asked)
    version = asked.get("version") or cluster["version"]
    if eks.minor(version) > eks.minor(cluster["version"]):
        raise eks.invalid(f"Requested Nodegroup version {version} is greater than the cluster "
                          f"version {cluster['version']}")
    ami, types = check_instances(call, asked, template, version)
    group = build(call, cluster, {"amiType": ami, "instanceTypes": types, "version": version,
                                  "launchTemplate": template and template["live"]})
    call.store.table("eks.nodegroup")[cluster["name"], group["nodegroupName"]] = group
    group.update(_groups=node_groups(cluster, template), _interfaces=[],
                 _template_data=(template or {}).get("data") or {})
    make_asg(call, cluster, group, subnets)
    job = eks_nodes.begin(call, cluster, group, "create")
    if job is None:
        stand_in(call, group, subnets)
    call.lab.later("eks.nodegroup.create", lambda: become_active(call, cluster, group),
                   job and job.ended)
    kit.remember_request(call, "clientRequestToken", lambda: {"nodegroup": group})
    return {"nodegroup": group}


def stand_in(call, group, subnets):
    """Without nodes, one interface in each subnet stands for theirs."""
    group["_interfaces"] = [
        kit.network_interface(call, subnet, group["_groups"],
                              f"node of {group['nodegroupName']}") for subnet in subnets]


def node_groups(cluster, template):
    """Security groups of the nodes: the template's, else the cluster's own."""
    return (template or {}).get("groups") or [
        cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]]


def build(call, cluster, known):
    asked, name = call.params, call.params["nodegroupName"]
    unique = f"{kit.hex_id(8)}-{kit.hex_id(4)}-{kit.hex_id(12)}"
    return {
        "nodegroupName": name, "clusterName": cluster["name"], "status": "CREATING",
        "nodegroupArn": call.arn("eks", f"nodegroup/{cluster['name']}/{name}/{unique}"),
        "releaseVersion": asked.get("releaseVersion") or release_of(known["version"]),
        "createdAt": kit.now(call), "modifiedAt": kit.now(call),
        "capacityType": asked.get("capacityType") or "ON_DEMAND",
        "scalingConfig": {"minSize": 1, "maxSize": 2, "desiredSize": 2,
                          **(asked.get("scalingConfig") or {})},
        "subnets": list(asked["subnets"]), "nodeRole": asked["nodeRole"],
        "labels": dict(asked.get("labels") or {}), "taints": list(asked.get("taints") or []),
        "tags": dict(asked.get("tags") or {}), "health": {"issues": []},
        "remoteAccess": asked.get("remoteAccess"),
        "diskSize": None if known["launchTemplate"] else asked.get("diskSize") or 20,
        "updateConfig": asked.get("updateConfig") or {"maxUnavailable": 1},
        "nodeRepairConfig": asked.get("nodeRepairConfig") or {"enabled": False},
        "resources": {"autoScalingGroups": [{"name": f"eks-{name}-{unique}"}]},
        **known}


def make_asg(call, cluster, group, subnets):
    """A managed node group is an Auto Scaling group of ours that EKS runs."""
    name, owner = cluster["name"], group["nodegroupName"]
    tags = {"eks:cluster-name": name, "eks:nodegroup-name": owner,
            f"kubernetes.io/cluster/{name}": "owned",
            f"k8s.io/cluster-autoscaler/{name}": "owned",
            "k8s.io/cluster-autoscaler/enabled": "true"}
    autoscaling.make(call, group["resources"]["autoScalingGroups"][0]["name"],
                     group["scalingConfig"], subnets, tags)


def become_active(call, cluster, group):
    if group["status"] != "CREATING":
        return
    errors = group.pop("_job").errors if "_job" in group else []
    group["status"] = "CREATE_FAILED" if errors else "ACTIVE"
    group["health"]["issues"] = [
        {"code": "NodeCreationFailure", "message": error["errorMessage"], "resourceIds": []}
        for error in errors]
    mode = cluster["accessConfig"]["authenticationMode"]
    entries = call.store.table("eks.access_entry")
    if mode != "CONFIG_MAP" and (cluster["name"], group["nodeRole"]) not in entries:
        add_entry(call, cluster, group["nodeRole"], type="EC2_LINUX",
                  kubernetesGroups=["system:nodes"],
                  username="system:node:{{EC2PrivateDNSName}}", _of_nodes=True)
    nodes_changed(call, cluster["name"])


@handler("eks", "DescribeNodegroup")
def describe_nodegroup(call):
    return {"nodegroup": group_of(call)[1]}


@handler("eks", "ListNodegroups")
def list_nodegroups(call):
    names = list(eks.members(call, "nodegroup", eks.cluster_of(call)["name"]))
    names, token = kit.page(call, names)
    return {"nodegroups": names, "nextToken": token}


@handler("eks", "UpdateNodegroupConfig")
def update_config(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    (cluster, group), asked = group_of(call), call.params
    need_active(group, "updated")
    scaling = {**group["scalingConfig"], **(asked.get("scalingConfig") or {})}
    check_scaling(scaling)
    check_update_config(asked.get("updateConfig") or {})
    labels, taints = merged_labels(group, asked), merged_taints(group, asked)
    check_labels(labels, taints)
    params = {key: asked[key] for key in (
        "labels", "taints", "scalingConfig", "updateConfig", "nodeRepairConfig") if asked.get(key)}
    if not params:
        raise eks.invalid("The request asks for no change", nodegroupName=group["nodegroupName"])
    group.update(scalingConfig=scaling, labels=labels, taints=taints, modifiedAt=kit.now(call))
    for key in ("updateConfig", "nodeRepairConfig"):
        if asked.get(key):
            group[key] = asked[key]
    autoscaling.resize(call, group["resources"]["autoScalingGroups"][0]["name"], scaling)
    eks_nodes.begin(call, cluster, group, "adapt_and_scale", scaling["desiredSize"])
    return eks.begin_update(call, group, "ConfigUpdate", {
        "MinSize": str(scaling["minSize"]), "MaxSize": str(scaling["maxSize"]),
        "DesiredSize": str(scaling["desiredSize"])}, "eks.nodegroup.config_update",
        lambda: nodes_changed(call, cluster["name"]))


def merged_labels(group, asked):
    change = asked.get("labels") or {}
    for key in change.get("removeLabels") or []:
        if key not in group["labels"]:
            raise eks.invalid(f"Label {key} to be removed does not exist")
    kept = {key: value for key, value in group["labels"].items()
            if key not in (change.get("removeLabels") or [])}
    return {**kept, **(change.get("addOrUpdateLabels") or {})}


def merged_taints(group, asked):
    """Taints are keyed by key and effect."""
    change = asked.get("taints") or {}
    rows = {(row["key"], row["effect"]): row for row in group["taints"]}
    for row in change.get("removeTaints") or []:
        if rows.pop((row["key"], row["effect"]), None) is None:
            raise eks.invalid(f"Taint {row['key']} to be removed does not exist")
    for row in change.get("addOrUpdateTaints") or []:
        rows[row["key"], row["effect"]] = row
    return list(rows.values())


@handler("eks", "UpdateNodegroupVersion")
def update_version(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    (cluster, group), asked = group_of(call), call.params
    need_active(group, "updated")
    version = asked.get("version") or (
        group["version"] if asked.get("launchTemplate") or asked.get("releaseVersion")
        else cluster["version"])
    now, limit = eks.minor(group["version"]), eks.minor(cluster["version"])
    if eks.minor(version) < now:
        raise eks.invalid(f"Requested version {version} is lower than the node group's "
                          f"{group['version']}")
    if eks.minor(version) > limit:
        raise eks.invalid(f"Requested Nodegroup version {version} is greater than the cluster "
                          f"version {cluster['version']}")
    if asked.get("launchTemplate"):
        change_template(call, group)
    release = asked.get("releaseVersion") or release_of(version)
    eks_nodes.begin(call, cluster, group, "renew", version, bool(asked.get("force")))

    def finish():
        group.update(version=version, releaseVersion=release, modifiedAt=kit.now(call))

    return eks.begin_update(call, group, "VersionUpdate", {
        "Version": version, "ReleaseVersion": release}, "eks.nodegroup.version_update", finish)


def change_template(call, group):
    if not group["launchTemplate"]:
        raise eks.invalid("You cannot specify a launch template for a node group that was "
                          "created without one")
    template = check_launch_template(call, {"launchTemplate": call.params["launchTemplate"]})
    if template["live"]["id"] != group["launchTemplate"]["id"]:
        raise eks.invalid("The launch template id of a node group cannot change")
    check_instances(call, {"amiType": group["amiType"],
                           "instanceTypes": None if template["data"].get("InstanceType")
                           else group["instanceTypes"]}, template, group["version"])
    group.update(launchTemplate=template["live"], _template_data=template["data"],
                 _groups=template["groups"] or group["_groups"])


@handler("eks", "DeleteNodegroup")
def delete_nodegroup(call):
    cluster, group = group_of(call)
    if group["status"] in ("DELETING", "UPDATING"):
        raise eks.in_use(f"Nodegroup {group['nodegroupName']} cannot be deleted as it is "
                         f"currently in {group['status']} State")
    group["status"] = "DELETING"
    job = eks_nodes.begin(call, cluster, group, "clear")
    call.lab.later("eks.nodegroup.delete", lambda: gone(call, cluster, group),
                   job and job.ended)
    return {"nodegroup": group}


def gone(call, cluster, group):
    table = call.store.table("eks.nodegroup")
    table.pop((cluster["name"], group["nodegroupName"]), None)
    kit.drop_interfaces(call, group["_interfaces"])
    autoscaling.drop(call, group["resources"]["autoScalingGroups"][0]["name"])
    others = eks.members(call, "nodegroup", cluster["name"]).values()
    entries = call.store.table("eks.access_entry")
    key = (cluster["name"], group["nodeRole"])
    if not any(other["nodeRole"] == group["nodeRole"] for other in others):
        if entries.get(key, {}).get("_of_nodes"):
            del entries[key]
