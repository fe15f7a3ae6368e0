# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""s3_buckets: buckets with encryption, versions, lifecycle, public access block and policy."""
from __future__ import annotations

import json
import re

from ..types.policies import document
from ..types.s3 import Bucket
from .spelling import as_aws, camel

STORAGE_CLASSES = ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER",
                   "DEEP_ARCHIVE"]
STATUS = dict(type="str", default="Enabled", choices=["Enabled", "Disabled"])
RULE = dict(
    status=STATUS,
    filter=dict(type="dict", options=dict(
        prefix=dict(type="str"),
        tags=dict(type="dict"),
        object_size_greater_than=dict(type="int"),
        object_size_less_than=dict(type="int"),
    )),
    transitions=dict(type="list", elements="dict", default=[], options=dict(
        days=dict(type="int", required=True),
        storage_class=dict(type="str", required=True, choices=STORAGE_CLASSES),
    )),
    expiration=dict(type="dict", options=dict(
        days=dict(type="int"),
        expired_object_delete_marker=dict(type="bool"),
    )),
    noncurrent_version_transitions=dict(type="list", elements="dict", default=[], options=dict(
        noncurrent_days=dict(type="int", required=True),
        newer_noncurrent_versions=dict(type="int"),
        storage_class=dict(type="str", required=True, choices=STORAGE_CLASSES),
    )),
    noncurrent_version_expiration=dict(type="dict", options=dict(
        noncurrent_days=dict(type="int", required=True),
        newer_noncurrent_versions=dict(type="int"),
    )),
    abort_incomplete_multipart_upload=dict(type="dict", options=dict(
        days_after_initiation=dict(type="int", required=True),
    )),
)
TIERING = dict(
    status=STATUS,
    prefix=dict(type="str"),
    archive_access_days=dict(type="int"),
    deep_archive_access_days=dict(type="int"),
)
BUCKET = dict(
    bucket=dict(type="str"),
    object_ownership=dict(type="str", choices=["BucketOwnerEnforced", "BucketOwnerPreferred",
                                               "ObjectWriter"]),
    encryption=dict(type="dict", options=dict(
        sse_algorithm=dict(type="str", default="AES256",
                           choices=["AES256", "aws:kms", "aws:kms:dsse"]),
        kms_key=dict(type="str"),
        bucket_key_enabled=dict(type="bool"),
    )),
    versioning=dict(type="str", choices=["Enabled", "Suspended"]),
    lifecycle_rules=dict(type="dict", default={}),
    intelligent_tiering=dict(type="dict"),
    public_access_block=dict(type="dict", default={}, options=dict(
        block_public_acls=dict(type="bool", default=True),
        ignore_public_acls=dict(type="bool", default=True),
        block_public_policy=dict(type="bool", default=True),
        restrict_public_buckets=dict(type="bool", default=True),
    )),
    tls_only=dict(type="bool", default=True),
    policy_statements=dict(type="list", elements="dict", default=[]),
    tags=dict(type="dict", default={}),
    force_destroy=dict(type="bool", default=False),
)
SPEC = dict(buckets=dict(type="dict", default={}))
NAMED = {"buckets": (BUCKET, {"lifecycle_rules": RULE, "intelligent_tiering": TIERING})}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!xn--|sthree-|.*(-s3alias|--ol-s3|--x-s3)$)"
                  r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Days before an object may move, and days that it stays in Infrequent Access at least; the page
# lifecycle-transition-general-considerations of the user guide.
INFREQUENT_DAYS = 30


def build(options: dict, stack) -> list:
    """One bucket for each name."""
    problems = []
    resources = [_bucket(name, given, stack, problems)
                 for name, given in options["buckets"].items()]
    if problems:
        raise ValueError("\n".join(problems))
    return resources


def _bucket(name: str, given: dict, stack, problems: list) -> Bucket:
    path = f"buckets.{name}"
    bucket = stack.filled(given["bucket"] or stack.name("s3", name))
    if not NAME.fullmatch(bucket):
        problems.append(f"{path}.bucket: {bucket} is not a bucket name; use 3 to 63 lower-case "
                        "letters, digits, hyphens and dots")
    tiering = given["intelligent_tiering"]
    return Bucket(
        key=f"s3_buckets/bucket/{name}", bucket=bucket, tags=dict(given["tags"]),
        object_ownership=given["object_ownership"], versioning=given["versioning"],
        public_access_block={camel(k): v for k, v in given["public_access_block"].items()},
        lifecycle_rules=[_rule(f"{path}.lifecycle_rules.{n}", n, r, problems)
                         for n, r in given["lifecycle_rules"].items()],
        intelligent_tiering=None if tiering is None else [
            _tiering(f"{path}.intelligent_tiering.{n}", n, t, problems)
            for n, t in tiering.items()],
        policy=_policy(given, bucket, stack), force_destroy=given["force_destroy"],
        **_encryption(path, given["encryption"], stack, problems))


