"""Aurora clusters: API_CreateDBCluster, API_ModifyDBCluster, API_DeleteDBCluster,
API_DescribeDBClusters, and their snapshots."""

import sys

from lab import kit, quotas
from lab.errors import Refusal
from lab.extensions import rds_postgresql as postgresql
from lab.extensions import rds_rules as rules
from lab.extensions import rds_shared as rds
from lab.extensions.rds_parameters import check_group
from lab.registry import handler

# What ModifyDBCluster takes over as it is, and what waits for the window without ApplyImmediately.
AT_ONCE = ("BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow",
           "CopyTagsToSnapshot", "DeletionProtection", "AutoMinorVersionUpgrade",
           "EnableIAMDatabaseAuthentication", "MonitoringInterval", "MonitoringRoleArn", "Port",
           "StorageType")


def missing(name):
    return Refusal("DBClusterNotFoundFault", f"DBCluster {name} not found.", 404)


def state(text):
    return Refusal("InvalidDBClusterStateFault", text)


def cluster_of(call):
    name = call.params["DBClusterIdentifier"].lower()
    cluster = call.store.table("rds.cluster").get(name)
    if cluster is None:
        raise missing(name)
    return cluster


def members(call, cluster):
    name = cluster["DBClusterIdentifier"]
    return [item for item in call.store.table("rds.instance").values()
            if item["DBClusterIdentifier"] == name]


def shown(call, cluster):
    rows = [{"DBInstanceIdentifier": item["DBInstanceIdentifier"],
             "IsClusterWriter": item["_writer"], "PromotionTier": item["PromotionTier"],
             "DBClusterParameterGroupStatus": "in-sync"} for item in members(call, cluster)]
    return {**rds.shown(cluster), "DBClusterMembers": rows}


