"""RDS, as far as Aurora PostgreSQL needs it: names, tags, subnet groups. moto's RDS is not used,
so that states, refusals and engine versions are ours. Source: the RDS API reference."""

import json
import re
from pathlib import Path

from lab import kit
from lab.errors import Refusal
from lab.registry import handler

DATA = json.loads((Path(__file__).parent.parent / "data" / "rds.json").read_text())
NAME = re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{0,62}(?<!-)$")
ENGINE = "aurora-postgresql"


def value_error(text):
    return Refusal("InvalidParameterValue", text, 400)


def combination(text):
    return Refusal("InvalidParameterCombination", text, 400)


def check_name(parameter, name):
    if not NAME.match(name):
        raise value_error(
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a "
            "letter; must contain only ASCII letters, digits, and hyphens; and must not end with "
            "a hyphen or contain two consecutive hyphens.")


def family(version):
    return f"{ENGINE}{version.split('.')[0]}"


def all_versions():
    return [version for rows in DATA["versions"].values() for version in rows]


def number(version):
    major, minor = version.split(".")
    return int(major), int(minor)


def tags_asked(call):
    tags = {tag["Key"]: tag.get("Value", "") for tag in call.params.get("Tags") or []}
    check_tags(tags)
    return tags


def check_tags(tags):
    for key in tags:
        if key.lower().startswith(("aws:", "rds:")):
            raise value_error(f"Tag keys with the prefix aws: or rds: are reserved: {key}")


def tag_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def shown(item):
    """An object as AWS answers it: its tags as a list."""
    return {**item, "TagList": tag_list(item["_tags"])}


# kind -> (the field of its ARN)
KINDS = {"cluster": "DBClusterArn", "instance": "DBInstanceArn", "subgrp": "DBSubnetGroupArn",
         "cluster-pg": "DBClusterParameterGroupArn", "pg": "DBParameterGroupArn",
         "cluster-snapshot": "DBClusterSnapshotArn"}


def by_arn(call):
    arn = call.params["ResourceName"]
    for kind, field in KINDS.items():
        for item in call.store.table(f"rds.{kind}").values():
            if item[field] == arn:
                return item
    code = "DBClusterNotFoundFault" if ":cluster:" in arn else "DBInstanceNotFound"
    raise Refusal(code, f"Resource {arn} was not found", 404)


@handler("rds", "AddTagsToResource")
def add_tags(call):
    by_arn(call)["_tags"].update(tags_asked(call))
    return {}


@handler("rds", "RemoveTagsFromResource")
def remove_tags(call):
    tags = by_arn(call)["_tags"]
    for key in call.params["TagKeys"]:
        tags.pop(key, None)
    return {}


@handler("rds", "ListTagsForResource")
def list_tags(call):
    return {"TagList": tag_list(by_arn(call)["_tags"])}


def listing(call, kind, parameter, missing):
    """Describe operations: one by name, or a page of all."""
    table, name = call.store.table(f"rds.{kind}"), call.params.get(parameter)
    if name:
        name = name.split(":")[-1].lower()
        if name not in table:
            raise missing(name)
        return [table[name]], None
    return kit.page(call, list(table.values()), ("MaxRecords", 100), "Marker")


# ---- subnet groups: API_CreateDBSubnetGroup -----------------------------------------------------

