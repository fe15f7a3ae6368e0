"""Replication groups, with and without cluster mode: API_CreateReplicationGroup,
API_ModifyReplicationGroup, API_DeleteReplicationGroup, API_TestFailover,
API_IncreaseReplicaCount, API_ModifyReplicationGroupShardConfiguration."""

from lab import kit
from lab.errors import Refusal
from lab.extensions import elasticache_nodes as nodes
from lab.extensions import elasticache_shared as cache
from lab.registry import handler

SLOTS = 16384


def missing(name):
    return Refusal("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found", 404)


def state(text):
    return Refusal("InvalidReplicationGroupState", text)


def group_of(call):
    name = call.params["ReplicationGroupId"].lower()
    group = call.store.table("elasticache.replicationgroup").get(name)
    if group is None:
        raise missing(name)
    return group


def need_available(group):
    if group["Status"] != "available":
        raise state(f"Replication group {group['ReplicationGroupId']} has status {group['Status']} "
                    "which is not valid for modification.")


def shape(asked):
    """(shards, nodes a shard, cluster mode)"""
    shards, replicas = asked.get("NumNodeGroups"), asked.get("ReplicasPerNodeGroup")
    count = asked.get("NumCacheClusters")
    if count and (shards or replicas is not None):
        raise cache.combination("NumCacheClusters cannot be given with NumNodeGroups or "
                                "ReplicasPerNodeGroup")
    clustered = (shards or 1) > 1 or asked.get("ClusterMode") in ("enabled", "compatible") or (
        ".cluster.on" in (asked.get("CacheParameterGroupName") or ""))
    each = count or (replicas or 0) + 1
    if not 1 <= each <= 6 or not 1 <= (shards or 1) <= 500:
        raise cache.value_error("A shard has 0 to 5 replicas, a group 1 to 500 shards")
    return shards or 1, each, clustered


def check_failover(asked, each, clustered, subnet_group):
    failover, zones = asked.get("AutomaticFailoverEnabled"), asked.get("MultiAZEnabled")
    if clustered and failover is False:
        raise cache.combination("Automatic failover must be enabled for cluster mode")
    if failover and not clustered and each < 2:
        raise cache.combination("When using automatic failover, there must be at least 2 cache "
                                "clusters in the replication group.")
    if zones and not (failover or clustered):
        raise cache.combination("To enable Multi-AZ, automatic failover must be enabled")
    if zones and each < 2:
        raise cache.combination("Multi-AZ needs at least one replica a shard")
    covered = {row["SubnetAvailabilityZone"]["Name"] for row in subnet_group["Subnets"]}
    if zones and len(covered) < 2:
        raise cache.combination("Multi-AZ needs a subnet group in at least 2 availability zones")


def check_encryption(call, asked):
    nodes.check_token(asked, asked.get("TransitEncryptionEnabled"))
    key = asked.get("KmsKeyId")
    if key and not asked.get("AtRestEncryptionEnabled"):
        raise cache.combination("KmsKeyId needs AtRestEncryptionEnabled")
    if key:
        kit.need_key(call, key, Refusal("InvalidKMSKeyFault", f"The KMS key {key} is not valid"))


@handler("elasticache", "CreateReplicationGroup")
def create(call):
    asked = call.params
    name, table = asked["ReplicationGroupId"].lower(), call.store.table(
        "elasticache.replicationgroup")
    cache.check_name("ReplicationGroupId", asked["ReplicationGroupId"], 40)
    if name in table:
        raise Refusal("ReplicationGroupAlreadyExists", "Replication group already exists")
    version, family = cache.engine_of(asked.get("Engine"), asked.get("EngineVersion"))
    nodes.check_type(asked.get("CacheNodeType"))
    nodes.check_windows(asked)
    shards, each, clustered = shape(asked)
    place, groups = nodes.place(call, asked.get("CacheSubnetGroupName"),
                                asked.get("SecurityGroupIds"))
    check_failover(asked, each, clustered, place)
    check_encryption(call, asked)
    nodes.quotas_left(call, shards * each)
    default = f"default.{family}.cluster.on" if clustered else f"default.{family}"
    parameters = (asked.get("CacheParameterGroupName") or default).lower()
    values = cache.check_parameters(call, parameters, family)["_values"]
    if clustered and values.get("cluster-enabled") != "yes":
        raise cache.combination(f"The parameter group {parameters} must have cluster-enabled yes")
    group = build(call, name, shards, clustered)
    group["_known"] = {"group": place, "groups": groups, "version": version, "owner": name,
                       "parameters": parameters, "tags": group["_tags"]}
    group["_asked"] = dict(asked)
    table[name] = group
    add_shards(call, group, shards, each)
    call.lab.later("elasticache.replication_group.create", lambda: available(call, group))
    return {"ReplicationGroup": shown(call, group)}


