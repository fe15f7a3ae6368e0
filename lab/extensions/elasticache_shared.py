"""ElastiCache: subnet groups, parameter groups, engine versions, tags. moto's ElastiCache is not
used. Source: the ElastiCache API reference, page of each operation."""

import json
import re
from pathlib import Path

from lab import kit
from lab.errors import Refusal
from lab.registry import handler

DATA = json.loads((Path(__file__).parent.parent / "data" / "elasticache.json").read_text())
NAME = re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]*(?<!-)$")


def value_error(text):
    return Refusal("InvalidParameterValue", text, 400)


def combination(text):
    return Refusal("InvalidParameterCombination", text, 400)


def check_name(parameter, name, longest):
    if not NAME.match(name) or len(name) > longest:
        raise value_error(
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a "
            "letter; must contain only ASCII letters, digits, and hyphens; must not end with a "
            f"hyphen or contain two consecutive hyphens, and have at most {longest} characters.")


def engine_of(engine, version):
    """(the version as it runs, its parameter group family)"""
    engine = (engine or "redis").lower()
    if engine not in DATA["engines"]:
        raise value_error(f"Invalid engine name: {engine}")
    rows = DATA["engines"][engine]
    asked = version or next(iter(rows))
    for short, (full, family) in rows.items():
        if asked in (short, full):
            return full, family
    raise combination(f"Cannot find version {asked} for {engine}")


def number(version):
    return tuple(int(part) for part in version.split("."))


def tags_asked(call):
    tags = {tag["Key"]: tag.get("Value", "") for tag in call.params.get("Tags") or []}
    if any(key.lower().startswith("aws:") for key in tags):
        raise value_error("Tag keys starting with aws: are reserved")
    return tags


KINDS = ("cluster", "replicationgroup", "subnetgroup", "parametergroup", "snapshot")


def by_arn(call):
    arn = call.params["ResourceName"]
    for kind in KINDS:
        for item in call.store.table(f"elasticache.{kind}").values():
            if item["ARN"] == arn:
                return item
    group = ":replicationgroup:" in arn
    code = "ReplicationGroupNotFoundFault" if group else "CacheClusterNotFound"
    raise Refusal(code, f"{arn} is either not present or not available.", 404)


def tag_list(item):
    return {"TagList": [{"Key": key, "Value": value} for key, value in item["_tags"].items()]}


@handler("elasticache", "ListTagsForResource")
def list_tags(call):
    return tag_list(by_arn(call))


@handler("elasticache", "AddTagsToResource")
def add_tags(call):
    item = by_arn(call)
    item["_tags"].update(tags_asked(call))
    return tag_list(item)


@handler("elasticache", "RemoveTagsFromResource")
def remove_tags(call):
    item = by_arn(call)
    for key in call.params["TagKeys"]:
        if key not in item["_tags"]:
            raise Refusal("TagNotFound", f"The tag {key} was not found", 404)
        del item["_tags"][key]
    return tag_list(item)


def listing(call, kind, parameter, missing):
    table, name = call.store.table(f"elasticache.{kind}"), call.params.get(parameter)
    if name:
        if name.lower() not in table:
            raise missing(name)
        return [table[name.lower()]], None
    return kit.page(call, list(table.values()), ("MaxRecords", 100), "Marker")


@handler("elasticache", "DescribeCacheEngineVersions")
def engine_versions(call):
    asked = call.params
    rows = []
    for engine, versions in DATA["engines"].items():
        for short, (full, family) in versions.items():
            if asked.get("Engine") in (None, engine) and (
                    asked.get("EngineVersion") in (None, short, full)) and (
                    asked.get("CacheParameterGroupFamily") in (None, family)):
                rows.append({"Engine": engine, "EngineVersion": short,
                             "CacheParameterGroupFamily": family,
                             "CacheEngineDescription": engine.capitalize(),
                             "CacheEngineVersionDescription": f"{engine} version {full}"})
    if asked.get("DefaultOnly"):
        rows = rows[:1]
    rows, marker = kit.page(call, rows, ("MaxRecords", 100), "Marker")
    return {"CacheEngineVersions": rows, "Marker": marker}


