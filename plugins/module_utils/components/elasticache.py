# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""elasticache: single nodes, replication groups and clusters of Redis OSS or Valkey."""
from __future__ import annotations

import difflib
import re
import string

from ..types.elasticache import (
    AUTH, REQUIRED, CacheCluster, CacheEngineVersion, CacheParameterGroup, CacheSubnetGroup,
    ReplicationGroup,
)
from ..types.logs import LogGroup
from ..types.secretsmanager import Secret
from .network import zone_letter
from .placement import (
    ACCESS, access_problems, guarded, letters, placed, text_values, window_problems,
)

TOPOLOGIES = ("standalone", "replication_group", "cluster")
LOG = dict(
    log_format=dict(type="str", default="json", choices=["json", "text"]),
    retention_in_days=dict(type="int", default=30),
)
CACHE = dict(
    name=dict(type="str"),
    description=dict(type="str"),
    topology=dict(type="str", required=True),
    engine=dict(type="str", default="redis", choices=["redis", "valkey"]),
    engine_version=dict(type="str", required=True),
    cache_node_type=dict(type="str", required=True),
    num_node_groups=dict(type="int"),
    replicas_per_node_group=dict(type="int"),
    automatic_failover_enabled=dict(type="bool"),
    multi_az_enabled=dict(type="bool"),
    availability_zones=dict(type="list", elements="str", default=[]),
    subnets=dict(type="list", elements="str"),
    **ACCESS,
    port=dict(type="int", default=6379),
    parameters=dict(type="dict", default={}),
    transit_encryption_enabled=dict(type="bool"),
    transit_encryption_mode=dict(type="str", choices=["preferred", "required"]),
    at_rest_encryption_enabled=dict(type="bool"),
    kms_key=dict(type="str", no_log=False),
    auth_token_secret=dict(type="str", no_log=False),
    auth_token_key=dict(type="str", no_log=False),
    snapshot_retention_limit=dict(type="int", default=0),
    snapshot_window=dict(type="str"),
    snapshot_name=dict(type="str"),
    preferred_maintenance_window=dict(type="str"),
    auto_minor_version_upgrade=dict(type="bool"),
    log_delivery=dict(type="dict", default={}, options={
        "slow-log": dict(type="dict", options=LOG), "engine-log": dict(type="dict", options=LOG)}),
    deletion_protection=dict(type="bool", default=True),
    skip_final_snapshot=dict(type="bool", default=False),
    tags=dict(type="dict", default={}),
)
SPEC = dict(caches=dict(type="dict", default={}))
NAMED = {"caches": CACHE}
# What a single node has not; a replication group without replicas is a single node that has it.
NOT_ALONE = ("num_node_groups", "replicas_per_node_group", "automatic_failover_enabled",
             "multi_az_enabled", "transit_encryption_enabled", "transit_encryption_mode",
             "at_rest_encryption_enabled", "kms_key", "description")
# API_CreateCacheCluster, API_CreateReplicationGroup
LONGEST = {"standalone": 50, "replication_group": 40, "cluster": 40}
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
TOKEN_SIGNS, TOKEN_LENGTHS = set("!&#$^<>-"), (16, 128)


def build(options: dict, stack) -> list:
    """The caches, each with its groups and logs."""
    problems, resources, versions = [], [], {}
    for name, given in options["caches"].items():
        if given["topology"] == "sentinel":  # a rule refuses it; it runs in the cluster
            continue
        given = _complete(given)
        own_name = given["name"] or stack.name("cache", name)
        subnets = placed(given["subnets"], stack)
        found = [*_topology(given), *_name(own_name, given), *_shape(given),
                 *_security(given, stack), *_placement(given, subnets)]
        problems += [f"caches.{name}.{problem}" for problem in found]
        if not found:
            resources += _cache(name, own_name, given, {
                "stack": stack, "subnets": subnets, "version": _version(given, versions)})
    if problems:
        raise ValueError("\n".join(problems))
    return [*versions.values(), *resources]


def _version(given: dict, known: dict) -> CacheEngineVersion:
    """One fact for all caches that ask for the same."""
    asked = f"{given['engine']}-{given['engine_version']}"
    return known.setdefault(asked, CacheEngineVersion(
        key=f"elasticache/cache_engine_version/{asked}", engine=given["engine"],
        asked=given["engine_version"]))


def _complete(given: dict) -> dict:
    """What is not given, as the topology has it."""
    if given["topology"] == "standalone":
        return given
    cluster, tls = given["topology"] == "cluster", given["transit_encryption_enabled"] is not False
    defaults = {"num_node_groups": 1, "replicas_per_node_group": 1,
                "transit_encryption_enabled": True, "at_rest_encryption_enabled": True,
                "transit_encryption_mode": "required" if tls else ""}
    given = {**given, **{n: v for n, v in defaults.items() if given[n] is None}}
    replicas, failover = given["replicas_per_node_group"] > 0, given["automatic_failover_enabled"]
    failover = cluster or replicas if failover is None else failover
    zones = given["multi_az_enabled"]
    return {**given, "automatic_failover_enabled": failover,
            "multi_az_enabled": replicas and failover if zones is None else zones}


