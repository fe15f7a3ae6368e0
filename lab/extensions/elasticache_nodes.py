"""Cache clusters, which are single nodes here: API_CreateCacheCluster, API_ModifyCacheCluster,
API_DeleteCacheCluster, API_DescribeCacheClusters."""

import re

from lab import kit, quotas
from lab.errors import Refusal
from lab.extensions import elasticache_shared as cache
from lab.extensions.rds_rules import WEEKLY, WINDOW, overlap
from lab.registry import handler


def missing(name):
    return Refusal("CacheClusterNotFound", f"CacheCluster not found: {name}", 404)


def state(text):
    return Refusal("InvalidCacheClusterState", text)


def table(call):
    return call.store.table("elasticache.cluster")


def node_of(call):
    name = call.params["CacheClusterId"].lower()
    if name not in table(call):
        raise missing(name)
    return table(call)[name]


# ---- checks that single nodes and replication groups share ------------------------------------

def check_type(name):
    if name not in cache.DATA["node_types"]:
        raise cache.value_error(f"Invalid cache node type: {name}")


def check_token(asked, encrypted):
    token = asked.get("AuthToken")
    if token is None:
        return
    if not encrypted:
        raise cache.combination("The AUTH token can be given only with encryption in transit")
    # The signs are those of AmazonElastiCache dg/auth.html.
    if not re.fullmatch(r"[A-Za-z0-9!&#$^<>-]{16,128}", token):
        raise cache.value_error("Invalid AuthToken provided. The token must have 16 to 128 "
                                "letters, digits and signs of ! & # $ ^ < > -.")


def check_windows(asked):
    backup, weekly = asked.get("SnapshotWindow"), asked.get("PreferredMaintenanceWindow")
    if backup and not WINDOW.match(backup):
        raise cache.value_error(f"Invalid snapshot window: {backup}")
    if weekly and not WEEKLY.match(weekly.lower()):
        raise cache.value_error(f"Invalid maintenance window: {weekly}")
    if backup and weekly and overlap(backup, weekly.lower()):
        raise cache.value_error("The snapshot window and the maintenance window must not overlap.")
    days = asked.get("SnapshotRetentionLimit")
    if days is not None and not 0 <= days <= 35:
        raise cache.value_error("SnapshotRetentionLimit must be from 0 to 35")


def place(call, name, ids):
    """(subnet group, security groups) or a refusal."""
    group = call.store.table("elasticache.subnetgroup").get((name or "default").lower())
    if group is None:
        raise cache.no_subnets(name or "default")
    for key in ids or []:
        found = kit.security_group(call, key)
        if found is None or found.vpc_id != group["VpcId"]:
            raise cache.value_error(f"Some security group Ids are invalid: [{key}]")
    if not ids:
        ids = [call.backend("ec2").get_security_group_by_name_or_id("default", group["VpcId"]).id]
    return group, list(ids)


# ---- nodes -------------------------------------------------------------------------------------

def make(call, name, zone, known):
    """A node with its interface; replication groups make theirs here, too."""
    asked, group = call.params, known["group"]
    rows = {row["SubnetAvailabilityZone"]["Name"]: row["SubnetIdentifier"]
            for row in group["Subnets"]}
    zone = zone or next(iter(rows))
    if zone not in rows:
        raise cache.value_error(f"Availability zone {zone} is not covered by the subnet group")
    subnet = call.backend("ec2").get_subnet(rows[zone])
    host = f"{name}.{kit.hex_id(6)}.0001.{call.region[:2]}{call.region[3]}1.cache.amazonaws.com"
    node = {
        "CacheClusterId": name, "ARN": call.arn("elasticache", f"cluster:{name}"),
        "CacheClusterStatus": "creating", "CacheNodeType": asked["CacheNodeType"],
        "Engine": (asked.get("Engine") or "redis").lower(), "EngineVersion": known["version"],
        "NumCacheNodes": 1, "PreferredAvailabilityZone": zone,
        "CacheClusterCreateTime": kit.now(call), "CacheSubnetGroupName": group[
            "CacheSubnetGroupName"], "ReplicationGroupId": known.get("owner"),
        "CacheParameterGroup": {"CacheParameterGroupName": known["parameters"],
                                "ParameterApplyStatus": "in-sync", "CacheNodeIdsToReboot": []},
        "SecurityGroups": [{"SecurityGroupId": key, "Status": "active"}
                           for key in known["groups"]],
        "CacheNodes": [{"CacheNodeId": "0001", "CacheNodeStatus": "creating",
                        "CacheNodeCreateTime": kit.now(call), "ParameterGroupStatus": "in-sync",
                        "CustomerAvailabilityZone": zone,
                        "Endpoint": {"Address": host, "Port": asked.get("Port") or 6379}}],
        "PreferredMaintenanceWindow": asked.get("PreferredMaintenanceWindow")
        or "sun:05:00-sun:06:00", "SnapshotWindow": asked.get("SnapshotWindow") or "03:00-04:00",
        "SnapshotRetentionLimit": asked.get("SnapshotRetentionLimit") or 0,
        "AutoMinorVersionUpgrade": asked.get("AutoMinorVersionUpgrade", True),
        "TransitEncryptionEnabled": bool(asked.get("TransitEncryptionEnabled")),
        "AtRestEncryptionEnabled": bool(asked.get("AtRestEncryptionEnabled")),
        "AuthTokenEnabled": bool(asked.get("AuthToken")), "NetworkType": "ipv4",
        "IpDiscovery": "ipv4", "PendingModifiedValues": {}, "_subnet": subnet.id,
        "LogDeliveryConfigurations": deliveries([], asked),
        "_tags": dict(known["tags"])}
    node["_interfaces"] = [kit.network_interface(
        call, subnet, known["groups"], f"ElastiCache {name}")]
    table(call)[name] = node
    return node


