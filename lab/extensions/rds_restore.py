"""New clusters from old ones: API_RestoreDBClusterFromSnapshot,
API_RestoreDBClusterToPointInTime."""

from lab import quotas
from lab.errors import Refusal
from lab.extensions import rds_clusters as clusters
from lab.extensions import rds_rules as rules
from lab.extensions import rds_shared as rds
from lab.extensions.rds_parameters import check_group
from lab.registry import handler

# What the new cluster has from the old one; both kinds of source keep it.
KEPT = ("MasterUsername", "DatabaseName", "StorageEncrypted")


@handler("rds", "RestoreDBClusterFromSnapshot")
def from_snapshot(call):
    name = call.params["SnapshotIdentifier"].split(":cluster-snapshot:")[-1].lower()
    source = call.store.table("rds.cluster-snapshot").get(name)
    if source is None:
        raise clusters.no_snapshot(name)
    if source["Status"] != "available":
        raise Refusal("InvalidDBClusterSnapshotStateFault", f"The snapshot {name} is in the state "
                      f"{source['Status']}")
    return restore(call, source["_source"], call.params.get("EngineVersion")
                   or source["EngineVersion"])


@handler("rds", "RestoreDBClusterToPointInTime")
def to_point_in_time(call):
    asked = call.params
    name = (asked.get("SourceDBClusterIdentifier") or "").lower()
    source = call.store.table("rds.cluster").get(name)
    if source is None:
        raise clusters.missing(name)
    latest = asked.get("UseLatestRestorableTime")
    if bool(latest) == bool(asked.get("RestoreToTime")):
        raise rds.combination("Give either RestoreToTime or UseLatestRestorableTime")
    return restore(call, source, source["EngineVersion"])


def restore(call, source, version):
    asked, table = call.params, call.store.table("rds.cluster")
    name = asked["DBClusterIdentifier"].lower()
    rds.check_name("DBClusterIdentifier", asked["DBClusterIdentifier"])
    if name in table:
        raise Refusal("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    quotas.check(call, "rds_clusters", len(table))
    version = rules.version_of(rds.ENGINE, version)
    if rds.number(version) < rds.number(source["EngineVersion"]):
        raise rds.combination(f"Cannot restore {source['EngineVersion']} as {version}")
    group = rules.need_group(call, asked.get("DBSubnetGroupName"))
    groups = rules.check_groups(call, asked.get("VpcSecurityGroupIds"), group["VpcId"])
    parameters = (asked.get("DBClusterParameterGroupName")
                  or f"default.{rds.family(version)}").lower()
    check_group(call, "DBClusterParameterGroup", parameters, version)
    rules.check_settings(asked)
    rules.check_scaling(asked.get("ServerlessV2ScalingConfiguration"))
    cluster = clusters.build(call, name, version, group, groups, parameters)
    cluster.update({key: source[key] for key in KEPT if key in source},
                   KmsKeyId=asked.get("KmsKeyId") or source.get("KmsKeyId"))
    table[name] = cluster
    call.lab.later("rds.cluster.create", lambda: clusters.available(cluster))
    return {"DBCluster": clusters.shown(call, cluster)}
