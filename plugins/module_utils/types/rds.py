# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RDS, as far as Aurora goes: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/."""
from __future__ import annotations

from ..engine.resource import Impact, attr, create_only, updates
from .declared import Declared
from .ec2 import SecurityGroup
from .kms import Key
from .listed import (
    EngineVersion, ParameterGroup, SubnetGroup, Tagged, new_enough, number, once_known,
)
from .logs import LogGroup

# States in which everything works, besides `available`:
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html
CALM = "['available','backing-up','storage-optimization','maintenance','stopped']"
LONGEST_NAME = 63  # of a snapshot: API_DeleteDBCluster
# What a restored cluster has from its source, or gets right afterwards, because
# API_RestoreDBClusterFromSnapshot and API_RestoreDBClusterToPointInTime do not take it.
OLD = ("MasterUsername", "ManageMasterUserPassword", "MasterUserSecretKmsKeyId", "DatabaseName",
       "PreferredMaintenanceWindow", "DatabaseInsightsMode", "StorageEncrypted")
OLDER = ("Engine", "EngineVersion")


class DbOffers(Declared):
    """All versions of Aurora PostgreSQL that RDS offers."""

    service, external = "rds", True
    reads = ("describe_db_engine_versions", "DBEngineVersions")

    @classmethod
    def narrow(cls, api):
        return {"Engine": "aurora-postgresql"}


class DbEngineVersion(EngineVersion):
    """A version of Aurora PostgreSQL."""

    offers = DbOffers


class DbSubnetGroup(SubnetGroup):
    """The subnets of a cluster, in two zones at least."""

    db_subnet_group_name: str = create_only("DBSubnetGroupName")
    description: str = attr("DBSubnetGroupDescription")

    service, ref, arn, tagged_as = "rds", "DBSubnetGroupName", "DBSubnetGroupArn", "rds:subgrp"
    identity = ("db_subnet_group_name",)
    reads = ("describe_db_subnet_groups", "DBSubnetGroups")
    creates = ("create_db_subnet_group", "DBSubnetGroup")
    changes = "modify_db_subnet_group"
    deletes = ("delete_db_subnet_group", "DBSubnetGroupName")
    tells = ("db_subnet_group_name",)


class RdsParameters(ParameterGroup):
    """Parameters of Aurora; a static one counts from the next restart on."""

    service, rows = "rds", "Parameters"

    def methods(self, api, live):
        """AWS refuses `immediate` for static parameters."""
        return {row["ParameterName"]: {"ApplyMethod": "immediate"} if row.get("ApplyType") ==
                "dynamic" else {"ApplyMethod": "pending-reboot"} for row in self._list(api, live)}


class DbClusterParameterGroup(RdsParameters):
    """Parameters of a whole cluster."""

    db_cluster_parameter_group_name: str = create_only("DBClusterParameterGroupName")
    family: str = create_only("DBParameterGroupFamily")
    description: str = create_only("Description")

    ref, arn = "DBClusterParameterGroupName", "DBClusterParameterGroupArn"
    identity, tagged_as = ("db_cluster_parameter_group_name",), "rds:cluster-pg"
    reads = ("describe_db_cluster_parameter_groups", "DBClusterParameterGroups")
    creates = ("create_db_cluster_parameter_group", "DBClusterParameterGroup")
    deletes = ("delete_db_cluster_parameter_group", "DBClusterParameterGroupName")
    shows, changes = "describe_db_cluster_parameters", "modify_db_cluster_parameter_group"
    resets = "reset_db_cluster_parameter_group"


class DbParameterGroup(RdsParameters):
    """Parameters of instances."""

    db_parameter_group_name: str = create_only("DBParameterGroupName")
    family: str = create_only("DBParameterGroupFamily")
    description: str = create_only("Description")

    ref, arn = "DBParameterGroupName", "DBParameterGroupArn"
    identity, tagged_as = ("db_parameter_group_name",), "rds:pg"
    reads = ("describe_db_parameter_groups", "DBParameterGroups")
    creates = ("create_db_parameter_group", "DBParameterGroup")
    deletes = ("delete_db_parameter_group", "DBParameterGroupName")
    shows, changes = "describe_db_parameters", "modify_db_parameter_group"
    resets = "reset_db_parameter_group"


def holds(wanted: dict, live: dict | None) -> bool:
    """Whether the live object has all wanted entries; AWS fills in others."""
    return all((live or {}).get(name) == value for name, value in wanted.items())


def or_aurora(wanted: str, live: str | None) -> bool:
    """The standard storage type is not always told."""
    return wanted == (live or "aurora")


def restoring(source: dict, params: dict) -> tuple[str, dict]:
    """The method that makes a cluster from a snapshot, or from a moment of another cluster."""
    if source.get("snapshot"):
        method, left_out = "restore_db_cluster_from_snapshot", OLD
        more = {"SnapshotIdentifier": source["snapshot"]}
    else:
        method, left_out = "restore_db_cluster_to_point_in_time", (*OLD, *OLDER)
        more = {"SourceDBClusterIdentifier": source["cluster"]}
        more |= {"RestoreToTime": source["time"]} if source.get("time") else \
            {"UseLatestRestorableTime": True}
    return method, {**{k: v for k, v in params.items() if k not in left_out}, **more}


