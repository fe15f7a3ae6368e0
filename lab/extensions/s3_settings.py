"""S3 buckets' settings where moto differs from AWS: tags at creation, defaults of new buckets,
other accounts' buckets, lifecycle rules kept and checked as they are, Intelligent-Tiering
configurations.

Sources: API_CreateBucket (Tags), API_PutBucketLifecycleConfiguration,
API_PutBucketIntelligentTieringConfiguration, API_PutBucketPolicy, and the user guide's
"Default settings for new buckets" (AES256 and Block Public Access since 2023) and
"Transitioning objects using Amazon S3 Lifecycle" (30 days before STANDARD_IA)."""

import json

from moto.s3.models import PublicAccessBlock, s3_backends

from lab.errors import Refusal
from lab.registry import amend, guard, handler

AES256 = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                   "BucketKeyEnabled": "false"}}
INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")


def bucket_of(call):
    """The bucket of the call, which must be there and the caller's."""
    name = call.params["Bucket"]
    if name not in s3_backends.bucket_accounts:
        raise Refusal("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
    if s3_backends.bucket_accounts[name][1] != call.account:
        raise Refusal("AccessDenied", "Access Denied", 403)
    return call.backend("s3").buckets[name]


@guard("s3", "HeadBucket", "GetBucketTagging", "GetBucketPolicy", "GetBucketVersioning",
       "GetBucketEncryption", "GetBucketLocation", "GetPublicAccessBlock",
       "GetBucketOwnershipControls", "PutBucketTagging", "PutBucketVersioning", "DeleteBucket",
       "PutBucketEncryption", "PutPublicAccessBlock", "PutBucketOwnershipControls",
       "DeleteBucketPolicy", "ListObjectVersions", "ListObjectsV2", "DeleteObjects")
def own_bucket(call):
    bucket_of(call)


@guard("s3", "GetObject", "PutObject", "DeleteObject", "PutPublicAccessBlock")
def check_expected_owner(call):
    """A bucket of another account than the expected one answers 403:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html"""
    wanted = call.params.get("ExpectedBucketOwner")
    owner = s3_backends.bucket_accounts.get(call.params["Bucket"], ("", wanted))[1]
    if wanted and owner != wanted:
        raise Refusal("AccessDenied", "Access Denied", 403)


@guard("s3", "CreateBucket")
def remember_new(call):
    call.is_new = call.params["Bucket"] not in s3_backends.bucket_accounts


@amend("s3", "CreateBucket")
def new_bucket(call, result):
    """Tags of the creation, and what AWS switches on in every new bucket."""
    if not call.is_new:
        return
    bucket = call.backend("s3").buckets[call.params["Bucket"]]
    tags = call.params.get("CreateBucketConfiguration", {}).get("Tags") or []
    call.backend("s3").put_bucket_tagging(bucket.name, {t["Key"]: t["Value"] for t in tags})
    bucket.encryption = AES256
    bucket.public_access_block = PublicAccessBlock(True, True, True, True)
    bucket.ownership_rule = bucket.ownership_rule or "BucketOwnerEnforced"


@handler("s3", "PutBucketLifecycleConfiguration")
def put_lifecycle(call):
    bucket = bucket_of(call)
    rules = (call.params.get("LifecycleConfiguration") or {}).get("Rules") or []
    if not rules:
        raise Refusal("MalformedXML", "The XML you provided was not well-formed or did not "
                      "validate against our published schema", 400)
    if len({rule.get("ID") for rule in rules}) < len(rules):
        raise Refusal("InvalidArgument", "Rule ID must be unique. Found same ID for more than one "
                      "rule", 400)
    for rule in rules:
        check_rule(rule)
    bucket.lab_lifecycle = rules
    return {"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}


def check_rule(rule):
    days = {t["StorageClass"]: t.get("Days") for t in rule.get("Transitions") or []}
    for name, value in days.items():
        if name in INFREQUENT and value is not None and value < 30:
            raise Refusal("InvalidArgument", "'Days' in Transition action must be greater than or "
                          f"equal to 30 for storageClass '{name}'", 400)
    first = min((days[n] for n in INFREQUENT if days.get(n) is not None), default=None)
    for name in ("GLACIER", "DEEP_ARCHIVE"):
        if first is not None and days.get(name) is not None and days[name] < first + 30:
            raise Refusal("InvalidArgument", f"'Days' in the '{name}' transition must be at least "
                          "30 days more than that of 'STANDARD_IA'", 400)
    end = (rule.get("Expiration") or {}).get("Days")
    if end is not None and any(v is not None and v >= end for v in days.values()):
        raise Refusal("InvalidArgument", "'Days' in the Expiration action for filter must be "
                      "greater than 'Days' in the Transition action", 400)
    kinds = ("Transitions", "Expiration", "NoncurrentVersionTransitions",
             "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
    if not any(rule.get(kind) for kind in kinds):
        raise Refusal("InvalidRequest", "At least one action needs to be specified in a rule", 400)


@handler("s3", "GetBucketLifecycleConfiguration")
def get_lifecycle(call):
    rules = getattr(bucket_of(call), "lab_lifecycle", None)
    if not rules:
        raise Refusal("NoSuchLifecycleConfiguration",
                      "The lifecycle configuration does not exist", 404)
    return {"Rules": rules, "TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}


@handler("s3", "DeleteBucketLifecycle")
def delete_lifecycle(call):
    bucket_of(call).lab_lifecycle = None
    return {}


def tierings(call):
    bucket = bucket_of(call)
    if not hasattr(bucket, "lab_tierings"):
        bucket.lab_tierings = {}
    return bucket.lab_tierings


@handler("s3", "PutBucketIntelligentTieringConfiguration")
def put_tiering(call):
    config = call.params["IntelligentTieringConfiguration"]
    for tier in config["Tierings"]:
        least = 90 if tier["AccessTier"] == "ARCHIVE_ACCESS" else 180
        if not least <= tier["Days"] <= 730:
            raise Refusal("InvalidArgument", f"Days of {tier['AccessTier']} must be from {least} "
                          "to 730", 400)
    tierings(call)[call.params["Id"]] = config
    return {}


@handler("s3", "ListBucketIntelligentTieringConfigurations")
def list_tierings(call):
    return {"IsTruncated": False,
            "IntelligentTieringConfigurationList": list(tierings(call).values())}


@handler("s3", "GetBucketIntelligentTieringConfiguration")
def get_tiering(call):
    found = tierings(call).get(call.params["Id"])
    if found is None:
        raise Refusal("NoSuchConfiguration", "The specified configuration does not exist.", 404)
    return {"IntelligentTieringConfiguration": found}


@handler("s3", "DeleteBucketIntelligentTieringConfiguration")
def delete_tiering(call):
    if tierings(call).pop(call.params["Id"], None) is None:
        raise Refusal("NoSuchConfiguration", "The specified configuration does not exist.", 404)
    return {}


@guard("s3", "PutBucketPolicy")
def check_policy(call):
    """The parts of a policy that AWS reads: JSON, principals, resources inside the bucket."""
    bucket = bucket_of(call)
    try:
        statements = json.loads(call.params["Policy"])["Statement"]
    except (ValueError, KeyError) as error:
        raise Refusal("MalformedPolicy", "Policies must be valid JSON and the first byte must be "
                      "'{'", 400) from error
    statements = statements if isinstance(statements, list) else [statements]
    for statement in statements:
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise Refusal("MalformedPolicy", "Missing required field Principal", 400)
        resources = statement.get("Resource", statement.get("NotResource", []))
        for arn in resources if isinstance(resources, list) else [resources]:
            if arn.split(":::")[-1].split("/")[0] != bucket.name:
                raise Refusal("MalformedPolicy", "Policy has invalid resource", 400)
