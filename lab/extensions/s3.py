"""S3: what it refuses and moto lets pass. Sources: bucketnamingrules.html of the user guide, the
Errors of the API reference."""

import ipaddress
import json
import re

from moto.s3.models import FakeBucket

from lab import quotas
from lab.errors import Refusal
from lab.registry import guard

NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_evaluate = FakeBucket.get_permission


def _without_conditions(bucket, action, resource):
    """moto knows no conditions: a policy that denies plain HTTP would deny everything."""
    text = bucket.policy
    if not text:
        return _evaluate(bucket, action, resource)
    document = json.loads(text)
    statements = document["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    kept = [row for row in statements if not row.get("Condition")]
    try:
        bucket.policy = json.dumps({**document, "Statement": kept}).encode() if kept else None
        return _evaluate(bucket, action, resource)
    finally:
        bucket.policy = text


FakeBucket.get_permission = _without_conditions


def valid(name):
    if not NAME.match(name) or name.startswith(PREFIXES) or name.endswith(SUFFIXES):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False


@guard("s3", "CreateBucket")
def check_bucket(call):
    name = call.params["Bucket"]
    if not valid(name):
        raise Refusal("InvalidBucketName", "The specified bucket is not valid.", 400)
    quotas.check(call, "s3_buckets", len(call.backend("s3").buckets))


@guard("s3", "PutBucketPolicy")
def check_policy(call):
    """A public policy is refused while BlockPublicPolicy holds."""
    bucket = call.backend("s3").buckets.get(call.params["Bucket"])
    try:
        document = json.loads(call.params["Policy"])
    except ValueError:
        return  # moto says so
    statements = document.get("Statement", [])
    block = getattr(bucket, "public_access_block", None) if bucket else None
    blocked = block is not None and str(getattr(block, "block_public_policy", "")).lower() == "true"
    for row in statements if isinstance(statements, list) else [statements]:
        public = row.get("Principal") in ("*", {"AWS": "*"}) and row.get("Effect") == "Allow"
        if public and not row.get("Condition") and blocked:
            raise Refusal("AccessDenied", "User is not authorized to perform: s3:PutBucketPolicy "
                          "because public policies are prevented by the BlockPublicPolicy setting "
                          "in S3 Block Public Access.", 403)


@guard("s3", "PutBucketTagging")
def check_tags(call):
    keys = [tag["Key"] for tag in call.params["Tagging"]["TagSet"]]
    if len(set(keys)) != len(keys):
        raise Refusal("InvalidTag", "Cannot provide multiple Tags with the same key", 400)
    if len(keys) > 50:
        raise Refusal("BadRequest", "Bucket tag count cannot be greater than 50", 400)
    if any(key.lower().startswith("aws:") for key in keys):
        raise Refusal("InvalidTag", "System tags cannot be added/updated by requester", 400)
