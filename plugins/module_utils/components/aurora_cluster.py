# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""aurora_cluster: Aurora PostgreSQL Serverless v2 with its instances, groups and logs."""
from __future__ import annotations

import re

from ..types.logs import LogGroup
from ..types.rds import (
    DbCluster, DbClusterParameterGroup, DbEngineVersion, DbInstance, DbParameterGroup,
    DbSubnetGroup,
)
from .network import zone_letter
from .placement import (
    ACCESS, access_problems, guarded, letters, placed, text_values, window_problems,
)

ENGINE = "aurora-postgresql"
LOG_TYPES = ("postgresql", "instance", "iam-db-auth-error")
INSTANCE = dict(
    name=dict(type="str"),
    availability_zone=dict(type="str"),
    promotion_tier=dict(type="int", default=1),
    instance_class=dict(type="str", default="db.serverless"),
    auto_minor_version_upgrade=dict(type="bool"),
    preferred_maintenance_window=dict(type="str"),
    publicly_accessible=dict(type="bool", default=False),
    tags=dict(type="dict", default={}),
)
SPEC = dict(
    name=dict(type="str"),
    engine_version=dict(type="str", required=True),
    instances=dict(type="dict", required=True),
    serverless_v2_scaling=dict(type="dict", default={"min_capacity": 0.5, "max_capacity": 4},
                               options=dict(
        min_capacity=dict(type="float", default=0.5),
        max_capacity=dict(type="float", default=4),
        seconds_until_auto_pause=dict(type="int"),
    )),
    subnets=dict(type="list", elements="str"),
    **ACCESS,
    database_name=dict(type="str"),
    master_username=dict(type="str", default="postgres"),
    master_user_secret_kms_key=dict(type="str", no_log=False),
    port=dict(type="int", default=5432),
    cluster_parameters=dict(type="dict", default={}),
    instance_parameters=dict(type="dict", default={}),
    storage_type=dict(type="str", choices=["aurora", "aurora-iopt1"]),
    storage_encrypted=dict(type="bool", default=True),
    kms_key=dict(type="str", no_log=False),
    enable_iam_database_authentication=dict(type="bool"),
    backup_retention_period=dict(type="int", default=7),
    preferred_backup_window=dict(type="str"),
    preferred_maintenance_window=dict(type="str"),
    copy_tags_to_snapshot=dict(type="bool", default=True),
    enable_performance_insights=dict(type="bool"),
    performance_insights_retention_period=dict(type="int"),
    database_insights_mode=dict(type="str", choices=["standard", "advanced"]),
    enabled_cloudwatch_logs_exports=dict(type="list", elements="str", choices=list(LOG_TYPES)),
    log_retention_in_days=dict(type="int"),
    deletion_protection=dict(type="bool", default=True),
    skip_final_snapshot=dict(type="bool", default=False),
    restore_from=dict(type="dict", options=dict(
        snapshot=dict(type="str"),
        cluster=dict(type="str"),
        time=dict(type="str"),
    )),
    tags=dict(type="dict", default={}),
)
NAMED = {"instances": INSTANCE}
NAME = r"[a-z](?!.*--)[a-z0-9-]{0,62}(?<!-)"  # API_CreateDBCluster
# Words that PostgreSQL or Aurora keep for themselves, from the same page.
RESERVED = ("admin", "rdsadmin", "rdsrepladmin", "rdstopmgr", "rdsproxyadmin")
ADVANCED_DAYS = 465  # API_CreateDBCluster, DatabaseInsightsMode


def build(options: dict, stack) -> list:
    """The resources of one cluster."""
    name = options["name"] or stack.name("aurora")
    subnets = placed(options["subnets"], stack)
    problems = [*_problems(name, options), *_names(name, options["instances"]),
                *_placement(options, subnets), *_serverless(options)]
    if problems:
        raise ValueError("\n".join(problems))
    groups, own = guarded("aurora_cluster/main", options["port"], options, stack)
    subnet_group = DbSubnetGroup(
        key="aurora_cluster/db_subnet_group/main", db_subnet_group_name=name, subnets=subnets,
        description=f"Subnets of {name}")
    version = DbEngineVersion(key=f"aurora_cluster/db_engine_version/{options['engine_version']}",
                              engine=ENGINE, asked=options["engine_version"])
    parameters, of_cluster, of_instances = _parameter_groups(name, options)
    logs = _log_groups(name, options)
    cluster = _cluster(name, options, stack, {
        "subnet_group": subnet_group, "security_groups": groups, "log_groups": logs,
        "engine_version_on_offer": version, "parameter_group": of_cluster,
        "instance_parameter_group": of_instances})
    return [*own, subnet_group, version, *parameters, *logs, cluster,
            *_instances(name, options, cluster, of_instances)]


