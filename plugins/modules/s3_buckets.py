#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.s3_buckets."""
from __future__ import annotations

DOCUMENTATION = r"""
module: s3_buckets
short_description: Buckets with encryption, versions, lifecycle and policy
version_added: 0.1.0
description:
  - Plans and converges the S3 buckets of a stack. Each has the public access block and a policy
    that wants TLS unless the options say otherwise.
  - A bucket holds data. It is replaced or removed only when O(allow_data_loss) names it, or when
    its option C(force_destroy) is set; only then are its objects deleted.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  buckets:
    description:
      - Name in the stack to options of the bucket. The key of the bucket is
        C(s3_buckets/bucket/NAME).
      - C(bucket) (string) is its name in AWS, unique in the world. C({account_id}) stands for the
        account. Default is C(PRODUCT-ENVIRONMENT-s3-NAME). It can only be changed by a
        replacement.
      - C(encryption) (dictionary) has C(sse_algorithm) (V(AES256), V(aws:kms) or V(aws:kms:dsse),
        default V(AES256)), C(kms_key) (name of a key in M(groundwork.aws.kms_keys), or an ARN)
        and C(bucket_key_enabled) (boolean). Not set means left as it is,
        which is AES256 for a bucket that is made.
      - C(versioning) is V(Enabled) or V(Suspended). Not set means left as it is.
      - C(lifecycle_rules) (dictionary) is rule id to rule, and these are all rules of the bucket.
        A rule has C(status) (V(Enabled) or V(Disabled), default V(Enabled)), C(filter)
        (C(prefix), C(tags), C(object_size_greater_than) and C(object_size_less_than) in bytes;
        default is every object), C(transitions) (list of C(days) and C(storage_class)),
        C(expiration) (C(days) or C(expired_object_delete_marker)),
        C(noncurrent_version_transitions) (list of C(noncurrent_days), C(storage_class) and
        C(newer_noncurrent_versions)), C(noncurrent_version_expiration) (C(noncurrent_days),
        C(newer_noncurrent_versions)) and C(abort_incomplete_multipart_upload)
        (C(days_after_initiation)).
      - C(intelligent_tiering) (dictionary) is the id to a configuration of the archive tiers,
        with C(status) (V(Enabled) or V(Disabled), default V(Enabled)), C(prefix),
        C(archive_access_days) (90 to 730) and C(deep_archive_access_days) (180 to 730). Objects
        come into the class itself by a transition to C(INTELLIGENT_TIERING). Not set means left
        as it is.
      - C(public_access_block) (dictionary) has C(block_public_acls), C(ignore_public_acls),
        C(block_public_policy) and C(restrict_public_buckets), all booleans with the default
        V(true).
      - C(object_ownership) is V(BucketOwnerEnforced) (no ACLs, S3's default),
        V(BucketOwnerPreferred) or V(ObjectWriter).
      - C(tls_only) (boolean, default V(true)) denies all requests without TLS in the bucket
        policy.
      - C(policy_statements) (list of dictionaries) are further statements of the bucket policy.
        C({bucket_arn}), C({account_id}), C({region}), C({partition}) and C({stack}) are put in. A
        statement without C(Resource) is about the bucket and its objects.
      - C(tags) (dictionary) are further tags.
      - C(force_destroy) (boolean, default V(false)) lets the bucket be emptied, with all
        versions, and deleted when the stack is removed.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: The buckets of pingvas
  groundwork.aws.s3_buckets:
    product: pingvas
    environment: shared
    region: us-east-1
    buckets:
      dev-images:
        bucket: pingvas-dev-images
        lifecycle_rules:
          infrequent:
            transitions: [{days: 90, storage_class: STANDARD_IA}]
      prod-images:
        bucket: pingvas-prod-images
        lifecycle_rules:
          archive:
            transitions:
              - {days: 90, storage_class: STANDARD_IA}
              - {days: 180, storage_class: GLACIER}
      models:
        bucket: pingvas-models-shared
        lifecycle_rules:
          tiering:
            transitions: [{days: 0, storage_class: INTELLIGENT_TIERING}]
      logs:
        bucket: pingvas-logs-shared
        lifecycle_rules:
          expire:
            expiration: {days: 30}

- name: A bucket with versions, archived after 90 days
  groundwork.aws.s3_buckets:
    product: sentineltranslate
    environment: dev
    region: us-east-1
    buckets:
      translation-data:
        bucket: "sentineltranslate-translation-data-{account_id}"
        encryption: {sse_algorithm: AES256}
        versioning: Enabled
        lifecycle_rules:
          archive:
            transitions: [{days: 90, storage_class: GLACIER}]
"""

RETURN = r"""
stack:
  description: Name of the stack.
  returned: whenever a plan could be made
  type: str
  sample: sentineltranslate-dev
plan:
  description: What the run does, or in check mode would do, in the order of the graph.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    key: {description: "Key of the object, C(component/type/name).", type: str}
    type: {description: Type of the object., type: str}
    action: {description: "One of create, update, replace, delete, keep.", type: str}
    impact:
      description: "One of none, in place, rolling, replace, downtime, data loss."
      type: str
    expected_seconds: {description: How long AWS usually takes., type: int}
    before: {description: Live values of what changes., type: dict}
    after: {description: Wanted values of what changes., type: dict}
    unknown: {description: Fields that only the apply can tell., type: list, elements: str}
    reason: {description: Why an object that nobody changed is replaced or deleted., type: str}
    about: {description: "What is to be made, or how it is called that goes.", type: str}
summary:
  description: Number of objects per action.
  returned: whenever a plan could be made
  type: dict
  sample: {create: 45, update: 0, replace: 0, delete: 0, keep: 0}
left_over:
  description: Keys of objects that carry the stack's tags and are no longer wanted.
  returned: whenever a plan could be made
  type: list
  elements: str
outputs:
  description: What is worth knowing of each object, by key.
  returned: whenever a plan could be made
  type: dict
  sample: {"s3_buckets/bucket/logs": {name: pingvas-logs-shared}}
tags:
  description:
    - Tags of everything that belongs to the stack, for what controllers in its cluster make. Those
      of the stack, C(Project) and C(Environment).
  returned: whenever a plan could be made
  type: dict
  sample: {Project: sentineltranslate, Environment: dev, Owner: platform-team}
findings:
  description: What the validator found that did not stop the run.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    id: {description: Id of the finding., type: str}
    severity: {description: "V(error) when it is waived, else V(warning).", type: str}
    path: {description: Place in the options., type: str}
    message: {description: What is wrong., type: str}
    replacement: {description: What to write instead., type: str}
    waived: {description: Whether the stack waives it., type: bool}
calls:
  description: API calls of the run.
  returned: whenever a plan could be made
  type: dict
  sample: {reads: 12, writes: 0}
expected_seconds:
  description: How long the whole run usually takes.
  returned: whenever a plan could be made
  type: int
outcomes:
  description:
    - What became of each change, by its step; empty in check mode. Each has C(state) (V(done),
      V(failed) or V(skipped)), C(why) and C(seconds).
  returned: whenever a plan could be made
  type: dict
  sample: {s3_buckets/bucket/logs: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import s3_buckets
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the buckets alone."""
    component_module("s3_buckets", s3_buckets)


if __name__ == "__main__":
    main()
