"""Parameter groups of clusters and of instances: API_CreateDBClusterParameterGroup,
API_CreateDBParameterGroup and their kin. The two kinds differ in names only."""

import re

from lab import kit
from lab.errors import Refusal
from lab.extensions import rds_shared as rds
from lab.registry import handler

# word in the operation and fields -> (ARN part and table, table of parameters, group's ARN field)
KINDS = {"DBClusterParameterGroup": ("cluster-pg", "cluster", "DBClusterParameterGroupArn"),
         "DBParameterGroup": ("pg", "instance", "DBParameterGroupArn")}
MOST = 20  # parameters a call. Source: API_ModifyDBClusterParameterGroup


def word_of(call):
    cluster = "Cluster" in call.operation
    return "DBClusterParameterGroup" if cluster else "DBParameterGroup"


def parts(call):
    """(word, table, known parameters, name asked for)"""
    word = word_of(call)
    part, known, _arn = KINDS[word]
    name = (call.params.get(f"{word}Name") or "").lower()
    return word, call.store.table(f"rds.{part}"), rds.DATA["parameters"][known], name


def group_of(call):
    word, table, known, name = parts(call)
    group = table.get(name) or default_group(call, word, name)
    if group is None:
        raise missing(name)
    return group, known


def missing(name):
    # Both kinds answer with the same code. Source: the Errors of both Describe operations.
    return Refusal("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)


def default_group(call, word, name):
    """default.<family> is there without being created."""
    families = {f"default.{rds.family(version)}" for version in rds.all_versions()}
    if name not in families:
        return None
    part, _known, arn = KINDS[word]
    return {f"{word}Name": name, "DBParameterGroupFamily": name.split(".", 1)[1],
            "Description": f"Default parameter group for {name.split('.', 1)[1]}",
            arn: call.arn("rds", f"{part}:{name}"), "_tags": {}, "_values": {}, "_default": True}


@handler("rds", "CreateDBClusterParameterGroup", "CreateDBParameterGroup")
def create(call):
    word, table, _known, name = parts(call)
    if name in table:
        raise Refusal("DBParameterGroupAlreadyExists", f"Parameter group {name} already exists")
    if not re.fullmatch(r"[a-z](?!.*--)[a-z0-9.-]{0,254}(?<!-)", name):
        raise rds.value_error(f"The parameter {word}Name is not a valid identifier: {name}")
    asked = call.params["DBParameterGroupFamily"]
    if asked not in {rds.family(version) for version in rds.all_versions()}:
        raise rds.value_error(f"ParameterGroupFamily {asked} is not a valid parameter group family")
    part, _table, arn = KINDS[word]
    table[name] = {
        f"{word}Name": name, "DBParameterGroupFamily": asked,
        "Description": call.params["Description"], arn: call.arn("rds", f"{part}:{name}"),
        "_tags": rds.tags_asked(call), "_values": {}}
    return {word: table[name]}


@handler("rds", "DescribeDBClusterParameterGroups", "DescribeDBParameterGroups")
def describe(call):
    word, _table, _known, name = parts(call)
    if name.startswith("default."):
        return {f"{word}s": [group_of(call)[0]]}
    rows, marker = rds.listing(call, KINDS[word][0], f"{word}Name", missing)
    return {f"{word}s": rows, "Marker": marker}


@handler("rds", "ModifyDBClusterParameterGroup", "ModifyDBParameterGroup")
def modify(call):
    group, known = group_of(call)
    if group.get("_default"):
        raise rds.value_error("Cannot modify a default parameter group")
    if len(call.params["Parameters"]) > MOST:
        raise rds.value_error(f"A maximum of {MOST} parameters can be modified in a single request")
    for row in call.params["Parameters"]:
        name = row.get("ParameterName")
        if name not in known:
            raise rds.value_error(f"Could not find parameter with name: {name}")
        if known[name] == "static" and row.get("ApplyMethod") == "immediate":
            raise rds.combination("cannot use immediate apply method for static parameter")
    for row in call.params["Parameters"]:
        group["_values"][row["ParameterName"]] = {
            "ParameterValue": row.get("ParameterValue"),
            "ApplyMethod": row.get("ApplyMethod", "pending-reboot")}
    return {f"{word_of(call)}Name": group[f"{word_of(call)}Name"]}


@handler("rds", "ResetDBClusterParameterGroup", "ResetDBParameterGroup")
def reset(call):
    group, _known = group_of(call)
    if call.params.get("ResetAllParameters"):
        group["_values"].clear()
    for row in call.params.get("Parameters") or []:
        group["_values"].pop(row["ParameterName"], None)
    return {f"{word_of(call)}Name": group[f"{word_of(call)}Name"]}


@handler("rds", "DescribeDBClusterParameters", "DescribeDBParameters")
def parameters(call):
    group, known = group_of(call)
    rows = []
    for name, kind in known.items():
        mine = group["_values"].get(name)
        source = "user" if mine else "engine-default"
        if call.params.get("Source") in (None, source):
            rows.append({"ParameterName": name, "Source": source, "ApplyType": kind,
                         "IsModifiable": True, "DataType": "string",
                         **(mine or {"ApplyMethod": "pending-reboot"})})
    rows, marker = kit.page(call, rows, ("MaxRecords", 100), "Marker")
    return {"Parameters": rows, "Marker": marker}


@handler("rds", "DeleteDBClusterParameterGroup", "DeleteDBParameterGroup")
def delete(call):
    word, table, _known, name = parts(call)
    if name.startswith("default."):
        raise rds.value_error("Default DBParameterGroup cannot be deleted")
    if name not in table:
        raise missing(name)
    users = call.store.table("rds.cluster" if "Cluster" in word else "rds.instance").values()
    if any(user["_parameters"] == name for user in users):
        raise Refusal("InvalidDBParameterGroupState", "One or more database instances are still "
                      f"members of this parameter group {name}, so the group cannot be deleted")
    del table[name]
    return {}


def check_group(call, word, name, version):
    """A group must exist and be of the engine's family."""
    part = KINDS[word][0]
    group = call.store.table(f"rds.{part}").get(name) or default_group(call, word, name)
    if group is None:
        raise missing(name) if word == "DBParameterGroup" else Refusal(
            "DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}", 404)
    if group["DBParameterGroupFamily"] != rds.family(version):
        raise rds.combination(
            f"The Parameter Group {name} with DBParameterGroupFamily "
            f"{group['DBParameterGroupFamily']} cannot be used for this instance. Please use a "
            f"Parameter Group with DBParameterGroupFamily {rds.family(version)}")