def build(call, name, shards, clustered):
    asked = call.params
    on = bool(asked.get("AutomaticFailoverEnabled") or clustered)
    return {
        "ReplicationGroupId": name, "Description": asked["ReplicationGroupDescription"],
        "ARN": call.arn("elasticache", f"replicationgroup:{name}"), "Status": "creating",
        "AutomaticFailover": "enabled" if on else "disabled", "PendingModifiedValues": {},
        "MultiAZ": "enabled" if asked.get("MultiAZEnabled") else "disabled",
        "ClusterEnabled": clustered, "ClusterMode": "enabled" if clustered else "disabled",
        "CacheNodeType": asked["CacheNodeType"], "Engine": (asked.get("Engine") or "redis").lower(),
        "AuthTokenEnabled": bool(asked.get("AuthToken")), "KmsKeyId": asked.get("KmsKeyId"),
        "TransitEncryptionEnabled": bool(asked.get("TransitEncryptionEnabled")),
        "TransitEncryptionMode": (asked.get("TransitEncryptionMode") or "required") if asked.get(
            "TransitEncryptionEnabled") else None,
        "AtRestEncryptionEnabled": bool(asked.get("AtRestEncryptionEnabled")),
        "SnapshotRetentionLimit": asked.get("SnapshotRetentionLimit") or 0,
        "SnapshotWindow": asked.get("SnapshotWindow") or "03:00-04:00",
        "AutoMinorVersionUpgrade": asked.get("AutoMinorVersionUpgrade", True),
        "LogDeliveryConfigurations": nodes.deliveries([], asked),
        "ReplicationGroupCreateTime": kit.now(call), "NetworkType": "ipv4", "IpDiscovery": "ipv4",
        "DataTiering": "disabled", "_tags": cache.tags_asked(call), "_shards": {},
        "_host": f"{kit.hex_id(6)}.{call.region}.cache.amazonaws.com",
        "_port": asked.get("Port") or 6379}


def zones_of(group, shard):
    """The zones asked for, of the group or of this shard, else those of the subnets."""
    wanted = group["_asked"].get("PreferredCacheClusterAZs")
    for row in group["_asked"].get("NodeGroupConfiguration") or []:
        if row.get("NodeGroupId") in (None, shard) and row.get("PrimaryAvailabilityZone"):
            wanted = [row["PrimaryAvailabilityZone"], *(row.get("ReplicaAvailabilityZones") or [])]
            break
    return wanted or sorted({row["SubnetAvailabilityZone"]["Name"]
                             for row in group["_known"]["group"]["Subnets"]})


def add_shards(call, group, shards, each):
    for number in range(len(group["_shards"]) + 1, shards + 1):
        group["_shards"][f"{number:04d}"] = []
    for shard, members in group["_shards"].items():
        grow(call, group, shard, members, each)


def grow(call, group, shard, members, each):
    zones = zones_of(group, shard)
    call.params = {**call.params, **{key: value for key, value in group["_asked"].items()
                                     if key not in call.params}}
    while len(members) < each:
        number = len(members) + 1
        middle = f"-{shard}" if group["ClusterEnabled"] else ""
        name = f"{group['ReplicationGroupId']}{middle}-{number:03d}"
        nodes.make(call, name, zones[(number - 1) % len(zones)], group["_known"])
        members.append(name)


def all_members(call, group):
    table = nodes.table(call)
    return [table[name] for members in group["_shards"].values() for name in members
            if name in table]


def available(call, group):
    if group["Status"] in ("creating", "modifying"):
        group["Status"] = "available"
    for node in all_members(call, group):
        nodes.available(node)


def shown(call, group):
    """The group with its shards; endpoints are there once it is."""
    name, ready = group["ReplicationGroupId"], group["Status"] != "creating"
    answer = {**group, "MemberClusters": [
        node["CacheClusterId"] for node in all_members(call, group)]}
    if ready and group["ClusterEnabled"]:
        answer["ConfigurationEndpoint"] = {"Address": f"clustercfg.{name}.{group['_host']}",
                                           "Port": group["_port"]}
    rows = [describe_shard(call, group, shard, names, number)
            for number, (shard, names) in enumerate(group["_shards"].items())]
    answer["NodeGroups"] = rows if ready else []
    return answer


