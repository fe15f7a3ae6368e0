#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.elasticache."""
from __future__ import annotations

DOCUMENTATION = r"""
module: elasticache
short_description: Redis OSS and Valkey, as single nodes, replication groups and clusters
version_added: 0.1.0
description:
  - Plans and converges the ElastiCache caches of a stack with their subnet groups, parameter
    groups, security groups and log groups.
  - A cache holds data. It is replaced or removed only when O(allow_data_loss) names it, or when its
    option C(deletion_protection) is switched off.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - groundwork.aws.stack
options:
  caches:
    description:
      - Name in the stack to options of the cache. Its key is C(elasticache/cache_cluster/NAME) for
        a single node, else C(elasticache/replication_group/NAME).
      - C(topology) (required) is V(standalone) (a single node of Redis OSS without encryption and
        AUTH), V(replication_group) (a primary with replicas that take over) or V(cluster) (shards
        in cluster mode). ElastiCache has no Sentinel.
      - C(engine) is V(redis) (default) or V(valkey). AWS turns the first into the second in place,
        but not back.
      - C(engine_version) (required) such as V(7.1). Where AWS does not offer it, the next later one
        of the same major version is taken. A newer minor version that runs is no difference; an
        older major version than runs is refused.
      - C(cache_node_type) (required) such as V(cache.t4g.medium).
      - C(num_node_groups) (integer, default V(1)) is the number of shards, more than one only in
        cluster mode. C(replicas_per_node_group) (integer, default V(1)) may be V(0) to V(5). Both
        change in place, while the cache is in use.
      - C(automatic_failover_enabled) (boolean) is on by default where there are replicas, and
        always in cluster mode. C(multi_az_enabled) (boolean) is on by default with it.
      - C(availability_zones) (list of full names) are taken in turn at creation. The zone of a
        standalone node can only be changed by a replacement.
      - C(subnets) are names of subnets of M(groundwork.aws.network) such as V(private-a), or ids.
        Default is all private ones.
      - C(security_groups) are names of groups in M(groundwork.aws.security_groups), or ids.
        Without them the cache gets a group of its own, in C(vpc_id) (default is that of the
        network), which lets in C(source_security_groups) (names or ids) and
        C(source_cidr_blocks), and nothing out.
      - C(port) (integer, default V(6379)) can only be changed by a replacement.
      - C(parameters) (dictionary) go into a parameter group of its own; those not given have the
        engine's own values.
      - C(transit_encryption_enabled) (boolean) and C(transit_encryption_mode) (V(required) or
        V(preferred), which lets in clients without TLS, too). Default is on and required, but not
        for a standalone node. AWS changes both in place, from Redis OSS 7 on.
      - C(at_rest_encryption_enabled) (boolean, on by default but for a standalone node) and
        C(kms_key) (name of a key in M(groundwork.aws.kms_keys), or an ARN) can only be changed by
        a replacement.
      - C(auth_token_secret) is the name of a secret in M(groundwork.aws.secrets), or the ARN of
        one, with the token that clients must present; it needs encryption in transit. Its value is
        handed from Secrets Manager to ElastiCache and appears nowhere. C(auth_token_key) is the
        name of the token in a secret that is a JSON object. AUTH can be added to a cache, but not
        taken away.
      - C(snapshot_retention_limit) (days, default V(0), no snapshots), C(snapshot_window) (UTC,
        such as V(03:00-04:00)) and C(snapshot_name) (a snapshot that a new cache begins with).
      - C(preferred_maintenance_window) (UTC, such as V(sun:05:00-sun:06:00)) and
        C(auto_minor_version_upgrade) (boolean).
      - C(log_delivery) (dictionary) has C(slow-log) and C(engine-log), each with C(log_format)
        (V(json), default, or V(text)) and C(retention_in_days) (default V(30)); the logs go to log
        groups of the stack.
      - C(deletion_protection) (boolean, default V(true)) keeps the cache when the stack is removed,
        until O(allow_data_loss) names it. C(skip_final_snapshot) (boolean, default V(false))
        deletes it without a last snapshot.
      - C(name) is the identifier, at most 40 characters (50 for a standalone node). Default is the
        name of the stack with V(-cache-) and the name here. C(description) is that of a
        replication group. C(tags) (dictionary) are further tags.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: The Redis of pingvas' dev, a single node without AUTH inside its own group
  groundwork.aws.elasticache:
    product: pingvas
    environment: shared
    region: us-east-1
    caches:
      dev:
        topology: standalone
        engine_version: "7.0"
        cache_node_type: cache.t4g.medium
        availability_zones: [us-east-1a]
        source_cidr_blocks: [10.0.0.0/16]
        skip_final_snapshot: true

- name: Three shards of Valkey, each with a replica in another zone
  groundwork.aws.elasticache:
    product: langplatform
    environment: prod
    region: us-west-2
    caches:
      main:
        topology: cluster
        engine: valkey
        engine_version: "8.0"
        cache_node_type: cache.r7g.large
        num_node_groups: 3
        source_cidr_blocks: [10.0.0.0/16]
        snapshot_retention_limit: 7
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
  sample:
    elasticache/cache_cluster/dev:
      endpoint: pingvas-shared-cache-dev.abcdef.0001.use1.cache.amazonaws.com
      port: 6379
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
  sample: {elasticache/cache_cluster/dev: {state: done, why: "", seconds: 2.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.components import elasticache
from ansible_collections.groundwork.aws.plugins.module_utils.run import component_module


def main():
    """Converges the caches alone."""
    component_module("elasticache", elasticache)


if __name__ == "__main__":
    main()