def last_snapshot(live: dict) -> str:
    """A name for the last snapshot that stays the same for one cluster, and for no other."""
    suffix = f"-final-{live['DbClusterResourceId'][-8:].lower()}"
    return live["DBClusterIdentifier"][:LONGEST_NAME - len(suffix)].rstrip("-") + suffix


class DbCluster(Tagged):
    """An Aurora cluster: its storage, its settings, its endpoints. AWS keeps its password."""

    db_cluster_identifier: str = create_only("DBClusterIdentifier")
    engine: str = create_only("Engine")
    engine_version: str = attr("EngineVersion", param="-", same=new_enough,
                               impact=Impact.DOWNTIME, seconds=900)
    engine_version_on_offer: DbEngineVersion = attr(param="EngineVersion")
    parameter_group: DbClusterParameterGroup | str = attr("DBClusterParameterGroup",
                                                          param="DBClusterParameterGroupName")
    instance_parameter_group: DbParameterGroup | str = attr()  # for a new major version
    subnet_group: DbSubnetGroup = create_only("DBSubnetGroup", param="DBSubnetGroupName")
    security_groups: list[SecurityGroup | str] = attr("VpcSecurityGroups[].VpcSecurityGroupId",
                                                      param="VpcSecurityGroupIds")
    database_name: str = create_only("DatabaseName", same=once_known)
    master_username: str = create_only("MasterUsername")
    manage_master_user_password: bool = attr("MasterUserSecret.SecretArn", read=bool,
                                             param="ManageMasterUserPassword")
    master_user_secret_kms_key: Key | str = create_only(
        "MasterUserSecret.KmsKeyId", of="Arn", param="MasterUserSecretKmsKeyId", same=once_known)
    port: int = attr("Port", impact=Impact.DOWNTIME, seconds=120)
    serverless_v2_scaling: dict = attr("ServerlessV2ScalingConfiguration", same=holds, seconds=30)
    storage_type: str = attr("StorageType", same=or_aurora, seconds=300)
    storage_encrypted: bool = create_only("StorageEncrypted")
    kms_key: Key | str = create_only("KmsKeyId", of="Arn")
    backup_retention_period: int = attr("BackupRetentionPeriod", seconds=30)
    preferred_backup_window: str = attr("PreferredBackupWindow", seconds=30)
    preferred_maintenance_window: str = attr("PreferredMaintenanceWindow", seconds=30)
    copy_tags_to_snapshot: bool = attr("CopyTagsToSnapshot", seconds=30)
    deletion_protection: bool = attr("DeletionProtection", seconds=30)
    enable_iam_database_authentication: bool = attr("IAMDatabaseAuthenticationEnabled", seconds=60,
                                                    param="EnableIAMDatabaseAuthentication")
    database_insights_mode: str = attr("DatabaseInsightsMode", seconds=60)
    enable_performance_insights: bool = attr("PerformanceInsightsEnabled", seconds=60,
                                             param="EnablePerformanceInsights")
    performance_insights_retention_period: int = attr("PerformanceInsightsRetentionPeriod",
                                                      seconds=60)
    enable_cloudwatch_logs_exports: list = attr("EnabledCloudwatchLogsExports", seconds=60,
                                                param="EnableCloudwatchLogsExports")
    log_groups: list[LogGroup] = attr()  # there before AWS would make them, kept for ever
    skip_final_snapshot: bool = attr()
    restore_from: dict = attr()  # snapshot, or cluster and perhaps time; at creation only

    service, ref, arn = "rds", "DBClusterIdentifier", "DBClusterArn"
    identity = ("db_cluster_identifier",)
    reads = ("describe_db_clusters", "DBClusters")
    creates = ("create_db_cluster", "DBCluster")
    stateful = True
    ready, leaving = f"contains({CALM}, Status)", "Status=='deleting'"
    seconds = {"create": 43, "delete": 60}  # medians of public logs
    outputs = {"arn": "DBClusterArn", "endpoint": "Endpoint", "reader_endpoint": "ReaderEndpoint",
               "port": "Port", "database_name": "DatabaseName", "engine_version": "EngineVersion",
               "master_user_secret_arn": "MasterUserSecret.SecretArn"}

    @property
    def protected(self):
        return self.deletion_protection is not False

    @property
    def seeded(self):
        return bool(self.restore_from)

    def create(self, api):
        """A new cluster, empty or from a snapshot or a moment of another one."""
        if not self.restore_from:
            return super().create(api)
        method, params = restoring(self.restore_from, self.params())
        return getattr(api.rds, method)(**params, **self.tagging())["DBCluster"]

    def _modify(self, api, live: dict, **params):
        api.rds.modify_db_cluster(DBClusterIdentifier=live["DBClusterIdentifier"],
                                  ApplyImmediately=True, **params)

    @updates("engine_version", "parameter_group")
    def upgrade(self, api, live):
        """A new major version takes the parameter groups of its family along."""
        params = self.differing(live, ("parameter_group",))
        if not new_enough(self.engine_version, live["EngineVersion"]):
            params["EngineVersion"] = self.engine_version_on_offer
            if number(self.engine_version)[0] > number(live["EngineVersion"])[0]:
                params.update(AllowMajorVersionUpgrade=True,
                              DBInstanceParameterGroupName=self.instance_parameter_group)
        self._modify(api, live, **params)

    @updates("enable_cloudwatch_logs_exports")
    def export(self, api, live):
        """Which logs go to CloudWatch Logs."""
        have, want = set(live.get("EnabledCloudwatchLogsExports") or ()), \
            set(self.enable_cloudwatch_logs_exports)
        self._modify(api, live, CloudwatchLogsExportConfiguration={
            "EnableLogTypes": sorted(want - have), "DisableLogTypes": sorted(have - want)})

    @updates("database_insights_mode", "enable_performance_insights",
             "performance_insights_retention_period")
    def observe(self, api, live):
        """AWS wants to hear all three when one changes."""
        params = {self.attrs[n].param or self.attrs[n].path: getattr(self, n)
                  for n in type(self).observe.updates if getattr(self, n) is not None}
        self._modify(api, live, **params)

    @updates("security_groups", "manage_master_user_password", "port", "serverless_v2_scaling",
             "storage_type", "backup_retention_period", "preferred_backup_window",
             "preferred_maintenance_window", "copy_tags_to_snapshot", "deletion_protection",
             "enable_iam_database_authentication")
    def configure(self, api, live):
        """All other settings that differ, in one call."""
        params = self.differing(live, type(self).configure.updates)
        if "ManageMasterUserPassword" in params and self.master_user_secret_kms_key:
            params["MasterUserSecretKmsKeyId"] = self.master_user_secret_kms_key
        self._modify(api, live, **params)

    def delete(self, api, live):
        """Takes a last snapshot unless told not to."""
        if live.get("DeletionProtection"):
            self._modify(api, live, DeletionProtection=False)
        how = {"SkipFinalSnapshot": True} if self.skip_final_snapshot else \
            {"FinalDBSnapshotIdentifier": last_snapshot(live)}
        api.rds.delete_db_cluster(DBClusterIdentifier=live["DBClusterIdentifier"], **how)