@handler("rds", "CreateDBCluster")
def create(call):
    asked = call.params
    name, table = asked["DBClusterIdentifier"].lower(), call.store.table("rds.cluster")
    rds.check_name("DBClusterIdentifier", asked["DBClusterIdentifier"])
    if name in table:
        raise Refusal("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    quotas.check(call, "rds_clusters", len(table))
    version = rules.version_of(asked.get("Engine"), asked.get("EngineVersion"))
    group = rules.need_group(call, asked.get("DBSubnetGroupName"))
    groups = rules.check_groups(call, asked.get("VpcSecurityGroupIds"), group["VpcId"])
    parameters = (asked.get("DBClusterParameterGroupName")
                  or f"default.{rds.family(version)}").lower()
    check_group(call, "DBClusterParameterGroup", parameters, version)
    rules.check_master(asked)
    rules.check_settings(asked)
    rules.check_scaling(asked.get("ServerlessV2ScalingConfiguration"))
    rules.check_insights(asked, {})
    key = rules.storage_key(call, asked)
    cluster = build(call, name, version, group, groups, parameters)
    cluster["KmsKeyId"] = key
    if asked.get("ManageMasterUserPassword"):
        cluster["MasterUserSecret"] = rules.make_secret(call, cluster)
    postgresql.begin(call, cluster)
    table[name] = cluster
    call.lab.later("rds.cluster.create", lambda: created(call, cluster),
                   lambda: postgresql.settled(call, cluster))
    return {"DBCluster": shown(call, cluster)}


def build(call, name, version, group, groups, parameters):
    asked, unique = call.params, kit.hex_id(12)
    host = f"{unique}.{call.region}.rds.amazonaws.com"
    taken = ("DatabaseName", "MasterUsername", "StorageType", "EnableIAMDatabaseAuthentication",
             "CopyTagsToSnapshot", "AutoMinorVersionUpgrade", "MonitoringInterval",
             "MonitoringRoleArn")
    return {
        "DBClusterIdentifier": name, "DBClusterArn": call.arn("rds", f"cluster:{name}"),
        "DbClusterResourceId": f"cluster-{kit.hex_id(26).upper()}", "Status": "creating",
        "Engine": rds.ENGINE, "EngineVersion": version, "EngineMode": "provisioned",
        "DBSubnetGroup": group["DBSubnetGroupName"], "DBClusterParameterGroup": parameters,
        "VpcSecurityGroups": [{"VpcSecurityGroupId": key, "Status": "active"} for key in groups],
        "Endpoint": f"{name}.cluster-{host}", "ReaderEndpoint": f"{name}.cluster-ro-{host}",
        "Port": asked.get("Port") or 5432, "HostedZoneId": "Z2R2ITUGPM61AM",
        "AvailabilityZones": asked.get("AvailabilityZones") or sorted(
            {row["SubnetAvailabilityZone"]["Name"] for row in group["Subnets"]}),
        "BackupRetentionPeriod": asked.get("BackupRetentionPeriod") or 1,
        "PreferredBackupWindow": asked.get("PreferredBackupWindow") or "07:10-07:40",
        "PreferredMaintenanceWindow": asked.get("PreferredMaintenanceWindow")
        or "sun:08:30-sun:09:00", "ClusterCreateTime": kit.now(call), "MultiAZ": False,
        "StorageEncrypted": bool(asked.get("StorageEncrypted")), "AllocatedStorage": 1,
        "DeletionProtection": bool(asked.get("DeletionProtection")),
        "IAMDatabaseAuthenticationEnabled": bool(asked.get("EnableIAMDatabaseAuthentication")),
        "EnabledCloudwatchLogsExports": list(asked.get("EnableCloudwatchLogsExports") or []),
        "HttpEndpointEnabled": False, "PendingModifiedValues": None, "NetworkType": "IPV4",
        "EarliestRestorableTime": kit.now(call), "LatestRestorableTime": kit.now(call),
        "_tags": rds.tags_asked(call), "_group": group["DBSubnetGroupName"],
        "_parameters": parameters, **{key: asked[key] for key in taken if key in asked},
        "ServerlessV2ScalingConfiguration": rules.scaling(
            asked.get("ServerlessV2ScalingConfiguration"), {}), **rules.insights(asked, {})}


def created(call, cluster):
    error = postgresql.failed(call, cluster)
    if error:
        print(f"{cluster['DBClusterIdentifier']}: {error}", file=sys.stderr, flush=True)
        cluster["Status"] = "failed"
    available(cluster)


def available(cluster):
    if cluster["Status"] in ("creating", "modifying", "upgrading"):
        cluster["Status"] = "available"
    if cluster.get("MasterUserSecret"):
        cluster["MasterUserSecret"]["SecretStatus"] = "active"


@handler("rds", "DescribeDBClusters")
def describe(call):
    rows, marker = rds.listing(call, "cluster", "DBClusterIdentifier", missing)
    for row in call.params.get("Filters") or []:
        field = {"db-cluster-id": "DBClusterIdentifier", "engine": "Engine",
                 "db-cluster-resource-id": "DbClusterResourceId"}.get(row["Name"])
        if field is None:
            raise rds.value_error(f"Unrecognized filter name: {row['Name']}")
        rows = [item for item in rows
                if {item[field], item["DBClusterArn"]} & set(row["Values"])]
    return {"DBClusters": [shown(call, item) for item in rows], "Marker": marker}


@handler("rds", "ModifyDBCluster")
def modify(call):
    cluster, asked = cluster_of(call), call.params
    if cluster["Status"] != "available":
        raise state(f"DB cluster {cluster['DBClusterIdentifier']} isn't in the available state: "
                    f"{cluster['Status']}")
    rules.check_settings({**{key: cluster[key] for key in (
        "PreferredBackupWindow", "PreferredMaintenanceWindow")}, **asked})
    wanted = asked.get("EngineVersion")
    if wanted and wanted != cluster["EngineVersion"]:
        rules.check_upgrade(cluster, wanted, asked.get("AllowMajorVersionUpgrade"))
    if asked.get("DBClusterParameterGroupName"):
        name = asked["DBClusterParameterGroupName"].lower()
        check_group(call, "DBClusterParameterGroup", name, wanted or cluster["EngineVersion"])
        cluster.update(_parameters=name, DBClusterParameterGroup=name)
    if asked.get("VpcSecurityGroupIds"):
        vpc = call.store.table("rds.subgrp")[cluster["_group"]]["VpcId"]
        keys = rules.check_groups(call, asked["VpcSecurityGroupIds"], vpc)
        cluster["VpcSecurityGroups"] = [{"VpcSecurityGroupId": key, "Status": "active"}
                                        for key in keys]
        rules.move_groups(call, members(call, cluster), keys)
    scaling = asked.get("ServerlessV2ScalingConfiguration")
    if scaling:
        scaling = rules.scaling(scaling, cluster.get("ServerlessV2ScalingConfiguration") or {})
        rules.check_scaling(scaling)
        cluster["ServerlessV2ScalingConfiguration"] = scaling
    rules.check_insights(asked, cluster)
    rules.change_master(call, cluster)
    change_logs(cluster, asked.get("CloudwatchLogsExportConfiguration") or {})
    for key in AT_ONCE:
        if asked.get(key) is not None:
            cluster[key] = asked[key]
    if asked.get("EnableIAMDatabaseAuthentication") is not None:
        cluster["IAMDatabaseAuthenticationEnabled"] = asked["EnableIAMDatabaseAuthentication"]
    cluster.update(rules.insights(asked, cluster))
    return settle(call, cluster, wanted)


def change_logs(cluster, change):
    logs = [name for name in cluster["EnabledCloudwatchLogsExports"]
            if name not in (change.get("DisableLogTypes") or [])]
    rules.check_logs(change.get("EnableLogTypes") or [])
    logs += [name for name in change.get("EnableLogTypes") or [] if name not in logs]
    cluster["EnabledCloudwatchLogsExports"] = logs


def settle(call, cluster, wanted):
    """A new version waits for the window unless ApplyImmediately."""
    if wanted and wanted != cluster["EngineVersion"]:
        if not call.params.get("ApplyImmediately"):
            cluster["PendingModifiedValues"] = {"EngineVersion": wanted}
            return {"DBCluster": shown(call, cluster)}
        cluster["Status"] = "upgrading"

        def upgraded():
            cluster.update(EngineVersion=wanted, PendingModifiedValues=None)
            group = call.params.get("DBInstanceParameterGroupName")
            for item in members(call, cluster):
                item["EngineVersion"] = wanted
                if group:
                    item.update(_parameters=group, DBParameterGroups=[
                        {"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"}])
            available(cluster)

        call.lab.later("rds.cluster.modify", upgraded)
        return {"DBCluster": shown(call, cluster)}
    before = shown(call, cluster)
    cluster["Status"] = "modifying"
    call.lab.later("rds.cluster.modify", lambda: available(cluster))
    return {"DBCluster": before}


@handler("rds", "DeleteDBCluster")
def delete(call):
    cluster, asked = cluster_of(call), call.params
    final, skip = asked.get("FinalDBSnapshotIdentifier"), asked.get("SkipFinalSnapshot")
    if cluster["DeletionProtection"]:
        raise rds.combination("Cannot delete protected Cluster, please disable deletion "
                              "protection and try again.")
    if cluster["Status"] in ("creating", "deleting"):
        raise state(f"DB cluster is not in available state: {cluster['Status']}")
    if not skip and not final:
        raise rds.combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is "
                              "specified.")
    if skip and final:
        raise rds.combination("FinalDBSnapshotIdentifier can not be specified when deleting with "
                              "SkipFinalSnapshot")
    if any(item["DBInstanceStatus"] != "deleting" for item in members(call, cluster)):
        raise state("Cluster cannot be deleted, it still contains DB instances in non-deleting "
                    "state.")
    if final:
        snapshot(call, cluster, final)
    cluster["Status"] = "deleting"
    call.lab.later("rds.cluster.delete", lambda: gone(call, cluster))
    return {"DBCluster": shown(call, cluster)}


