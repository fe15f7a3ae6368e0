"""Members of Aurora clusters: API_CreateDBInstance, API_ModifyDBInstance, API_DeleteDBInstance,
API_DescribeDBInstances."""

from lab import kit
from lab.errors import Refusal
from lab.extensions import rds_rules as rules
from lab.extensions import rds_shared as rds
from lab.extensions.rds_clusters import members
from lab.extensions.rds_parameters import check_group
from lab.extensions.rds_postgresql import server_of
from lab.registry import handler

OF_THE_CLUSTER = ("MasterUsername", "MasterUserPassword", "AllocatedStorage", "VpcSecurityGroupIds",
                  "BackupRetentionPeriod", "StorageEncrypted", "KmsKeyId", "MultiAZ", "DBName")
TAKEN = ("PromotionTier", "PreferredMaintenanceWindow", "AutoMinorVersionUpgrade",
         "CopyTagsToSnapshot", "PubliclyAccessible", "MonitoringInterval", "MonitoringRoleArn",
         "PerformanceInsightsRetentionPeriod", "PerformanceInsightsKMSKeyId",
         "CACertificateIdentifier")


def missing(name):
    return Refusal("DBInstanceNotFound", f"DBInstance {name} not found.", 404)


def state(text):
    return Refusal("InvalidDBInstanceState", text)


def instance_of(call):
    name = call.params["DBInstanceIdentifier"].lower()
    item = call.store.table("rds.instance").get(name)
    if item is None:
        raise missing(name)
    return item


def cluster_for(call):
    """The live cluster that the new member joins."""
    asked = call.params
    name = (asked.get("DBClusterIdentifier") or "").lower()
    if not name:
        raise rds.combination("The lab has Aurora members only: DBClusterIdentifier is needed")
    cluster = call.store.table("rds.cluster").get(name)
    if cluster is None:
        raise Refusal("DBClusterNotFoundFault", f"DBCluster {name} not found.", 404)
    if cluster["Status"] not in ("available", "modifying"):
        raise Refusal("InvalidDBClusterStateFault",
                      f"The DB cluster {name} is in the state {cluster['Status']}")
    wrong = [key for key in OF_THE_CLUSTER if asked.get(key) is not None]
    if wrong:
        raise rds.combination("The requested DB Instance will be a member of a DB Cluster. Set "
                              f"{', '.join(wrong)} for the DB Cluster.")
    return cluster


def check_class(asked, cluster):
    name = asked["DBInstanceClass"]
    if name not in rds.DATA["classes"]:
        raise rds.value_error(f"Invalid DB Instance class: {name}")
    if name == "db.serverless" and not cluster.get("ServerlessV2ScalingConfiguration"):
        raise rds.combination("Set the Serverless v2 scaling configuration on the parent DB "
                              "cluster before creating a Serverless v2 DB instance.")


def check_rest(call, asked, cluster):
    if asked.get("Engine", rds.ENGINE) != cluster["Engine"]:
        raise rds.combination("The engine name requested for your DB instance doesn't match the "
                              "engine name of your DB cluster")
    if asked.get("EngineVersion") not in (None, cluster["EngineVersion"]):
        raise rds.combination("The engine version that you requested for your DB instance doesn't "
                              f"match the engine version of your DB cluster "
                              f"({cluster['EngineVersion']})")
    if not 0 <= (asked.get("PromotionTier") or 0) <= 15:
        raise rds.value_error("Invalid promotion tier: valid values are 0 to 15")
    if asked.get("PerformanceInsightsRetentionPeriod") and not (
            asked.get("EnablePerformanceInsights")):
        raise rds.combination("Performance Insights retention needs EnablePerformanceInsights")
    if asked.get("DBParameterGroupName"):
        check_group(call, "DBParameterGroup", asked["DBParameterGroupName"].lower(),
                    cluster["EngineVersion"])


def place(call, cluster):
    """The subnet of the wanted zone."""
    group = call.store.table("rds.subgrp")[cluster["_group"]]
    rows = {row["SubnetAvailabilityZone"]["Name"]: row["SubnetIdentifier"]
            for row in group["Subnets"]}
    wanted = call.params.get("AvailabilityZone")
    if wanted and wanted not in rows:
        raise Refusal("InvalidVPCNetworkStateFault",
                      f"Availability zone {wanted} is not covered by the DB subnet group")
    used = [item["AvailabilityZone"] for item in members(call, cluster)]
    zone = wanted or min(sorted(rows), key=used.count)
    return zone, call.backend("ec2").get_subnet(rows[zone]), group


@handler("rds", "CreateDBInstance")
def create(call):
    asked = call.params
    name, table = asked["DBInstanceIdentifier"].lower(), call.store.table("rds.instance")
    rds.check_name("DBInstanceIdentifier", asked["DBInstanceIdentifier"])
    if name in table:
        raise Refusal("DBInstanceAlreadyExists", "DB instance already exists")
    cluster = cluster_for(call)
    check_class(asked, cluster)
    check_rest(call, asked, cluster)
    zone, subnet, group = place(call, cluster)
    groups = [row["VpcSecurityGroupId"] for row in cluster["VpcSecurityGroups"]]
    item = build(call, name, cluster, zone, group)
    item["_subnet"] = subnet.id
    item["_interfaces"] = [kit.network_interface(call, subnet, groups, "RDSNetworkInterface")]
    table[name] = item
    call.lab.later("rds.instance.create", lambda: available(item))
    return {"DBInstance": rds.shown(item)}