class DbInstance(Tagged):
    """A member of a cluster. The first that is made writes; then AWS's failovers decide."""

    db_instance_identifier: str = create_only("DBInstanceIdentifier")
    cluster: DbCluster = create_only("DBClusterIdentifier")
    first: DbInstance = attr()  # the member that is made before this one
    engine: str = create_only("Engine")
    instance_class: str = attr("DBInstanceClass", impact=Impact.DOWNTIME, seconds=300)
    availability_zone: str = create_only("AvailabilityZone", same=once_known)
    promotion_tier: int = attr("PromotionTier", seconds=30)
    parameter_group: DbParameterGroup | str = attr("DBParameterGroups[0].DBParameterGroupName",
                                                   param="DBParameterGroupName", seconds=60)
    publicly_accessible: bool = attr("PubliclyAccessible", seconds=60)
    auto_minor_version_upgrade: bool = attr("AutoMinorVersionUpgrade", seconds=30)
    preferred_maintenance_window: str = attr("PreferredMaintenanceWindow", seconds=30)

    service, ref, arn = "rds", "DBInstanceIdentifier", "DBInstanceArn"
    identity = ("db_instance_identifier",)
    reads = ("describe_db_instances", "DBInstances")
    creates = ("create_db_instance", "DBInstance")
    deletes = ("delete_db_instance", "DBInstanceIdentifier")
    ready, leaving = f"contains({CALM}, DBInstanceStatus)", "DBInstanceStatus=='deleting'"
    failed = "contains(['failed','insufficient-capacity','incompatible-restore'], DBInstanceStatus)"
    reason = "DBInstanceStatus"
    seconds = {"create": 381, "delete": 180}  # medians of public logs
    outputs = {"arn": "DBInstanceArn", "endpoint": "Endpoint.Address",
               "availability_zone": "AvailabilityZone"}
    tells = ("db_instance_identifier", "instance_class", "availability_zone")

    @updates("instance_class", "promotion_tier", "parameter_group", "publicly_accessible",
             "auto_minor_version_upgrade", "preferred_maintenance_window")
    def configure(self, api, live):
        """All settings that differ, in one call."""
        api.rds.modify_db_instance(
            DBInstanceIdentifier=live["DBInstanceIdentifier"], ApplyImmediately=True,
            **self.differing(live, type(self).configure.updates))