def describe_shard(call, group, shard, names, number):
    name, count, table = group["ReplicationGroupId"], len(group["_shards"]), nodes.table(call)
    width = SLOTS // count
    row = {"NodeGroupId": shard, "Status": group["Status"], "NodeGroupMembers": [
        {"CacheClusterId": member, "CacheNodeId": "0001", "PreferredAvailabilityZone": table[
            member]["PreferredAvailabilityZone"], **({} if group["ClusterEnabled"] else {
                "CurrentRole": "primary" if place == 0 else "replica"})}
        for place, member in enumerate(names)]}
    if group["ClusterEnabled"]:
        last = SLOTS - 1 if number == count - 1 else (number + 1) * width - 1
        return {**row, "Slots": f"{number * width}-{last}"}
    return {**row, "PrimaryEndpoint": {"Address": f"master.{name}.{group['_host']}",
                                       "Port": group["_port"]},
            "ReaderEndpoint": {"Address": f"replica.{name}.{group['_host']}",
                               "Port": group["_port"]}}


@handler("elasticache", "DescribeReplicationGroups")
def describe(call):
    rows, marker = cache.listing(call, "replicationgroup", "ReplicationGroupId", missing)
    return {"ReplicationGroups": [shown(call, group) for group in rows], "Marker": marker}


def modifying(call, group):
    """Answer what is, then change for AWS's time."""
    before = shown(call, group)
    group["Status"] = "modifying"
    call.lab.later("elasticache.replication_group.modify", lambda: available(call, group))
    return {"ReplicationGroup": {**before, "Status": "modifying"}}


@handler("elasticache", "ModifyReplicationGroup")
def modify(call):
    group, asked = group_of(call), call.params
    need_available(group)
    each = len(next(iter(group["_shards"].values())))
    nodes.check_windows(asked)
    check_failover({"AutomaticFailoverEnabled": asked.get(
        "AutomaticFailoverEnabled", group["AutomaticFailover"] == "enabled"),
        "MultiAZEnabled": asked.get("MultiAZEnabled", group["MultiAZ"] == "enabled")},
        each, group["ClusterEnabled"], group["_known"]["group"])
    if asked.get("SnapshottingClusterId") and group["ClusterEnabled"]:
        raise cache.combination("SnapshottingClusterId cannot be set with cluster mode")
    change_transit(group, asked)
    if asked.get("AuthTokenUpdateStrategy") == "SET" and not group.get("_rotated"):
        raise cache.combination("SET is allowed only after ROTATE")
    if asked.get("AuthTokenUpdateStrategy") and not asked.get("ApplyImmediately"):
        raise cache.combination("AuthToken changes must be applied immediately")
    if asked.get("AuthToken") and not asked.get("AuthTokenUpdateStrategy"):
        raise cache.combination("AuthTokenUpdateStrategy must be given with AuthToken")
    nodes.check_token(asked, group["TransitEncryptionEnabled"])
    nodes.change(call, all_members(call, group))
    if asked.get("AuthToken"):
        group["AuthTokenEnabled"] = True
        group["_rotated"] = asked["AuthTokenUpdateStrategy"] == "ROTATE"
    group["LogDeliveryConfigurations"] = nodes.deliveries(
        group["LogDeliveryConfigurations"], asked)
    for key, field in (("AutomaticFailoverEnabled", "AutomaticFailover"),
                       ("MultiAZEnabled", "MultiAZ")):
        if asked.get(key) is not None:
            group[field] = "enabled" if asked[key] else "disabled"
    for key, field in (("ReplicationGroupDescription", "Description"),
                       ("SnapshotRetentionLimit", "SnapshotRetentionLimit"),
                       ("SnapshotWindow", "SnapshotWindow"), ("Engine", "Engine"),
                       ("AutoMinorVersionUpgrade", "AutoMinorVersionUpgrade")):
        if asked.get(key) is not None:
            group[field] = asked[key]
    if asked.get("CacheNodeType") and asked.get("ApplyImmediately"):
        group["CacheNodeType"] = asked["CacheNodeType"]
    return modifying(call, group)


