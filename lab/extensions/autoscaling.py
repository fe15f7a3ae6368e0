"""Auto Scaling groups of managed node groups: API_DescribeAutoScalingGroups, API_DescribeTags,
API_CreateOrUpdateTags, API_DeleteTags. EKS makes them; nothing else in the lab does."""

from lab import kit
from lab.errors import Refusal
from lab.registry import handler

SIZES = {"minSize": "MinSize", "maxSize": "MaxSize", "desiredSize": "DesiredCapacity"}


def make(call, name, sizes, subnets, tags):
    table = call.store.table("autoscaling.group")
    table[name] = {
        "AutoScalingGroupName": name, "DefaultCooldown": 300, "HealthCheckType": "EC2",
        "AutoScalingGroupARN": call.arn(
            "autoscaling", f"autoScalingGroup:{kit.hex_id(32)}:autoScalingGroupName/{name}"),
        "AvailabilityZones": sorted({subnet.availability_zone for subnet in subnets}),
        "VPCZoneIdentifier": ",".join(subnet.id for subnet in subnets),
        "CreatedTime": kit.now(call), "HealthCheckGracePeriod": 15, "Instances": [],
        "_tags": {}, **{SIZES[key]: value for key, value in sizes.items()}}
    for key, value in tags.items():
        put_tag(table[name], key, value, True)


def resize(call, name, sizes):
    call.store.table("autoscaling.group")[name].update(
        {SIZES[key]: value for key, value in sizes.items()})


def fill(call, name, instances):
    """The instances that the group has by now: (id, zone, type)."""
    call.store.table("autoscaling.group")[name]["Instances"] = [
        {"InstanceId": key, "AvailabilityZone": zone, "InstanceType": kind,
         "LifecycleState": "InService", "HealthStatus": "Healthy", "ProtectedFromScaleIn": False}
        for key, zone, kind in instances]


def drop(call, name):
    call.store.table("autoscaling.group").pop(name, None)


def put_tag(group, key, value, propagate):
    group["_tags"][key] = {
        "ResourceId": group["AutoScalingGroupName"], "ResourceType": "auto-scaling-group",
        "Key": key, "Value": value, "PropagateAtLaunch": bool(propagate)}


def group_of(call, name):
    group = call.store.table("autoscaling.group").get(name)
    if group is None:
        raise Refusal("ValidationError", f"AutoScalingGroup name not found - no such group: {name}")
    return group


@handler("autoscaling", "DescribeAutoScalingGroups")
def describe_groups(call):
    names, filters = call.params.get("AutoScalingGroupNames"), call.params.get("Filters") or []
    rows = []
    for name, group in call.store.table("autoscaling.group").items():
        if (not names or name in names) and all(matches(group, row) for row in filters):
            rows.append({**group, "Tags": list(group["_tags"].values())})
    rows, token = kit.page(call, rows, ("MaxRecords", 50), "NextToken")
    return {"AutoScalingGroups": rows, "NextToken": token}


def matches(group, row):
    name, values = row["Name"], row["Values"]
    tags = group["_tags"].values()
    if name == "tag-key":
        return any(tag["Key"] in values for tag in tags)
    if name == "tag-value":
        return any(tag["Value"] in values for tag in tags)
    if name.startswith("tag:"):
        return group["_tags"].get(name[4:], {}).get("Value") in values
    raise Refusal("ValidationError", f"The filter {name} is not valid")


@handler("autoscaling", "DescribeTags")
def describe_tags(call):
    fields = {"auto-scaling-group": "ResourceId", "key": "Key", "value": "Value"}
    rows = [tag for group in call.store.table("autoscaling.group").values()
            for tag in group["_tags"].values()]
    for row in call.params.get("Filters") or []:
        field = fields.get(row["Name"])
        if field:
            rows = [tag for tag in rows if tag[field] in row["Values"]]
    rows, token = kit.page(call, rows, ("MaxRecords", 50), "NextToken")
    return {"Tags": rows, "NextToken": token}


@handler("autoscaling", "CreateOrUpdateTags")
def put_tags(call):
    groups = [(group_of(call, tag.get("ResourceId")), tag) for tag in call.params["Tags"]]
    for group, tag in groups:
        if tag["Key"].startswith("aws:"):
            raise Refusal("ValidationError", "aws: prefixed tag key names are not allowed")
        put_tag(group, tag["Key"], tag.get("Value", ""), tag.get("PropagateAtLaunch", False))
    return {}


@handler("autoscaling", "DeleteTags")
def delete_tags(call):
    for tag in call.params["Tags"]:
        group_of(call, tag.get("ResourceId"))["_tags"].pop(tag["Key"], None)
    return {}