def gone(call, cluster):
    if members(call, cluster):
        call.lab.later("rds.cluster.delete", lambda: gone(call, cluster))
        return
    postgresql.end(call, cluster)
    call.store.table("rds.cluster").pop(cluster["DBClusterIdentifier"], None)
    rules.drop_secret(call, cluster)


# ---- snapshots ---------------------------------------------------------------------------------

def snapshot(call, cluster, name):
    rds.check_name("DBClusterSnapshotIdentifier", name)
    table, name = call.store.table("rds.cluster-snapshot"), name.lower()
    if name in table:
        raise Refusal("DBClusterSnapshotAlreadyExistsFault",
                      f"Cannot create the cluster snapshot because one with the identifier {name} "
                      "already exists.")
    table[name] = {
        "DBClusterSnapshotIdentifier": name, "SnapshotType": "manual", "Status": "creating",
        "DBClusterIdentifier": cluster["DBClusterIdentifier"], "SnapshotCreateTime": kit.now(call),
        "Engine": cluster["Engine"], "EngineVersion": cluster["EngineVersion"],
        "DBClusterSnapshotArn": call.arn("rds", f"cluster-snapshot:{name}"),
        "StorageEncrypted": cluster["StorageEncrypted"], "_source": dict(cluster), "_tags": dict(
            cluster["_tags"] if cluster.get("CopyTagsToSnapshot") else {})}
    call.lab.later("rds.snapshot.create", lambda: table[name].update(Status="available"))
    return table[name]


@handler("rds", "CreateDBClusterSnapshot")
def create_snapshot(call):
    item = snapshot(call, cluster_of(call), call.params["DBClusterSnapshotIdentifier"])
    item["_tags"].update(rds.tags_asked(call))
    return {"DBClusterSnapshot": rds.shown(item)}


def no_snapshot(name):
    return Refusal("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot not found: {name}", 404)


@handler("rds", "DescribeDBClusterSnapshots")
def describe_snapshots(call):
    rows, marker = rds.listing(call, "cluster-snapshot", "DBClusterSnapshotIdentifier", no_snapshot)
    wanted = call.params.get("DBClusterIdentifier")
    rows = [rds.shown(item) for item in rows if wanted in (None, item["DBClusterIdentifier"])]
    return {"DBClusterSnapshots": rows, "Marker": marker}


@handler("rds", "DeleteDBClusterSnapshot")
def delete_snapshot(call):
    name = call.params["DBClusterSnapshotIdentifier"].lower()
    item = call.store.table("rds.cluster-snapshot").pop(name, None)
    if item is None:
        raise no_snapshot(name)
    return {"DBClusterSnapshot": rds.shown(item)}