def deliveries(before, asked):
    """API_LogDeliveryConfigurationRequest: one for each log type, taken away by Enabled false."""
    found = {row["LogType"]: row for row in before}
    for row in asked.get("LogDeliveryConfigurations") or []:
        found.pop(row["LogType"], None)
        if row.get("Enabled", True):
            if not row.get("DestinationDetails") or not row.get("LogFormat"):
                raise cache.combination("A log delivery needs DestinationDetails and LogFormat")
            found[row["LogType"]] = {**{key: value for key, value in row.items()
                                        if key != "Enabled"}, "Status": "active"}
    return list(found.values())


def available(node):
    if node["CacheClusterStatus"] in ("creating", "modifying"):
        node["CacheClusterStatus"] = "available"
        node["CacheNodes"][0]["CacheNodeStatus"] = "available"


def drop(call, node):
    kit.drop_interfaces(call, node["_interfaces"])
    table(call).pop(node["CacheClusterId"], None)


@handler("elasticache", "CreateCacheCluster")
def create(call):
    asked = call.params
    name = asked["CacheClusterId"].lower()
    cache.check_name("CacheClusterId", asked["CacheClusterId"], 50)
    if name in table(call):
        raise Refusal("CacheClusterAlreadyExists", "Cache cluster already exists")
    if asked.get("ReplicationGroupId"):
        raise cache.combination("The lab adds replicas with IncreaseReplicaCount only")
    engine = (asked.get("Engine") or "").lower()
    if engine == "valkey":
        raise cache.value_error("This API doesn't support Valkey engine. Please use "
                                "CreateReplicationGroup API for Valkey cluster creation.")
    version, family = cache.engine_of(engine, asked.get("EngineVersion"))
    check_type(asked.get("CacheNodeType"))
    if asked.get("NumCacheNodes", 1) != 1:
        raise cache.combination("Cannot create a Redis cluster with a NumCacheNodes parameter "
                                "greater than 1.")
    if asked.get("TransitEncryptionEnabled") or asked.get("AuthToken"):
        raise cache.combination("Encryption features are not supported for a single Redis node: "
                                "use CreateReplicationGroup")
    check_windows(asked)
    quotas_left(call, 1)
    group, groups = place(call, asked.get("CacheSubnetGroupName"), asked.get("SecurityGroupIds"))
    parameters = (asked.get("CacheParameterGroupName") or f"default.{family}").lower()
    cache.check_parameters(call, parameters, family)
    node = make(call, name, asked.get("PreferredAvailabilityZone"), {
        "group": group, "groups": groups, "version": version, "parameters": parameters,
        "tags": cache.tags_asked(call)})
    call.lab.later("elasticache.cache_cluster.create", lambda: available(node))
    return {"CacheCluster": hide_nodes(call, node, shown=False)}


def quotas_left(call, count):
    if len(table(call)) + count > quotas.value(call.lab, "elasticache_nodes"):
        raise Refusal("NodeQuotaForCustomerExceeded", "The request cannot be processed because it "
                      "would exceed the allowed number of cache nodes per customer.")


def hide_nodes(call, node, shown):
    """CacheNodes are listed only with ShowCacheNodeInfo. Source: API_DescribeCacheClusters."""
    return node if shown else {key: value for key, value in node.items() if key != "CacheNodes"}


@handler("elasticache", "DescribeCacheClusters")
def describe(call):
    rows, marker = cache.listing(call, "cluster", "CacheClusterId", missing)
    if call.params.get("ShowCacheClustersNotInReplicationGroups"):
        rows = [node for node in rows if not node["ReplicationGroupId"]]
    shown = bool(call.params.get("ShowCacheNodeInfo"))
    return {"CacheClusters": [hide_nodes(call, node, shown) for node in rows], "Marker": marker}


@handler("elasticache", "ModifyCacheCluster")
def modify(call):
    node, asked = node_of(call), call.params
    if node["CacheClusterStatus"] != "available":
        raise state(f"Cache cluster {node['CacheClusterId']} is not available: "
                    f"{node['CacheClusterStatus']}")
    check_windows({**{key: node[key] for key in ("SnapshotWindow", "PreferredMaintenanceWindow")},
                   **asked})
    change(call, [node])
    before = dict(node)
    node["CacheClusterStatus"] = "modifying"
    call.lab.later("elasticache.cache_cluster.modify", lambda: available(node))
    return {"CacheCluster": hide_nodes(call, before, shown=False)}


