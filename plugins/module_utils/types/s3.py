# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""S3: https://docs.aws.amazon.com/AmazonS3/latest/API/."""
from __future__ import annotations

from ..clients.tags import pairs
from ..engine.errors import Denied, Failure, NotFound, ServiceFailure
from ..engine.resource import KEY, attr, create_only, equal, search, updates
from . import policies
from .declared import Declared, agrees, given
from .kms import Key

# Each part of a bucket's configuration has a read of its own: (fields that need it, method, its
# place in the answer, its name in the item). S3 has no bulk read.
PARTS = (
    ({"object_ownership"}, "get_bucket_ownership_controls",
     "OwnershipControls.Rules[0].ObjectOwnership", "ObjectOwnership"),
    ({"public_access_block"}, "get_public_access_block", "PublicAccessBlockConfiguration",
     "PublicAccessBlock"),
    ({"sse_algorithm"}, "get_bucket_encryption", "ServerSideEncryptionConfiguration.Rules[0]",
     "Encryption"),
    ({"versioning"}, "get_bucket_versioning", "Status", "Versioning"),
    ({"lifecycle_rules"}, "get_bucket_lifecycle_configuration", "Rules", "LifecycleRules"),
    ({"intelligent_tiering"}, "list_bucket_intelligent_tiering_configurations",
     "IntelligentTieringConfigurationList", "IntelligentTiering"),
    ({"policy"}, "get_bucket_policy", "Policy", "Policy"),
)
TAGS = ({"tags"}, "get_bucket_tagging", "TagSet", "Tags")


def read_part(api, bucket: dict, part: tuple) -> None:
    """Puts one part of the configuration into the item; what is not there at all is marked."""
    _fields, method, path, name = part
    try:
        bucket[name] = search(path, getattr(api.s3, method)(Bucket=bucket["Name"]))
    except NotFound as failure:
        bucket[name] = None
        bucket["Gone"] = bucket.get("Gone") or failure.code == "NoSuchBucket"
    except Denied as failure:
        raise Denied(failure.code, f"for bucket {bucket['Name']}, which belongs to another account "
                     "(choose another name) or may not be read with these credentials",
                     failure.operation) from failure


def same_rules(wanted: list, live: list) -> bool:
    """Whether two lists of rules are equal; a filter that lets everything pass does not count."""

    def plain(rules):
        return [{k: v for k, v in rule.items() if k != "Filter" or any(v.values())}
                for rule in rules or ()]

    return equal(plain(wanted), plain(live))