def build(call, name, cluster, zone, group):
    asked = call.params
    parameters = (asked.get("DBParameterGroupName")
                  or f"default.{rds.family(cluster['EngineVersion'])}").lower()
    host = f"{name}.{kit.hex_id(12)}.{call.region}.rds.amazonaws.com"
    if server_of(call, cluster):
        host = cluster["Endpoint"]
    return {
        "DBInstanceIdentifier": name, "DBInstanceArn": call.arn("rds", f"db:{name}"),
        "DbiResourceId": f"db-{kit.hex_id(26).upper()}", "DBInstanceStatus": "creating",
        "DBClusterIdentifier": cluster["DBClusterIdentifier"], "Engine": rds.ENGINE,
        "EngineVersion": cluster["EngineVersion"], "DBInstanceClass": asked["DBInstanceClass"],
        "AvailabilityZone": zone, "PromotionTier": 1, "PubliclyAccessible": False,
        "AutoMinorVersionUpgrade": True, "StorageEncrypted": cluster["StorageEncrypted"],
        "KmsKeyId": cluster.get("KmsKeyId"), "InstanceCreateTime": kit.now(call),
        "DBSubnetGroup": {key: value for key, value in group.items() if key[0] != "_"},
        "DBParameterGroups": [{"DBParameterGroupName": parameters,
                               "ParameterApplyStatus": "in-sync"}],
        "PerformanceInsightsEnabled": bool(asked.get("EnablePerformanceInsights")),
        "Endpoint": {"Address": host, "Port": cluster["Port"]}, "PendingModifiedValues": {},
        "VpcSecurityGroups": cluster["VpcSecurityGroups"], "StorageType": "aurora",
        "_tags": rds.tags_asked(call), "_group": cluster["_group"], "_parameters": parameters,
        "_writer": not members(call, cluster),
        **{key: asked[key] for key in TAKEN if asked.get(key) is not None}}


def available(item):
    if item["DBInstanceStatus"] in ("creating", "modifying", "rebooting"):
        item["DBInstanceStatus"] = "available"


@handler("rds", "DescribeDBInstances")
def describe(call):
    rows, marker = rds.listing(call, "instance", "DBInstanceIdentifier", missing)
    for row in call.params.get("Filters") or []:
        field = {"db-cluster-id": "DBClusterIdentifier", "engine": "Engine",
                 "db-instance-id": "DBInstanceIdentifier"}.get(row["Name"])
        if field is None:
            raise rds.value_error(f"Unrecognized filter name: {row['Name']}")
        wanted = {value.split(":")[-1] for value in row["Values"]}
        rows = [item for item in rows if item[field] in wanted]
    return {"DBInstances": [rds.shown(item) for item in rows], "Marker": marker}


@handler("rds", "ModifyDBInstance")
def modify(call):
    item, asked = instance_of(call), call.params
    cluster = call.store.table("rds.cluster")[item["DBClusterIdentifier"]]
    if item["DBInstanceStatus"] != "available":
        raise state(f"DB instance {item['DBInstanceIdentifier']} is not in available state: "
                    f"{item['DBInstanceStatus']}")
    rules.check_settings({key: asked.get(key) for key in ("PreferredMaintenanceWindow",)})
    check_rest(call, {**asked, "EnablePerformanceInsights": asked.get(
        "EnablePerformanceInsights", item["PerformanceInsightsEnabled"])}, cluster)
    if asked.get("DBInstanceClass"):
        check_class(asked, cluster)
        if asked.get("ApplyImmediately"):
            item["DBInstanceClass"] = asked["DBInstanceClass"]
        else:
            item["PendingModifiedValues"] = {"DBInstanceClass": asked["DBInstanceClass"]}
    if asked.get("DBParameterGroupName"):
        name = asked["DBParameterGroupName"].lower()
        item.update(_parameters=name, DBParameterGroups=[
            {"DBParameterGroupName": name, "ParameterApplyStatus": "pending-reboot"}])
    if asked.get("EnablePerformanceInsights") is not None:
        item["PerformanceInsightsEnabled"] = asked["EnablePerformanceInsights"]
    for key in TAKEN:
        if asked.get(key) is not None:
            item[key] = asked[key]
    before = rds.shown(item)
    item["DBInstanceStatus"] = "modifying"
    call.lab.later("rds.instance.modify", lambda: available(item))
    return {"DBInstance": before}


@handler("rds", "RebootDBInstance")
def reboot(call):
    """API_RebootDBInstance"""
    item = instance_of(call)
    if item["DBInstanceStatus"] != "available":
        raise state("DB instance is not in available state")
    item["DBInstanceStatus"] = "rebooting"
    for row in item["DBParameterGroups"]:
        row["ParameterApplyStatus"] = "in-sync"
    call.lab.later("rds.instance.modify", lambda: available(item))
    return {"DBInstance": rds.shown(item)}


@handler("rds", "DeleteDBInstance")
def delete(call):
    item = instance_of(call)
    if item["DBInstanceStatus"] in ("creating", "deleting"):
        raise state(f"DB instance is in the state {item['DBInstanceStatus']}")
    if call.params.get("FinalDBSnapshotIdentifier"):
        raise rds.combination("FinalDBSnapshotIdentifier can not be specified when deleting a "
                              "cluster instance")
    item["DBInstanceStatus"] = "deleting"
    call.lab.later("rds.instance.delete", lambda: gone(call, item))
    return {"DBInstance": rds.shown(item)}


def gone(call, item):
    call.store.table("rds.instance").pop(item["DBInstanceIdentifier"], None)
    kit.drop_interfaces(call, item["_interfaces"])
    cluster = call.store.table("rds.cluster").get(item["DBClusterIdentifier"])
    left = members(call, cluster) if cluster else []
    if item["_writer"] and left:
        min(left, key=lambda other: other["PromotionTier"])["_writer"] = True
