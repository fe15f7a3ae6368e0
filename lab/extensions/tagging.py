"""Resource Groups Tagging API over everything the lab holds: API_GetResources, API_GetTagKeys,
API_GetTagValues. It knows neither IAM roles nor Auto Scaling groups, as the real one does not:
resourcegroupstagging/latest/APIReference/supported-services.html. Other objects of IAM are found
in us-east-1, where AWS keeps them."""

from lab import inventory, kit
from lab.registry import handler

UNKNOWN = ("iam.role", "autoscaling.group")


def tagged(call):
    """Everything with tags in this account and region that is not too young to be seen."""
    for kind, item in inventory.everything(call.lab):
        home = "us-east-1" if kind.startswith("iam.") else call.region
        here = item["region"] == call.region or (item["region"], home) == ("global", call.region)
        if here and item["account"] == call.account and item["tags"] and item["arn"] and not (
                item["gone"] or kind in UNKNOWN or call.lab.visibility.hidden(call, item["id"])):
            yield item


def matches(item, asked):
    wanted = asked.get("ResourceTypeFilters")
    if wanted:
        service, rest = item["arn"].split(":")[2], item["arn"].split(":", 5)[5]
        kind = rest.replace(":", "/").split("/")[0]
        if not {service, f"{service}:{kind}"} & set(wanted):
            return False
    if asked.get("ResourceARNList") and item["arn"] not in asked["ResourceARNList"]:
        return False
    for row in asked.get("TagFilters") or []:
        value = item["tags"].get(row["Key"])
        if value is None or (row.get("Values") and value not in row["Values"]):
            return False
    return True


@handler("resourcegroupstaggingapi", "GetResources")
def get_resources(call):
    rows = [{"ResourceARN": item["arn"], "Tags": [
        {"Key": key, "Value": value} for key, value in item["tags"].items()]}
        for item in tagged(call) if matches(item, call.params)]
    rows, token = kit.page(call, rows, ("ResourcesPerPage", 50), "PaginationToken")
    return {"ResourceTagMappingList": rows, "PaginationToken": token or ""}


@handler("resourcegroupstaggingapi", "GetTagKeys")
def get_keys(call):
    return {"TagKeys": sorted({key for item in tagged(call) for key in item["tags"]}),
            "PaginationToken": ""}


@handler("resourcegroupstaggingapi", "GetTagValues")
def get_values(call):
    key = call.params["Key"]
    return {"TagValues": sorted({item["tags"][key] for item in tagged(call)
                                 if key in item["tags"]}), "PaginationToken": ""}