def _encryption(path: str, given: dict | None, stack, problems: list) -> dict:
    """The encryption fields of a bucket; none where the user leaves them to S3."""
    if not given:
        return {}
    algorithm, key = given["sse_algorithm"], given["kms_key"]
    if algorithm == "AES256" and (key or given["bucket_key_enabled"]):
        problems.append(f"{path}.encryption: kms_key and bucket_key_enabled need sse_algorithm "
                        "aws:kms")
    if algorithm == "aws:kms:dsse" and given["bucket_key_enabled"]:
        problems.append(f"{path}.encryption.bucket_key_enabled: S3 has no bucket keys for "
                        "aws:kms:dsse; leave it out")
    return dict(sse_algorithm=algorithm, bucket_key_enabled=given["bucket_key_enabled"],
                kms_key=stack.kms_key(key) if key else "")


def _policy(given: dict, bucket: str, stack) -> dict:
    """The user's statements and the one that wants TLS."""
    arn = stack.arn("s3", bucket)
    both = [arn, f"{arn}/*"]
    statements = [{"Sid": "DenyWithoutTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                   "Resource": both, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}] \
        if given["tls_only"] else []
    for statement in stack.filled(given["policy_statements"]):
        own = statement if statement.keys() & {"Resource", "NotResource"} \
            else {**statement, "Resource": ["{bucket_arn}", "{bucket_arn}/*"]}
        statements.append(json.loads(json.dumps(own).replace("{bucket_arn}", arn)))
    return document(statements)


def _rule(path: str, name: str, given: dict, problems: list) -> dict:
    """A lifecycle rule as S3 writes it."""
    problems += [f"{path}{problem}" for problem in _rule_problems(given)]
    rule = as_aws({k: v for k, v in given.items() if k != "filter" and v not in (None, [])})
    return {"ID": name, "Filter": _filter(given["filter"] or {}), **rule}


def _filter(given: dict) -> dict:
    """One condition alone, several under And; an empty prefix is every object."""
    given = {k: v for k, v in given.items() if v}
    tags = [{"Key": k, "Value": str(v)} for k, v in sorted(given.pop("tags", {}).items())]
    conditions = as_aws(given)
    if len(conditions) + len(tags) > 1:
        return {"And": {**conditions, **({"Tags": tags} if tags else {})}}
    return {"Tag": tags[0]} if tags else conditions or {"Prefix": ""}


def _rule_problems(given: dict) -> list[str]:
    """What S3 would refuse."""
    days = {t["storage_class"]: t["days"] for t in given["transitions"]}
    infrequent = [d for name, d in days.items() if name in ("STANDARD_IA", "ONEZONE_IA")]
    found = [f".transitions: objects move to Infrequent Access after {INFREQUENT_DAYS} days or "
             f"more, not {d}" for d in infrequent if d < INFREQUENT_DAYS]
    for name in ("GLACIER", "DEEP_ARCHIVE"):
        if name in days and infrequent and days[name] < min(infrequent) + INFREQUENT_DAYS:
            found.append(f".transitions: objects stay in Infrequent Access for {INFREQUENT_DAYS} "
                         f"days; move them to {name} after {min(infrequent) + INFREQUENT_DAYS}")
    end = (given["expiration"] or {}).get("days")
    if end is not None and days and end <= max(days.values()):
        found.append(f".expiration.days: {end} must be more than the {max(days.values())} days of "
                     "the last transition")
    if not any(v for k, v in given.items() if k not in ("status", "filter")):
        found.append(": a rule needs transitions, an expiration or another action")
    return found


def _tiering(path: str, name: str, given: dict, problems: list) -> dict:
    """A configuration of the archive tiers of Intelligent-Tiering."""
    tiers = []
    for tier, least in (("archive_access", 90), ("deep_archive_access", 180)):
        days = given[f"{tier}_days"]
        if days is not None and not least <= days <= 730:
            problems.append(f"{path}.{tier}_days: {days} must be from {least} to 730")
        if days is not None:
            tiers.append({"AccessTier": tier.upper(), "Days": days})
    if not tiers:
        problems.append(f"{path}: give archive_access_days or deep_archive_access_days")
    where = {"Filter": {"Prefix": given["prefix"]}} if given["prefix"] else {}
    return {"Id": name, "Status": given["status"], "Tierings": tiers, **where}