def _topology(given: dict) -> list[str]:
    topology = given["topology"]
    if topology not in TOPOLOGIES:
        near = difflib.get_close_matches(topology, TOPOLOGIES, 1)
        return [f"topology: {topology} is not one of {', '.join(TOPOLOGIES)}"
                + (f"; did you mean {near[0]}?" if near else "")]
    if topology != "standalone":
        return []
    found = [f"{n}: a standalone node has none; use topology: replication_group with "
             "replicas_per_node_group: 0" for n in NOT_ALONE if given[n]]
    if given["engine"] == "valkey":
        found.append("engine: AWS makes valkey only as a replication group; use topology: "
                     "replication_group with replicas_per_node_group: 0")
    if len(given["availability_zones"]) > 1:
        found.append("availability_zones: a standalone node is in one zone; name one")
    return found


def _name(name: str, given: dict) -> list[str]:
    longest, found = LONGEST.get(given["topology"], 40), []
    if not re.fullmatch(r"[a-z](?!.*--)[a-z0-9-]*(?<!-)", name) or len(name) > longest:
        found.append(f"name: {name} must have 1 to {longest} lower-case letters, digits and "
                     "single hyphens, with a letter first; give a shorter name")
    if not re.fullmatch(r"\d+(\.\d+){0,2}", given["engine_version"]):
        found.append(f"engine_version: {given['engine_version']} is not a version such as 7.1")
    return found


def _shape(given: dict) -> list[str]:
    """Shards and replicas that fit each other, the topology and automatic failover."""
    if given["topology"] not in TOPOLOGIES[1:]:
        return []
    shards, replicas = given["num_node_groups"], given["replicas_per_node_group"]
    failover, cluster, found = given["automatic_failover_enabled"], given["topology"] == \
        "cluster", []
    if shards != 1 and not cluster:
        found.append("num_node_groups: more than one shard needs topology: cluster")
    if not 1 <= shards <= 500:
        found.append("num_node_groups: must be from 1 to 500")
    if not 0 <= replicas <= 5:
        found.append("replicas_per_node_group: must be from 0 to 5")
    if failover and not replicas and not cluster:
        found.append("automatic_failover_enabled: needs a replica; set replicas_per_node_group: 1")
    if cluster and not failover:
        found.append("automatic_failover_enabled: cluster mode is never without it; leave it out")
    if given["multi_az_enabled"] and not (failover and replicas):
        found.append("multi_az_enabled: needs automatic_failover_enabled: true and a replica")
    return found


def _security(given: dict, stack) -> list[str]:
    """Encryption and AUTH that fit each other."""
    tls, secret, found = given["transit_encryption_enabled"], given["auth_token_secret"], []
    if given["topology"] == "standalone":
        return access_problems("", given)
    if given["transit_encryption_mode"] and not tls:
        found.append("transit_encryption_mode: needs transit_encryption_enabled: true")
    if given["kms_key"] and not given["at_rest_encryption_enabled"]:
        found.append("kms_key: needs at_rest_encryption_enabled: true")
    if given["auth_token_key"] and not secret:
        found.append("auth_token_key: needs auth_token_secret")
    secrets = stack.options.get("secrets", {}).get("secrets", {})
    how = (secrets.get(secret) or {}).get("generate_secret_string")
    if how:
        found += _token(secret, how, given["auth_token_key"])
    return found + access_problems("", given)


def _token(name: str, how: dict, key: str | None) -> list[str]:
    """Whether the secret that this stack makes can be a token."""
    path, found = f"secrets.secrets.{name}.generate_secret_string", []
    low, high = TOKEN_LENGTHS
    if not low <= how["password_length"] <= high:
        found.append(f"auth_token_secret: {path}.password_length must be from {low} to {high}")
    bad = set(string.punctuation) - TOKEN_SIGNS - set(how["exclude_characters"] or "")
    if bad and not how["exclude_punctuation"]:
        found.append(f"auth_token_secret: AUTH takes no other signs than ! & # $ ^ < > -; set "
                     f"{path}.exclude_punctuation: true")
    if how["include_space"]:
        found.append(f"auth_token_secret: AUTH takes no spaces; leave out {path}.include_space")
    if (how["generate_string_key"] or None) != (key or None):
        found.append("auth_token_key: must be the generate_string_key of the secret "
                     f"({how['generate_string_key'] or 'none'})")
    return found