def _problems(name: str, options: dict) -> list[str]:
    """What Aurora would refuse, or what would stand in its way later."""
    found = access_problems("", options) + window_problems(
        "", *((n, options[n]) for n in ("preferred_backup_window",
                                        "preferred_maintenance_window")))
    if not re.fullmatch(r"\d+(\.\d+)?", options["engine_version"]):
        found.append(f"engine_version: {options['engine_version']} is not a version such as 15.4 "
                     "or 15")
    if options["master_username"].lower() in RESERVED or not re.fullmatch(
            "[a-zA-Z][a-zA-Z0-9_]{0,15}", options["master_username"]):
        found.append(f"master_username: {options['master_username']} is reserved or has other "
                     "characters than letters, digits and _, at most 16; postgres will do")
    if options["kms_key"] and not options["storage_encrypted"]:
        found.append("kms_key: needs storage_encrypted: true")
    if not 1 <= options["backup_retention_period"] <= 35:
        found.append("backup_retention_period: must be from 1 to 35 days")
    if options["log_retention_in_days"] and not options["enabled_cloudwatch_logs_exports"]:
        found.append("log_retention_in_days: needs enabled_cloudwatch_logs_exports: [postgresql]")
    restore = options["restore_from"] or {}
    if options["restore_from"] is not None and bool(restore["snapshot"]) == bool(
            restore["cluster"]) or restore.get("time") and restore["snapshot"]:
        found.append("restore_from: give snapshot, or cluster with or without time")
    return found + _insights(options)


def _names(name: str, instances: dict) -> list[str]:
    """What RDS takes as names; it would write capital letters small, and not as they are wanted."""
    named = {f"instances.{instance}.name": given["name"] or f"{name}-{instance}"
             for instance, given in instances.items()}
    return [f"{path}: {text} must have 1 to 63 lower-case letters, digits and single hyphens, with "
            "a letter first"
            for path, text in {"name": name, **named}.items() if not re.fullmatch(NAME, text)]


