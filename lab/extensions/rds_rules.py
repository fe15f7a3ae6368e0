"""What Aurora refuses. Sources: API_CreateDBCluster, API_ModifyDBCluster,
AuroraUserGuide/aurora-serverless-v2.setting-capacity.html."""

import json
import re

from lab import kit
from lab.errors import Refusal
from lab.extensions import rds_shared as rds

WINDOW = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)$")
WEEKLY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun):\d\d:\d\d-(mon|tue|wed|thu|fri|sat|sun)"
                    r":\d\d:\d\d$")


def version_of(engine, version):
    if engine != rds.ENGINE:
        raise rds.value_error(f"Invalid DB engine: {engine} (the lab has {rds.ENGINE})")
    version = version or rds.DATA["default"]
    if version.isdigit() and version in rds.DATA["versions"]:
        return rds.DATA["versions"][version][-1]
    if version not in rds.all_versions():
        raise rds.combination(f"Cannot find version {version} for {rds.ENGINE}")
    return version


def check_upgrade(cluster, wanted, major_allowed):
    version_of(rds.ENGINE, wanted)
    now = cluster["EngineVersion"]
    if rds.number(wanted) < rds.number(now):
        raise rds.combination(f"Cannot upgrade {rds.ENGINE} from {now} to {wanted}")
    if rds.number(wanted)[0] > rds.number(now)[0] and not major_allowed:
        raise rds.combination("The AllowMajorVersionUpgrade flag must be present when upgrading "
                              "to a new major version.")


def need_group(call, name):
    group = call.store.table("rds.subgrp").get((name or "default").lower())
    if group is None:
        raise rds.no_group(name or "default")
    return group


def check_groups(call, ids, vpc):
    """Security groups must exist in the VPC of the subnet group; none means the default one."""
    backend = call.backend("ec2")
    if not ids:
        return [backend.get_security_group_by_name_or_id("default", vpc).id]
    for key in ids:
        group = backend.get_security_group_from_id(key)
        if group is None:
            raise rds.value_error(f"Invalid security group , groupId= {key}, groupName=.")
        if group.vpc_id != vpc:
            raise rds.combination("The DB instance and EC2 security group are in different VPCs. "
                                  f"The DB instance is in {vpc} and the EC2 security group is in "
                                  f"{group.vpc_id}")
    return list(ids)


def check_master(asked):
    user, password = asked.get("MasterUsername"), asked.get("MasterUserPassword")
    managed = asked.get("ManageMasterUserPassword")
    if not user:
        raise rds.combination("MasterUsername must be given")
    if user.lower() in rds.DATA["reserved_users"]:
        raise rds.value_error(f"MasterUsername {user} cannot be used as it is a reserved word used "
                              "by the engine")
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,15}", user):
        raise rds.value_error("MasterUsername must begin with a letter and contain only "
                              "alphanumeric characters.")
    if managed and password:
        raise rds.combination("You can't specify MasterUserPassword when ManageMasterUserPassword "
                              "is turned on.")
    if not managed and not password:
        raise rds.combination("MasterUserPassword or ManageMasterUserPassword must be given")
    if password and len(password) < 8:
        raise rds.value_error("The parameter MasterUserPassword is not a valid password because it "
                              "is shorter than 8 characters.")


def check_settings(asked):
    days = asked.get("BackupRetentionPeriod")
    if days is not None and not 1 <= days <= 35:
        raise rds.value_error("Invalid backup retention period. Retention period must be between 1 "
                              "and 35")
    backup, weekly = asked.get("PreferredBackupWindow"), asked.get("PreferredMaintenanceWindow")
    if backup and not WINDOW.match(backup):
        raise rds.value_error(f"Invalid time of day window format: {backup}")
    if weekly and not WEEKLY.match(weekly.lower()):
        raise rds.value_error(f"Invalid window format: {weekly}")
    if backup and weekly and overlap(backup, weekly.lower()):
        raise rds.value_error("The backup window and maintenance window must not overlap.")
    check_logs(asked.get("EnableCloudwatchLogsExports") or [])


def minutes(text):
    hours, mins = text.split(":")[-2:]
    return int(hours) * 60 + int(mins)


def overlap(backup, weekly):
    """The daily and the weekly window, as minutes of a day."""
    first, second = [[minutes(part) for part in text.split("-")] for text in (backup, weekly)]
    spans = [(low, high if high > low else high + 1440) for low, high in (first, second)]
    (low, high), (start, end) = spans
    return any(low < end + shift and start + shift < high for shift in (-1440, 0, 1440))


def check_logs(names):
    wrong = set(names) - set(rds.DATA["log_types"])
    if wrong:
        raise rds.combination(f"You cannot use the log types '{', '.join(sorted(wrong))}' with "
                              f"engine version {rds.ENGINE}. For supported log types, see the "
                              "documentation.")


