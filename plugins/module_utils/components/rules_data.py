# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules about databases, caches and files."""
from __future__ import annotations

from .findings import ERROR, WARNING, View, rule

RULES: list = []
CACHES = ("elasticache", "caches")


def production(see: View) -> bool:
    """Whether customers use the stack."""
    return getattr(see.stack, "production", False)


@rule(RULES, "redis-sentinel", ERROR, "use topology: replication_group, whose automatic failover "
      "does the same, or run Redis with Sentinel in the cluster", decision=5)
def sentinel(see: View):
    """Sentinel on ElastiCache, which has none"""
    for path, _name, cache in see.each(*CACHES):
        if cache.get("topology") == "sentinel":
            yield f"{path}.topology", "ElastiCache has no Sentinel"


@rule(RULES, "redis-auth-tls", ERROR, "set transit_encryption_enabled to true", decision=15)
def auth_tls(see: View):
    """AUTH without encryption in transit"""
    for path, _name, cache in see.each(*CACHES):
        if cache.get("auth_token_secret") and (cache.get("transit_encryption_enabled") is False
                                               or cache.get("topology") == "standalone"):
            yield f"{path}.auth_token_secret", "AUTH needs TLS (rediss://), which is off"


@rule(RULES, "redis-no-auth", WARNING, "use source_security_groups, or give auth_token_secret",
      decision=15)
def no_auth(see: View):
    """A cache without AUTH for whole networks, not only for security groups"""
    for path, _name, cache in see.each(*CACHES):
        ranges = cache.get("source_cidr_blocks")
        if ranges and not cache.get("auth_token_secret"):
            yield (f"{path}.source_cidr_blocks", "everybody in "
                   f"{', '.join(ranges)} reads and writes without a password")


@rule(RULES, "data-single", WARNING, "add an instance or replica in another zone")
def single(see: View):
    """A database or cache of production that one failing zone takes along"""
    if not production(see):
        return
    instances = see.part("aurora_cluster", "instances")
    zones = {(i or {}).get("availability_zone") for i in instances.values()}
    if len(instances) == 1:
        yield "aurora_cluster.instances", "one instance, no failover"
    elif len(instances) > 1 and len(zones) == 1 and zones != {None}:
        yield "aurora_cluster.instances", f"all instances are in {', '.join(zones)}"
    for path, _name, cache in see.each(*CACHES):
        if cache.get("topology") != "standalone" and cache.get("multi_az_enabled") is False:
            yield f"{path}.multi_az_enabled", "it is off in a production stack"


@rule(RULES, "aurora-pause", WARNING, "set min_capacity to 0.5 or more")
def pause(see: View):
    """A database of production that pauses, and lets the first caller wait"""
    low = see.part("aurora_cluster", "serverless_v2_scaling").get("min_capacity")
    if production(see) and low == 0:
        yield ("aurora_cluster.serverless_v2_scaling.min_capacity",
               "0 pauses the database; the first connection then waits about 15 seconds")


@rule(RULES, "not-encrypted", WARNING, "switch it on; it can only be set at creation")
def not_encrypted(see: View):
    """Data that is not encrypted at rest"""
    if see.part("aurora_cluster").get("storage_encrypted") is False:
        yield "aurora_cluster.storage_encrypted", "the database is not encrypted at rest"
    for path, _name, given in see.each("efs", "file_systems"):
        if given.get("encrypted") is False:
            yield f"{path}.encrypted", "the files are not encrypted at rest"
    for path, _name, cache in see.each(*CACHES):
        if cache.get("at_rest_encryption_enabled") is False:
            yield f"{path}.at_rest_encryption_enabled", "snapshots are not encrypted at rest"


@rule(RULES, "database-public", WARNING, "set publicly_accessible to false")
def public(see: View):
    """A database instance with a public address"""
    for path, _name, instance in see.each("aurora_cluster", "instances"):
        if instance.get("publicly_accessible"):
            yield f"{path}.publicly_accessible", "the instance gets a public address"


@rule(RULES, "deletion-protection", WARNING, "set deletion_protection to true")
def deletion_protection(see: View):
    """Deletion protection that is off in a production stack"""
    places = [(name, see.part(name)) for name in ("eks_cluster", "aurora_cluster") if name in see]
    places += [(path, given) for path, _name, given in see.each("efs", "file_systems")]
    places += [(path, given) for path, _name, given in see.each(*CACHES)
               if given.get("topology") != "standalone"]
    for path, options in places:
        if production(see) and not options.get("deletion_protection"):
            yield f"{path}.deletion_protection", "it is off in a production stack"


@rule(RULES, "efs-backup", WARNING, "set backup_policy to ENABLED, or have a backup plan elsewhere")
def efs_backup(see: View):
    """A file system of a production stack without a backup"""
    for path, _name, given in see.each("efs", "file_systems"):
        if production(see) and given.get("backup_policy") != "ENABLED":
            yield f"{path}.backup_policy", "nothing backs the files up"


@rule(RULES, "force-destroy", WARNING, "set it to false, and name the key in allow_data_loss "
      "when the time has come")
def force_destroy(see: View):
    """Data of a production stack that a removal takes along without asking"""
    places = [("aurora_cluster", see.part("aurora_cluster"))]
    for component, option in (("s3_buckets", "buckets"), ("secrets", "secrets"), CACHES,
                              ("ecr_repositories", "repositories"), ("kms_keys", "keys")):
        places += [(path, given) for path, _name, given in see.each(component, option)]
    for path, given in places:
        for name in ("force_destroy", "force_delete", "skip_final_snapshot"):
            if production(see) and given.get(name) and given.get("topology") != "standalone":
                yield f"{path}.{name}", "it is on in a production stack"
