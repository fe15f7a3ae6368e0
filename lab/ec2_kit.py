"""Parts that the EC2 extensions share."""

import fnmatch

from moto.ec2 import utils
from moto.ec2.models.core import TaggedEC2Resource

from lab.errors import Refusal


def _own_tags(resource):
    """moto looks through the tags of everything; one listing of 1,000 objects took seconds."""
    tags = resource.ec2_backend.tags.get(resource.id) or {}
    return [{"resource_id": resource.id, "key": key, "value": value}
            for key, value in tags.items()]


TaggedEC2Resource.get_tags = _own_tags
_matches = utils.is_filter_matching


def _any_key(resource, name, wanted):
    """One of the tag keys is enough; moto wants all of them. Source: using-filtering.html."""
    if name == "tag-key":
        keys = [tag["key"] for tag in resource.get_tags()]
        return any(fnmatch.fnmatchcase(key, pattern) for key in keys for pattern in wanted)
    return _matches(resource, name, wanted)


utils.is_filter_matching = _any_key


def tags_of(backend, resource_id):
    return [{"Key": key, "Value": value}
            for key, value in (backend.tags.get(resource_id) or {}).items()]


def tag_specification(call):
    """The tags that a create call asks for."""
    return {tag["Key"]: tag.get("Value", "") for row in call.params.get("TagSpecifications") or []
            for tag in row.get("Tags") or []}


def filtered(call, rows, fields):
    """EC2's filters over answer rows. fields: filter name -> function(row) -> value or list."""
    for asked in call.params.get("Filters") or call.params.get("Filter") or []:
        name, wanted = asked["Name"], asked.get("Values") or []
        rows = [row for row in rows if passes(row, name, wanted, fields)]
    return rows


def passes(row, name, wanted, fields):
    tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags") or []}
    if name.startswith("tag:"):
        values = [tags[name[4:]]] if name[4:] in tags else []
    elif name == "tag-key":
        values = list(tags)
    elif name in fields:
        value = fields[name](row)
        values = value if isinstance(value, list) else [value]
    else:
        raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(fnmatch.fnmatchcase(str(value), pattern) for value in values for pattern in wanted)


def dependency(text):
    return Refusal("DependencyViolation", text)


def has_gateway(backend, vpc_id):
    return any(gateway.vpc and gateway.vpc.id == vpc_id
               for gateway in backend.internet_gateways.values())


def drop_tags(backend, resource_id):
    backend.tags.pop(resource_id, None)