AT_ONCE = ("SnapshotRetentionLimit", "SnapshotWindow", "PreferredMaintenanceWindow",
           "AutoMinorVersionUpgrade")
DELAYED = ("CacheNodeType", "EngineVersion")


def change(call, nodes):
    """Apply a modify call to nodes; type and version wait unless ApplyImmediately."""
    asked, first = call.params, nodes[0]
    _full, family = cache.engine_of(asked.get("Engine") or first["Engine"],
                                    asked.get("EngineVersion") or first["EngineVersion"])
    wanted = {}
    if asked.get("EngineVersion"):
        wanted["EngineVersion"] = _full
        if cache.number(_full) < cache.number(first["EngineVersion"]) and not asked.get("Engine"):
            raise cache.combination("Downgrading from Redis version "
                                    f"{first['EngineVersion']} to {_full} is not supported")
    if asked.get("CacheNodeType"):
        check_type(asked["CacheNodeType"])
        wanted["CacheNodeType"] = asked["CacheNodeType"]
    if asked.get("CacheParameterGroupName"):
        cache.check_parameters(call, asked["CacheParameterGroupName"], family)
    if asked.get("SecurityGroupIds"):
        place(call, first["CacheSubnetGroupName"], asked["SecurityGroupIds"])
    for node in nodes:
        node.update({key: asked[key] for key in AT_ONCE if asked.get(key) is not None})
        node["LogDeliveryConfigurations"] = deliveries(node["LogDeliveryConfigurations"], asked)
        if asked.get("CacheParameterGroupName"):
            node["CacheParameterGroup"]["CacheParameterGroupName"] = asked[
                "CacheParameterGroupName"].lower()
        if asked.get("SecurityGroupIds"):
            node["SecurityGroups"] = [{"SecurityGroupId": key, "Status": "active"}
                                      for key in asked["SecurityGroupIds"]]
            move(call, node)
        if asked.get("ApplyImmediately"):
            node.update(wanted, **({"Engine": asked["Engine"]} if asked.get("Engine") else {}))
        elif wanted:
            node["PendingModifiedValues"] = wanted
    return family


def move(call, node):
    backend = call.backend("ec2")
    for key in node["_interfaces"]:
        backend.enis[key]._group_set = [backend.get_security_group_from_id(row["SecurityGroupId"])
                                        for row in node["SecurityGroups"]]


@handler("elasticache", "DeleteCacheCluster")
def delete(call):
    node, asked = node_of(call), call.params
    if node["CacheClusterStatus"] in ("creating", "deleting"):
        raise state(f"Cache cluster {node['CacheClusterId']} is not in a valid state to be "
                    "deleted.")
    if node["ReplicationGroupId"]:
        raise state(f"Cluster {node['CacheClusterId']} belongs to a replication group: use "
                    "DecreaseReplicaCount or DeleteReplicationGroup")
    if asked.get("FinalSnapshotIdentifier"):
        snapshot(call, asked["FinalSnapshotIdentifier"], node)
    node["CacheClusterStatus"] = "deleting"
    call.lab.later("elasticache.cache_cluster.delete", lambda: drop(call, node))
    return {"CacheCluster": hide_nodes(call, node, shown=False)}


# ---- snapshots ---------------------------------------------------------------------------------

def snapshot(call, name, node, owner=None):
    rows = call.store.table("elasticache.snapshot")
    if name in rows:
        raise Refusal("SnapshotAlreadyExistsFault", f"Snapshot {name} already exists")
    rows[name] = {"SnapshotName": name, "SnapshotStatus": "creating", "SnapshotSource": "manual",
                  "CacheClusterId": None if owner else node["CacheClusterId"],
                  "ReplicationGroupId": owner, "CacheNodeType": node["CacheNodeType"],
                  "Engine": node["Engine"], "EngineVersion": node["EngineVersion"],
                  "ARN": call.arn("elasticache", f"snapshot:{name}"),
                  "_tags": cache.tags_asked(call)}
    call.lab.later("rds.snapshot.create", lambda: rows[name].update(SnapshotStatus="available"))
    return rows[name]


def no_snapshot(name):
    return Refusal("SnapshotNotFoundFault", f"Snapshot {name} not found", 404)


@handler("elasticache", "DescribeSnapshots")
def describe_snapshots(call):
    rows, marker = cache.listing(call, "snapshot", "SnapshotName", no_snapshot)
    for field in ("CacheClusterId", "ReplicationGroupId"):
        if call.params.get(field):
            rows = [row for row in rows if row[field] == call.params[field]]
    return {"Snapshots": rows, "Marker": marker}


@handler("elasticache", "DeleteSnapshot")
def delete_snapshot(call):
    rows = call.store.table("elasticache.snapshot")
    if call.params["SnapshotName"] not in rows:
        raise no_snapshot(call.params["SnapshotName"])
    return {"Snapshot": rows.pop(call.params["SnapshotName"])}