# ---- subnet groups -----------------------------------------------------------------------------

def no_subnets(name):
    return Refusal("CacheSubnetGroupNotFoundFault", f"CacheSubnetGroup {name} does not exist.", 400)


def subnets_of(call, ids):
    found = kit.subnets(call, ids, lambda key: Refusal(
        "InvalidSubnet", f"The subnet ID '{key}' does not exist"))
    if len({subnet.vpc_id for subnet in found}) > 1:
        raise Refusal("InvalidSubnet", "The subnets must be in one VPC")
    return found, [{"SubnetIdentifier": subnet.id, "SubnetAvailabilityZone": {
        "Name": subnet.availability_zone}, "SupportedNetworkTypes": ["ipv4"]} for subnet in found]


@handler("elasticache", "CreateCacheSubnetGroup")
def create_subnets(call):
    name, table = call.params["CacheSubnetGroupName"].lower(), call.store.table(
        "elasticache.subnetgroup")
    if name in table:
        raise Refusal("CacheSubnetGroupAlreadyExists",
                      f"CacheSubnetGroup {name} already exists.")
    if name == "default" or not re.fullmatch(r"[a-z0-9._-]{1,255}", name):
        raise value_error("CacheSubnetGroupName is not valid")
    found, rows = subnets_of(call, call.params["SubnetIds"])
    table[name] = {"CacheSubnetGroupName": name, "Subnets": rows, "VpcId": found[0].vpc_id,
                   "CacheSubnetGroupDescription": call.params["CacheSubnetGroupDescription"],
                   "ARN": call.arn("elasticache", f"subnetgroup:{name}"),
                   "SupportedNetworkTypes": ["ipv4"], "_tags": tags_asked(call)}
    return {"CacheSubnetGroup": table[name]}


@handler("elasticache", "DescribeCacheSubnetGroups")
def describe_subnets(call):
    rows, marker = listing(call, "subnetgroup", "CacheSubnetGroupName", no_subnets)
    return {"CacheSubnetGroups": rows, "Marker": marker}


@handler("elasticache", "ModifyCacheSubnetGroup")
def modify_subnets(call):
    name = call.params["CacheSubnetGroupName"].lower()
    group = call.store.table("elasticache.subnetgroup").get(name)
    if group is None:
        raise no_subnets(name)
    if call.params.get("SubnetIds"):
        _found, rows = subnets_of(call, call.params["SubnetIds"])
        kept = {row["SubnetIdentifier"] for row in rows}
        for node in call.store.table("elasticache.cluster").values():
            if node["CacheSubnetGroupName"] == name and node["_subnet"] not in kept:
                raise Refusal("SubnetInUse", f"The subnet {node['_subnet']} is in use")
        group["Subnets"] = rows
    if call.params.get("CacheSubnetGroupDescription"):
        group["CacheSubnetGroupDescription"] = call.params["CacheSubnetGroupDescription"]
    return {"CacheSubnetGroup": group}


@handler("elasticache", "DeleteCacheSubnetGroup")
def delete_subnets(call):
    name = call.params["CacheSubnetGroupName"].lower()
    if name not in call.store.table("elasticache.subnetgroup"):
        raise no_subnets(name)
    for node in call.store.table("elasticache.cluster").values():
        if node["CacheSubnetGroupName"] == name:
            raise Refusal("CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use "
                          "by a cache cluster.")
    del call.store.table("elasticache.subnetgroup")[name]
    return {}


# ---- parameter groups --------------------------------------------------------------------------

def no_parameters(name):
    return Refusal("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {name}", 404)


def families():
    return {family for rows in DATA["engines"].values() for _full, family in rows.values()}


def parameter_group(call, name):
    """A group of ours, or one of AWS's defaults."""
    name = name.lower()
    group = call.store.table("elasticache.parametergroup").get(name)
    if group is None:
        family = name.removeprefix("default.").removesuffix(".cluster.on")
        if not name.startswith("default.") or family not in families():
            raise no_parameters(name)
        values = {"cluster-enabled": "yes"} if name.endswith(".cluster.on") else {}
        group = {"CacheParameterGroupName": name, "CacheParameterGroupFamily": family,
                 "Description": f"Default parameter group for {family}", "IsGlobal": False,
                 "ARN": call.arn("elasticache", f"parametergroup:{name}"), "_values": values,
                 "_default": True, "_tags": {}}
    return group