def _insights(options: dict) -> list[str]:
    """Advanced mode needs fifteen months of Performance Insights."""
    on, days = (options[n] for n in ("enable_performance_insights",
                                     "performance_insights_retention_period"))
    found = []
    if days is not None and days not in (7, 731) and not (days % 31 == 0 and 1 <= days // 31 <= 23):
        found.append("performance_insights_retention_period: must be 7, 731 or a multiple of 31 "
                     "up to 713 days")
    if days and not on:
        found.append("performance_insights_retention_period: needs "
                     "enable_performance_insights: true")
    if options["database_insights_mode"] == "advanced" and not (on and days == ADVANCED_DAYS):
        found.append("database_insights_mode: advanced needs enable_performance_insights: true "
                     f"and performance_insights_retention_period: {ADVANCED_DAYS}")
    return found


def _placement(options: dict, subnets) -> list[str]:
    """Two zones at least, and instances only in those there are."""
    zones, found = letters(subnets), []
    if not options["instances"]:
        found.append("instances: name one at least, such as writer: {}")
    for name, given in options["instances"].items():
        zone = given["availability_zone"]
        if zone and zones and zone_letter(zone) not in zones:
            found.append(f"instances.{name}.availability_zone: {zone} has none of the subnets; "
                         f"there are some in zones {', '.join(zones)}")
        if not 0 <= given["promotion_tier"] <= 15:
            found.append(f"instances.{name}.promotion_tier: must be from 0 (first) to 15 (last)")
        found += window_problems(f"instances.{name}.", ("", None), (
            "preferred_maintenance_window", given["preferred_maintenance_window"]))
    return found


def _serverless(options: dict) -> list[str]:
    """Limits of AuroraUserGuide/aurora-serverless-v2.setting-capacity.html."""
    given, path = options["serverless_v2_scaling"], "serverless_v2_scaling"
    low, high, pause = (given[n] for n in ("min_capacity", "max_capacity",
                                           "seconds_until_auto_pause"))
    found = []
    if low * 2 % 1 or high * 2 % 1 or not 0 <= low <= high or not 1 <= high <= 256:
        found.append(f"{path}: min_capacity {low:g} and max_capacity {high:g} must be steps of "
                     "0.5 from 0 to 256, the maximum not below the minimum and at least 1")
    if pause is not None and (low or not 300 <= pause <= 86400):
        found.append(f"{path}.seconds_until_auto_pause: must be from 300 to 86400, and needs "
                     "min_capacity: 0")
    return found


def _parameter_groups(name: str, options: dict) -> tuple[list, object, object]:
    """The groups made, and those that the cluster and its instances use.

    Names and keys carry the family, so that those of a new major version stand beside the old.
    """
    short = f"postgresql{options['engine_version'].split('.')[0]}"
    family = f"aurora-{short}"
    found, used = [], []
    for cls, part, field in ((DbClusterParameterGroup, "cluster", "db_cluster_parameter_group"),
                             (DbParameterGroup, "instance", "db_parameter_group")):
        given, own = options[f"{part}_parameters"], f"default.{family}"
        if given:
            own = cls(key=f"aurora_cluster/{field}/{family}", family=family,
                      description=f"Parameters of the {part} for {name}",
                      parameters=text_values(given), **{f"{field}_name": f"{name}-{short}"})
            found.append(own)
        used.append(own)
    return found, *used


def _log_groups(name: str, options: dict) -> list:
    """Made before AWS makes them; AWS would keep the logs for ever."""
    if not options["log_retention_in_days"]:
        return []
    return [LogGroup(key=f"aurora_cluster/log_group/{kind}", name=f"/aws/rds/cluster/{name}/{kind}",
                     retention_in_days=options["log_retention_in_days"])
            for kind in options["enabled_cloudwatch_logs_exports"]]


def _cluster(name: str, options: dict, stack, parts: dict) -> DbCluster:
    same = ("engine_version", "database_name", "master_username", "port", "storage_type",
            "storage_encrypted", "backup_retention_period", "preferred_backup_window",
            "copy_tags_to_snapshot", "deletion_protection", "enable_iam_database_authentication",
            "database_insights_mode", "enable_performance_insights",
            "performance_insights_retention_period", "skip_final_snapshot", "restore_from")
    scaling = {"MinCapacity": options["serverless_v2_scaling"]["min_capacity"],
               "MaxCapacity": options["serverless_v2_scaling"]["max_capacity"],
               "SecondsUntilAutoPause": options["serverless_v2_scaling"][
                   "seconds_until_auto_pause"]}
    keys = {n: stack.kms_key(options[n]) for n in ("kms_key", "master_user_secret_kms_key")
            if options[n]}
    weekly = options["preferred_maintenance_window"]
    return DbCluster(
        key="aurora_cluster/db_cluster/main", db_cluster_identifier=name, engine=ENGINE,
        manage_master_user_password=True, tags=dict(options["tags"]),
        serverless_v2_scaling={k: v for k, v in scaling.items() if v is not None},
        preferred_maintenance_window=weekly and weekly.lower(),
        enable_cloudwatch_logs_exports=options["enabled_cloudwatch_logs_exports"],
        **{n: options[n] for n in same}, **keys, **parts)


def _instances(name: str, options: dict, cluster: DbCluster, parameter_group) -> list:
    """The one that failovers prefer is made first, so that it writes; the others follow it."""
    found = []
    for instance, given in sorted(options["instances"].items(),
                                  key=lambda pair: pair[1]["promotion_tier"]):
        weekly = given["preferred_maintenance_window"]
        found.append(DbInstance(
            key=f"aurora_cluster/db_instance/{instance}", cluster=cluster, engine=ENGINE,
            first=found[0] if found else None, tags=dict(given["tags"]),
            db_instance_identifier=given["name"] or f"{name}-{instance}",
            parameter_group=parameter_group,
            preferred_maintenance_window=weekly and weekly.lower(),
            **{n: given[n] for n in ("availability_zone", "promotion_tier", "instance_class",
                                     "auto_minor_version_upgrade", "publicly_accessible")}))
    return found