def check_scaling(config):
    if not config:
        return
    low, high = config.get("MinCapacity"), config.get("MaxCapacity")
    if low is None or high is None:
        raise rds.value_error("Serverless v2 needs MinCapacity and MaxCapacity")
    if low * 2 % 1 or high * 2 % 1 or not 0 <= low <= 256 or not 1 <= high <= 256:
        raise rds.value_error("Serverless v2 capacity must be 0 to 256 ACU, in steps of 0.5, the "
                              "maximum at least 1")
    if low > high:
        raise rds.combination("Serverless v2 maximum capacity must be at least the minimum "
                              "capacity")
    pause = config.get("SecondsUntilAutoPause")
    if pause is not None and low > 0:
        raise rds.combination("SecondsUntilAutoPause needs a MinCapacity of 0")
    if pause is not None and not 300 <= pause <= 86400:
        raise rds.value_error("SecondsUntilAutoPause must be between 300 and 86400")


def scaling(asked, before):
    """The capacities as they then are; only a minimum of 0 has a pause, 300 s by default."""
    if not asked:
        return before or None
    found = {**before, **asked}
    if found.get("MinCapacity"):
        found = {key: value for key, value in found.items()
                 if key != "SecondsUntilAutoPause" or key in asked}
    else:
        found.setdefault("SecondsUntilAutoPause", 300)
    return found


# ---- Performance Insights of a cluster: API_CreateDBCluster, DatabaseInsightsMode ----------

def insights(asked, before):
    """What the cluster shows of them after this call."""
    on = asked.get("EnablePerformanceInsights", before.get("PerformanceInsightsEnabled", False))
    days = asked.get("PerformanceInsightsRetentionPeriod",
                     before.get("PerformanceInsightsRetentionPeriod"))
    return {"PerformanceInsightsEnabled": on,
            "PerformanceInsightsRetentionPeriod": (days or 7) if on else None,
            "DatabaseInsightsMode": asked.get("DatabaseInsightsMode", before.get(
                "DatabaseInsightsMode", "standard"))}


def check_insights(asked, before):
    after, days = insights(asked, before), asked.get("PerformanceInsightsRetentionPeriod")
    if days and not after["PerformanceInsightsEnabled"]:
        raise rds.combination("Performance Insights retention needs EnablePerformanceInsights")
    if days and days not in (7, 731) and (days % 31 or not 1 <= days // 31 <= 23):
        raise rds.value_error("Invalid Performance Insights retention period. Valid values are "
                              "[7, month * 31, 731]")
    if after["DatabaseInsightsMode"] == "advanced" and (
            after["PerformanceInsightsRetentionPeriod"] or 0) < 465:
        raise rds.combination("To enable the Advanced mode of Database Insights, set the "
                              "Performance Insights retention period to at least 465 days.")


def storage_key(call, asked):
    key = asked.get("KmsKeyId")
    if key and not asked.get("StorageEncrypted"):
        raise rds.combination("KmsKeyId can be given only with StorageEncrypted")
    if key:
        kit.need_key(call, key, Refusal("KMSKeyNotAccessibleFault",
                                        f"The specified KMS key [{key}] does not exist"))
        return key
    if asked.get("StorageEncrypted"):
        return call.arn("kms", f"key/{kit.hex_id(8)}-aws-rds")
    return None


# ---- the managed master password: AuroraUserGuide/rds-secrets-manager.html --------------------

def make_secret(call, cluster):
    name = f"rds!cluster-{kit.hex_id(8)}-{kit.hex_id(4)}-{kit.hex_id(12)}"
    tags = [{"Key": "aws:rds:primaryDBClusterArn", "Value": cluster["DBClusterArn"]},
            {"Key": "aws:secretsmanager:owningService", "Value": "rds"}]
    text = json.dumps({"username": cluster["MasterUsername"], "password": kit.hex_id(28)})
    backend = call.backend("secretsmanager")
    made = backend.create_secret(
        name=name, secret_string=text, secret_binary=None, tags=tags,
        description="The secret associated with the primary RDS DB cluster: "
                    f"{cluster['DBClusterArn']}",
        kms_key_id=call.params.get("MasterUserSecretKmsKeyId"), client_request_token=None,
        replica_regions=[], force_overwrite=False)
    made = json.loads(made) if isinstance(made, str) else made
    return {"SecretArn": made["ARN"], "SecretStatus": "creating",
            "KmsKeyId": call.params.get("MasterUserSecretKmsKeyId")
            or call.arn("kms", "alias/aws/secretsmanager")}


def drop_secret(call, cluster):
    secret = cluster.pop("MasterUserSecret", None)
    if secret:
        call.backend("secretsmanager").delete_secret(
            secret["SecretArn"], recovery_window_in_days=None, force_delete_without_recovery=True)


def change_master(call, cluster):
    asked = call.params
    if asked.get("ManageMasterUserPassword") and not cluster.get("MasterUserSecret"):
        cluster["MasterUserSecret"] = make_secret(call, cluster)
    elif asked.get("ManageMasterUserPassword") is False:
        if cluster.get("MasterUserSecret") and not asked.get("MasterUserPassword"):
            raise rds.combination("MasterUserPassword is needed when ManageMasterUserPassword is "
                                  "turned off")
        drop_secret(call, cluster)
    elif asked.get("MasterUserPassword") and cluster.get("MasterUserSecret"):
        raise rds.combination("You can't specify MasterUserPassword for a cluster with a managed "
                              "master password")


def move_groups(call, instances, keys):
    backend = call.backend("ec2")
    for item in instances:
        for interface in item["_interfaces"]:
            backend.enis[interface]._group_set = [
                backend.get_security_group_from_id(key) for key in keys]