class Bucket(Declared):
    """A bucket with its configuration. Names are unique in the whole world."""

    bucket: str = create_only("Name", param="Bucket")
    object_ownership: str = attr("ObjectOwnership")
    public_access_block: dict = attr("PublicAccessBlock", later=True)
    sse_algorithm: str = attr("Encryption.ApplyServerSideEncryptionByDefault.SSEAlgorithm",
                              later=True)
    kms_key: Key | str = attr("Encryption.ApplyServerSideEncryptionByDefault.KMSMasterKeyID",
                              of="Arn", later=True)
    bucket_key_enabled: bool = attr("Encryption.BucketKeyEnabled", later=True)
    versioning: str = attr("Versioning", later=True,
                           same=lambda wanted, live: wanted == (live or "Suspended"))
    lifecycle_rules: list = attr("LifecycleRules", later=True, same=same_rules)
    intelligent_tiering: list = attr("IntelligentTiering", later=True, same=same_rules)
    policy: dict = attr("Policy", later=True, read=policies.parse, same=policies.same)
    force_destroy: bool = attr()

    service, ref, identity, tags_path = "s3", "Name", ("bucket",), "Tags"
    stateful = delete_first = True
    outputs = {"name": "Name", "arn": "Arn"}
    tells = ("bucket",)

    @property
    def protected(self):
        return not self.force_destroy

    @classmethod
    def fetch(cls, scan):
        """The wanted buckets and those that the tagging API knows, with what is asked of each."""
        api, wanted, keys = scan.api, scan.named(cls), scan.keyed(cls)
        late = {arn.split(":::")[1]: tags for arn, tags in api.tagged("s3").items()}
        partition = api.partition
        found = {name: {"Name": name, "Arn": f"arn:{partition}:s3:::{name}",
                        "Tags": late.get(name)} for name in sorted({*wanted, *late})}
        doubtful = [b for n, b in found.items() if not agrees(wanted.get(n), b["Tags"])]
        api.map(lambda bucket: read_part(api, bucket, TAGS), doubtful)
        there = [b for b in found.values() if not b.get("Gone")]
        # A bucket may yet have its former name.
        parts = [(bucket, part) for bucket in there for part in PARTS if part[0] & given(
            wanted.get(bucket["Name"]) or keys.get(cls.tags_of(bucket).get(KEY)))]
        api.map(lambda job: read_part(api, *job), parts)
        return [bucket for bucket in there if not bucket.get("Gone")]

    def create(self, api):
        where = {} if api.region == "us-east-1" else {"LocationConstraint": api.region}
        owner = {"ObjectOwnership": self.object_ownership} if self.object_ownership else {}
        api.s3.create_bucket(Bucket=self.bucket, **owner, CreateBucketConfiguration={
            **where, "Tags": pairs(self.tags)})
        return {"Name": self.bucket}

    @updates("object_ownership")
    def own(self, api, live):
        """Whether ACLs count."""
        api.s3.put_bucket_ownership_controls(Bucket=self.bucket, OwnershipControls={
            "Rules": [{"ObjectOwnership": self.object_ownership}]})

    @updates("public_access_block")
    def block(self, api, live):
        """What is refused because it would make objects public."""
        api.s3.put_public_access_block(
            Bucket=self.bucket, PublicAccessBlockConfiguration=self.public_access_block)

    @updates("sse_algorithm", "kms_key", "bucket_key_enabled")
    def encrypt(self, api, live):
        """Encryption of what is written from now on."""
        default = {"SSEAlgorithm": self.sse_algorithm}
        if self.kms_key:
            default["KMSMasterKeyID"] = self.kms_key
        rule = {"ApplyServerSideEncryptionByDefault": default,
                "BucketKeyEnabled": bool(self.bucket_key_enabled)}
        api.s3.put_bucket_encryption(
            Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})

    @updates("versioning")
    def keep_versions(self, api, live):
        """Whether what is overwritten or deleted is kept."""
        api.s3.put_bucket_versioning(Bucket=self.bucket,
                                     VersioningConfiguration={"Status": self.versioning})

    @updates("lifecycle_rules")
    def age(self, api, live):
        """All rules at once; a new bucket without any needs no call."""
        if self.lifecycle_rules:
            api.s3.put_bucket_lifecycle_configuration(
                Bucket=self.bucket, LifecycleConfiguration={"Rules": self.lifecycle_rules})
        elif live.get("LifecycleRules"):
            api.s3.delete_bucket_lifecycle(Bucket=self.bucket)

    @updates("intelligent_tiering")
    def tier(self, api, live):
        """One call for each configuration; those that nobody wants go."""
        for config in self.intelligent_tiering:
            api.s3.put_bucket_intelligent_tiering_configuration(
                Bucket=self.bucket, Id=config["Id"], IntelligentTieringConfiguration=config)
        wanted = {config["Id"] for config in self.intelligent_tiering}
        for config in live.get("IntelligentTiering") or ():
            if config["Id"] not in wanted:
                api.s3.delete_bucket_intelligent_tiering_configuration(
                    Bucket=self.bucket, Id=config["Id"])

    @updates("policy")
    def allow(self, api, live):
        """The bucket policy."""
        if self.policy:
            api.s3.put_bucket_policy(Bucket=self.bucket, Policy=policies.text(self.policy))
        elif live.get("Policy"):
            api.s3.delete_bucket_policy(Bucket=self.bucket)

    @updates("tags")
    def retag(self, api, live):
        """Writes ours beside those of others: this API replaces all tags at once."""
        tags = {**self.tags_of(live), **self.tags}
        api.s3.put_bucket_tagging(Bucket=live["Name"], Tagging={"TagSet": pairs(tags)})

    def delete(self, api, live):
        """Deletes the bucket, with all versions of its objects only where that is wanted."""
        while self.force_destroy and empty_one_page(api, live["Name"]):
            pass
        try:
            api.s3.delete_bucket(Bucket=live["Name"])
        except ServiceFailure as failure:
            if failure.code != "BucketNotEmpty":
                raise
            raise Failure(f"{failure}; empty it, or set force_destroy for it") from failure


def empty_one_page(api, bucket: str) -> bool:
    """Deletes up to 1,000 versions and delete markers; whether there may be more."""
    page = api.s3.list_object_versions(Bucket=bucket, MaxKeys=1000)
    found = [{"Key": v["Key"], "VersionId": v["VersionId"]}
             for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    if not found:
        return False
    answer = api.s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
    for error in answer.get("Errors", ()):
        raise ServiceFailure(error["Code"], f"{error['Key']}: {error['Message']}",
                             "s3:DeleteObjects")
    return True