def check_parameters(call, name, family):
    group = parameter_group(call, name)
    if group["CacheParameterGroupFamily"] != family:
        raise combination(f"Expected a parameter group of family {family} but found one of family "
                          f"{group['CacheParameterGroupFamily']}")
    return group


@handler("elasticache", "CreateCacheParameterGroup")
def create_parameters(call):
    name, table = call.params["CacheParameterGroupName"].lower(), call.store.table(
        "elasticache.parametergroup")
    if name in table:
        raise Refusal("CacheParameterGroupAlreadyExists", f"Parameter group {name} already exists")
    check_name("CacheParameterGroupName", name.replace(".", "-"), 255)
    family = call.params["CacheParameterGroupFamily"]
    if family not in families():
        raise value_error(f"CacheParameterGroupFamily {family} is not a valid parameter group "
                          "family.")
    table[name] = {"CacheParameterGroupName": name, "IsGlobal": False,
                   "CacheParameterGroupFamily": family,
                   "Description": call.params["Description"], "_values": {},
                   "ARN": call.arn("elasticache", f"parametergroup:{name}"),
                   "_tags": tags_asked(call)}
    return {"CacheParameterGroup": table[name]}


@handler("elasticache", "DescribeCacheParameterGroups")
def describe_parameters(call):
    name = call.params.get("CacheParameterGroupName")
    if name:
        return {"CacheParameterGroups": [parameter_group(call, name)]}
    rows, marker = listing(call, "parametergroup", "CacheParameterGroupName", no_parameters)
    return {"CacheParameterGroups": rows, "Marker": marker}


@handler("elasticache", "ModifyCacheParameterGroup")
def modify_parameters(call):
    group = parameter_group(call, call.params["CacheParameterGroupName"])
    rows = call.params["ParameterNameValues"]
    if group.get("_default"):
        raise value_error("The default parameter groups cannot be modified")
    if len(rows) > 20:
        raise value_error("A maximum of 20 parameters can be modified in a single request")
    for row in rows:
        if row.get("ParameterName") not in DATA["parameters"]:
            raise value_error(f"The parameter {row.get('ParameterName')} does not exist")
    for row in rows:
        group["_values"][row["ParameterName"]] = row.get("ParameterValue")
    return {"CacheParameterGroupName": group["CacheParameterGroupName"]}


@handler("elasticache", "ResetCacheParameterGroup")
def reset_parameters(call):
    group = parameter_group(call, call.params["CacheParameterGroupName"])
    if call.params.get("ResetAllParameters"):
        group["_values"].clear()
    for row in call.params.get("ParameterNameValues") or []:
        group["_values"].pop(row["ParameterName"], None)
    return {"CacheParameterGroupName": group["CacheParameterGroupName"]}


@handler("elasticache", "DescribeCacheParameters")
def parameters(call):
    group = parameter_group(call, call.params["CacheParameterGroupName"])
    rows = []
    for name, (default, change) in DATA["parameters"].items():
        source = "user" if name in group["_values"] else "system"
        if call.params.get("Source") in (None, source):
            rows.append({"ParameterName": name, "ChangeType": change, "Source": source,
                         "ParameterValue": group["_values"].get(name, default),
                         "IsModifiable": True, "DataType": "string"})
    rows, marker = kit.page(call, rows, ("MaxRecords", 100), "Marker")
    return {"Parameters": rows, "Marker": marker}


@handler("elasticache", "DeleteCacheParameterGroup")
def delete_parameters(call):
    name = call.params["CacheParameterGroupName"].lower()
    if name not in call.store.table("elasticache.parametergroup"):
        raise no_parameters(name)
    for node in call.store.table("elasticache.cluster").values():
        if node["CacheParameterGroup"]["CacheParameterGroupName"] == name:
            raise Refusal("InvalidCacheParameterGroupState", "One or more cache clusters are still "
                          f"members of this parameter group {name}, so the group cannot be deleted")
    del call.store.table("elasticache.parametergroup")[name]
    return {}