def _placement(given: dict, subnets) -> list[str]:
    """Zones that the subnets have, windows that do not overlap, snapshots that can be kept."""
    zones = letters(subnets)
    found = [f"availability_zones: {zone} has none of the subnets; there are some in zones "
             f"{', '.join(zones)}" for zone in given["availability_zones"]
             if zones and zone_letter(zone) not in zones]
    if given["multi_az_enabled"] and zones is not None and len(zones) < 2:
        found.append("subnets: multi_az_enabled needs subnets in two availability zones; name "
                     "another such as private-b")
    if not 0 <= given["snapshot_retention_limit"] <= 35:
        found.append("snapshot_retention_limit: must be from 0 (no snapshots) to 35 days")
    return found + window_problems("", *((n, given[n]) for n in (
        "snapshot_window", "preferred_maintenance_window")))


def family_of(engine: str, version: str) -> str:
    """https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html."""
    major = version.split(".", maxsplit=1)[0]
    later = engine == "valkey" or int(major) > 6
    return f"{engine}{major}" if later else f"{engine}{major}.x" if major == "6" else \
        f"{engine}{major}.0"


def _cache(name: str, own_name: str, given: dict, place: dict) -> list:
    """One cache and what is made for it."""
    stack, weekly = place["stack"], given["preferred_maintenance_window"]
    groups, own = guarded(f"elasticache/{name}", given["port"], given, stack)
    subnet_group = CacheSubnetGroup(
        key=f"elasticache/cache_subnet_group/{name}", cache_subnet_group_name=own_name,
        subnets=place["subnets"], description=f"Subnets of {own_name}")
    parameter_group, made = _parameters(name, own_name, given)
    logs, delivery = _logs(name, own_name, given)
    same = ("engine", "engine_version", "cache_node_type", "port", "snapshot_retention_limit",
            "snapshot_window", "snapshot_name", "auto_minor_version_upgrade",
            "deletion_protection", "skip_final_snapshot")
    fields = {n: given[n] for n in same} | {
        "engine_version_on_offer": place["version"], "parameter_group": parameter_group,
        "subnet_group": subnet_group, "security_groups": groups, "log_delivery": delivery,
        "preferred_maintenance_window": weekly and weekly.lower(), "tags": dict(given["tags"])}
    if given["topology"] == "standalone":
        zone = next(iter(given["availability_zones"]), None)
        cache = CacheCluster(key=f"elasticache/cache_cluster/{name}", cache_cluster_id=own_name,
                             availability_zone=zone, **fields)
    else:
        cache = _group(name, own_name, given, {**fields, "stack": stack})
    return [*own, subnet_group, *made, *logs, cache]


def _group(name: str, own_name: str, given: dict, fields: dict) -> ReplicationGroup:
    stack, secret = fields.pop("stack"), given["auth_token_secret"]
    if secret:
        fields["tags"][AUTH] = REQUIRED
        fields["auth_secret"] = secret if secret.startswith("arn:") else \
            stack.use(Secret, f"secrets/secret/{secret}")
    same = ("num_node_groups", "replicas_per_node_group", "automatic_failover_enabled",
            "multi_az_enabled", "availability_zones", "transit_encryption_enabled",
            "transit_encryption_mode", "at_rest_encryption_enabled")
    return ReplicationGroup(
        key=f"elasticache/replication_group/{name}", replication_group_id=own_name,
        description=given["description"] or f"{name} of {stack.id}",
        cluster_enabled=given["topology"] == "cluster", auth_secret_key=given["auth_token_key"],
        auth_token_enabled=bool(secret),
        kms_key=stack.kms_key(given["kms_key"]) if given["kms_key"] else None,
        **{n: given[n] for n in same}, **fields)


def _parameters(name: str, own_name: str, given: dict) -> tuple:
    """The group in use, and those made: names and keys carry the family of the major version."""
    family, cluster = family_of(given["engine"], given["engine_version"]), \
        given["topology"] == "cluster"
    if not given["parameters"]:
        return f"default.{family}{'.cluster.on' if cluster else ''}", []
    mode = {"cluster-enabled": "yes"} if cluster else {}
    own = CacheParameterGroup(
        key=f"elasticache/cache_parameter_group/{name}-{family}", family=family,
        cache_parameter_group_name=f"{own_name}-{family.replace('.', '-')}",
        description=f"Parameters of {own_name}",
        parameters={**text_values(given["parameters"]), **mode})
    return own, [own]


def _logs(name: str, own_name: str, given: dict) -> tuple[list, dict]:
    """A log group for each log, and where each log goes."""
    wanted = {kind: log for kind, log in given["log_delivery"].items() if log}
    groups = {kind: LogGroup(key=f"elasticache/log_group/{name}-{kind}",
                             name=f"/aws/elasticache/{own_name}/{kind}",
                             retention_in_days=log["retention_in_days"])
              for kind, log in wanted.items()}
    return list(groups.values()), {kind: {"log_group": groups[kind],
                                          "log_format": log["log_format"]}
                                   for kind, log in wanted.items()}