def change_transit(group, asked):
    """Both ways lead through `preferred`. Source: dg/in-transit-encryption-enable.html."""
    on, mode = asked.get("TransitEncryptionEnabled"), asked.get("TransitEncryptionMode")
    now = group["TransitEncryptionMode"]
    if on and not group["TransitEncryptionEnabled"] and mode != "preferred":
        raise cache.combination("To enable encryption in transit, TransitEncryptionMode must be "
                                "preferred")
    if on is False and now == "required":
        raise cache.combination("To disable encryption in transit, TransitEncryptionMode must be "
                                "preferred first")
    if on is False and group["AuthTokenEnabled"]:
        raise cache.combination("Encryption in transit cannot be disabled while AUTH is enabled")
    if mode and not (on or group["TransitEncryptionEnabled"]):
        raise cache.combination("TransitEncryptionMode needs TransitEncryptionEnabled")
    if on is not None:
        group["TransitEncryptionEnabled"] = on
    if on is False or mode:
        group["TransitEncryptionMode"] = mode if on is not False else None


@handler("elasticache", "IncreaseReplicaCount", "DecreaseReplicaCount")
def replicas(call):
    group, wanted = group_of(call), call.params.get("NewReplicaCount")
    need_available(group)
    each = wanted + 1
    check_failover({"AutomaticFailoverEnabled": group["AutomaticFailover"] == "enabled",
                    "MultiAZEnabled": group["MultiAZ"] == "enabled"}, each,
                   group["ClusterEnabled"], group["_known"]["group"])
    growing = call.operation.startswith("Increase")
    for shard, members in group["_shards"].items():
        if growing != (len(members) < each) or not 1 <= each <= 6:
            raise cache.value_error(f"Invalid new replica count: {wanted}")
        if growing:
            grow(call, group, shard, members, each)
        for name in members[each:]:
            nodes.drop(call, nodes.table(call)[name])
        del members[each:]
    return modifying(call, group)


@handler("elasticache", "ModifyReplicationGroupShardConfiguration")
def shard(call):
    group, wanted = group_of(call), call.params["NodeGroupCount"]
    need_available(group)
    if not group["ClusterEnabled"]:
        raise state("Cluster mode is not enabled for this replication group")
    count, each = len(group["_shards"]), len(next(iter(group["_shards"].values())))
    removed = call.params.get("NodeGroupsToRemove") or []
    kept = call.params.get("NodeGroupsToRetain")
    if wanted < count and not removed and not kept:
        raise cache.combination("NodeGroupsToRemove or NodeGroupsToRetain is needed to remove "
                                "shards")
    for key in list(group["_shards"]):
        if key in removed or (kept and key not in kept):
            for name in group["_shards"].pop(key):
                nodes.drop(call, nodes.table(call)[name])
    add_shards(call, group, wanted, each)
    return modifying(call, group)


@handler("elasticache", "TestFailover")
def failover(call):
    group, key = group_of(call), call.params["NodeGroupId"]
    need_available(group)
    if key not in group["_shards"]:
        raise Refusal("NodeGroupNotFoundFault", f"Node group {key} not found", 404)
    members = group["_shards"][key]
    if group["AutomaticFailover"] != "enabled" or len(members) < 2:
        raise state("Automatic failover must be enabled, with at least one replica")
    members.append(members.pop(0))
    return modifying(call, group)


@handler("elasticache", "ListAllowedNodeTypeModifications")
def allowed_types(call):
    return {"ScaleUpModifications": cache.DATA["node_types"],
            "ScaleDownModifications": cache.DATA["node_types"]}


@handler("elasticache", "DeleteReplicationGroup")
def delete(call):
    group, asked = group_of(call), call.params
    if group["Status"] != "available":
        raise state(f"Replication group {group['ReplicationGroupId']} has status {group['Status']} "
                    "which is not valid for deletion.")
    if asked.get("FinalSnapshotIdentifier"):
        nodes.snapshot(call, asked["FinalSnapshotIdentifier"], all_members(call, group)[0],
                       group["ReplicationGroupId"])
    before = shown(call, group)
    group["Status"] = "deleting"
    for node in all_members(call, group):
        node["CacheClusterStatus"] = "deleting"

    def gone():
        for node in all_members(call, group):
            nodes.drop(call, node)
        call.store.table("elasticache.replicationgroup").pop(group["ReplicationGroupId"], None)

    call.lab.later("elasticache.replication_group.delete", gone)
    return {"ReplicationGroup": {**before, "Status": "deleting"}}