def no_group(name):
    return Refusal("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404)


def check_subnets(call, ids):
    found = kit.subnets(call, ids, lambda key: Refusal(
        "InvalidSubnet", f"The requested subnet {key} is invalid, or multiple subnets were "
        "requested that are not all in a common VPC."))
    zones = sorted({subnet.availability_zone for subnet in found})
    if len(zones) < 2:
        raise Refusal("DBSubnetGroupDoesNotCoverEnoughAZs",
                      "The DB subnet group doesn't meet Availability Zone (AZ) coverage "
                      f"requirement. Current AZ coverage: {', '.join(zones)}. Add subnets to "
                      "cover at least 2 AZs.")
    if len({subnet.vpc_id for subnet in found}) > 1:
        raise Refusal("InvalidSubnet", "The subnets are not all in a common VPC.")
    return found


def subnet_rows(found):
    return [{"SubnetIdentifier": subnet.id, "SubnetStatus": "Active",
             "SubnetAvailabilityZone": {"Name": subnet.availability_zone}} for subnet in found]


@handler("rds", "CreateDBSubnetGroup")
def create_subnet_group(call):
    name, table = call.params["DBSubnetGroupName"].lower(), call.store.table("rds.subgrp")
    if name in table:
        raise Refusal("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    if name == "default" or not re.fullmatch(r"[a-z0-9][a-z0-9._ -]{0,254}", name):
        raise value_error("The parameter DBSubnetGroupName is not valid")
    found = check_subnets(call, call.params["SubnetIds"])
    table[name] = {
        "DBSubnetGroupName": name, "SubnetGroupStatus": "Complete", "VpcId": found[0].vpc_id,
        "DBSubnetGroupDescription": call.params["DBSubnetGroupDescription"],
        "Subnets": subnet_rows(found), "SupportedNetworkTypes": ["IPV4"],
        "DBSubnetGroupArn": call.arn("rds", f"subgrp:{name}"), "_tags": tags_asked(call)}
    return {"DBSubnetGroup": table[name]}


@handler("rds", "DescribeDBSubnetGroups")
def describe_subnet_groups(call):
    rows, marker = listing(call, "subgrp", "DBSubnetGroupName", no_group)
    return {"DBSubnetGroups": rows, "Marker": marker}


@handler("rds", "ModifyDBSubnetGroup")
def modify_subnet_group(call):
    name = call.params["DBSubnetGroupName"].lower()
    group = call.store.table("rds.subgrp").get(name)
    if group is None:
        raise no_group(name)
    found = check_subnets(call, call.params["SubnetIds"])
    kept = {subnet.id for subnet in found}
    for instance in call.store.table("rds.instance").values():
        if instance["_group"] == name and instance["_subnet"] not in kept:
            raise Refusal("SubnetAlreadyInUse", f"The subnet {instance['_subnet']} is in use")
    group["Subnets"] = subnet_rows(found)
    if call.params.get("DBSubnetGroupDescription"):
        group["DBSubnetGroupDescription"] = call.params["DBSubnetGroupDescription"]
    return {"DBSubnetGroup": group}


@handler("rds", "DeleteDBSubnetGroup")
def delete_subnet_group(call):
    name = call.params["DBSubnetGroupName"].lower()
    if name not in call.store.table("rds.subgrp"):
        raise no_group(name)
    for cluster in call.store.table("rds.cluster").values():
        if cluster["DBSubnetGroup"] == name:
            raise Refusal("InvalidDBSubnetGroupStateFault",
                          f"Cannot delete the subnet group '{name}' because at least one database "
                          f"cluster: {cluster['DBClusterIdentifier']} is still using it.")
    del call.store.table("rds.subgrp")[name]
    return {}


# ---- engine versions: API_DescribeDBEngineVersions ----------------------------------------------

@handler("rds", "DescribeDBEngineVersions")
def describe_versions(call):
    asked = call.params
    rows = []
    for version in all_versions():
        if asked.get("Engine") not in (None, ENGINE):
            break
        if asked.get("EngineVersion") and not (
                version == asked["EngineVersion"]
                or version.startswith(asked["EngineVersion"] + ".")):
            continue
        if asked.get("DBParameterGroupFamily") not in (None, family(version)):
            continue
        if asked.get("DefaultOnly") and version != DATA["default"]:
            continue
        rows.append(describe_version(version))
    rows, marker = kit.page(call, rows, ("MaxRecords", 100), "Marker")
    return {"DBEngineVersions": rows, "Marker": marker}


def describe_version(version):
    major = number(version)[0]
    targets = [target for target in all_versions() if number(target) > number(version)]
    return {
        "Engine": ENGINE, "EngineVersion": version, "DBParameterGroupFamily": family(version),
        "MajorEngineVersion": str(major), "Status": "available",
        "DBEngineDescription": "Aurora PostgreSQL", "SupportedEngineModes": ["provisioned"],
        "DBEngineVersionDescription": f"Aurora PostgreSQL (Compatible with PostgreSQL {version})",
        "ExportableLogTypes": DATA["log_types"], "SupportsLogExportsToCloudwatchLogs": True,
        "SupportsReadReplica": False, "SupportsGlobalDatabases": True,
        "ServerlessV2FeaturesSupport": {"MinCapacity": 0.0, "MaxCapacity": 256.0},
        "ValidUpgradeTarget": [
            {"Engine": ENGINE, "EngineVersion": target, "AutoUpgrade": False,
             "IsMajorVersionUpgrade": number(target)[0] > major,
             "Description": f"Aurora PostgreSQL {target}"} for target in targets]}


@handler("rds", "DescribeOrderableDBInstanceOptions")
def describe_orderable(call):
    """API_DescribeOrderableDBInstanceOptions"""
    asked = call.params
    zones = [{"Name": f"{call.region}{letter}"} for letter in "abc"]
    rows = [{"Engine": ENGINE, "EngineVersion": version, "DBInstanceClass": name,
             "LicenseModel": "postgresql-license", "AvailabilityZones": zones, "Vpc": True,
             "SupportsPerformanceInsights": True, "SupportsStorageEncryption": True,
             "SupportedEngineModes": ["provisioned"], "SupportsClusters": True}
            for version in all_versions() for name in DATA["classes"]
            if asked.get("Engine") == ENGINE
            and asked.get("EngineVersion") in (None, version)
            and asked.get("DBInstanceClass") in (None, name)]
    rows, marker = kit.page(call, rows, ("MaxRecords", 100), "Marker")
    return {"OrderableDBInstanceOptions": rows, "Marker": marker}
