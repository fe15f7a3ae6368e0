# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ElastiCache: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/."""
from __future__ import annotations

import json

from ..engine.errors import Failure
from ..engine.resource import Impact, Resource, attr, create_only, diff, search, updates
from .declared import Declared
from .ec2 import SecurityGroup
from .kms import Key
from .listed import (
    EngineVersion, Listed, ParameterGroup, SubnetGroup, new_enough, number, once_known,
)
from .secretsmanager import Secret

# Tag of a group that lets nobody in without its token. The API does not tell that apart from
# one that lets in both ways, as it is between ROTATE and SET:
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
AUTH, REQUIRED = "groundwork:auth", "required"


class CacheOffers(Declared):
    """All versions of Valkey and Redis OSS that ElastiCache offers."""

    service, external = "elasticache", True
    reads = ("describe_cache_engine_versions", "CacheEngineVersions")


class CacheEngineVersion(EngineVersion):
    """A version of Valkey or Redis OSS."""

    offers = CacheOffers


class CacheSubnetGroup(SubnetGroup):
    """The subnets of caches."""

    cache_subnet_group_name: str = create_only("CacheSubnetGroupName")
    description: str = attr("CacheSubnetGroupDescription")

    tells = ("cache_subnet_group_name",)

    service, ref, arn = "elasticache", "CacheSubnetGroupName", "ARN"
    identity, tagged_as = ("cache_subnet_group_name",), "elasticache:subnetgroup"
    reads = ("describe_cache_subnet_groups", "CacheSubnetGroups")
    creates = ("create_cache_subnet_group", "CacheSubnetGroup")
    changes = "modify_cache_subnet_group"
    deletes = ("delete_cache_subnet_group", "CacheSubnetGroupName")


class CacheParameterGroup(ParameterGroup):
    """Parameters of caches."""

    cache_parameter_group_name: str = create_only("CacheParameterGroupName")
    family: str = create_only("CacheParameterGroupFamily")
    description: str = create_only("Description")

    service, ref, arn = "elasticache", "CacheParameterGroupName", "ARN"
    identity, tagged_as = ("cache_parameter_group_name",), "elasticache:parametergroup"
    reads = ("describe_cache_parameter_groups", "CacheParameterGroups")
    creates = ("create_cache_parameter_group", "CacheParameterGroup")
    deletes = ("delete_cache_parameter_group", "CacheParameterGroupName")
    shows, changes = "describe_cache_parameters", "modify_cache_parameter_group"
    resets, rows = "reset_cache_parameter_group", "ParameterNameValues"


class CacheNode(Resource):
    """All nodes of the region, those of replication groups included: nobody's own resource."""

    external = True

    @classmethod
    def fetch(cls, scan):
        return scan.api.pages("elasticache", *CacheCluster.reads, ShowCacheNodeInfo=True)


def forward(wanted: str, live: str | None) -> bool:
    """AWS turns Redis OSS into Valkey in place, but not back."""
    if wanted == "redis" and live == "valkey":
        raise Failure("valkey runs and redis is wanted, but AWS does not go back; write "
                      "engine: valkey, or make a new cache")
    return live is None or wanted == live


def oldest(versions: list) -> str | None:
    """The version of all nodes, or the lowest while they go up one after another."""
    return min(versions, key=number, default=None)


def same_mode(wanted: str, live: str | None) -> bool:
    """Without encryption there is no mode, and before Redis OSS 7 there is but one."""
    return wanted == live or (not live and wanted in ("", "required"))


def same_auth(wanted: bool, live: bool | None) -> bool:
    """AUTH can be added to a group, but not taken away."""
    if live and not wanted:
        raise Failure("AWS takes AUTH away only in favour of users and roles "
                      "(RBAC); name auth_token_secret again, or make a new cache")
    return bool(live) == wanted


def switched_on(value: str) -> bool:
    """Settings that have states on the way to their value."""
    return value in ("enabled", "enabling")


def but_primary(sizes: list) -> int | list | None:
    """Replicas of each shard; a list where the shards differ."""
    return sizes[0] - 1 if len({*sizes}) == 1 else sizes or None


def deliveries(rows: list) -> dict:
    """Log type -> where it goes, of those that are or will be delivered."""
    return {row["LogType"]: {
        "log_group": search("DestinationDetails.CloudWatchLogsDetails.LogGroup", row),
        "log_format": row.get("LogFormat")} for row in rows if row.get("Status") != "disabling"}


class Cache(Listed):
    """What a single node and a replication group share; `Nodes` are theirs."""

    engine: str = attr("Engine", same=forward, impact=Impact.ROLLING, seconds=900)
    engine_version: str = attr("Nodes[].EngineVersion", param="-", read=oldest, same=new_enough,
                               impact=Impact.ROLLING, seconds=900)
    engine_version_on_offer: CacheEngineVersion = attr(param="EngineVersion")
    parameter_group: CacheParameterGroup | str = attr(
        "Nodes[0].CacheParameterGroup.CacheParameterGroupName", param="CacheParameterGroupName",
        seconds=60)
    cache_node_type: str = attr("CacheNodeType", impact=Impact.ROLLING, seconds=900)
    subnet_group: CacheSubnetGroup | str = create_only(
        "Nodes[0].CacheSubnetGroupName", param="CacheSubnetGroupName", same=once_known)
    security_groups: list[SecurityGroup | str] = attr(
        "Nodes[0].SecurityGroups[].SecurityGroupId", param="SecurityGroupIds", seconds=60)
    port: int = create_only("Nodes[0].CacheNodes[0].Endpoint.Port", param="Port", same=once_known)
    snapshot_retention_limit: int = attr("SnapshotRetentionLimit", seconds=30)
    snapshot_window: str = attr("SnapshotWindow", seconds=30)
    preferred_maintenance_window: str = attr("Nodes[0].PreferredMaintenanceWindow", seconds=30,
                                             param="PreferredMaintenanceWindow")
    auto_minor_version_upgrade: bool = attr("Nodes[0].AutoMinorVersionUpgrade", seconds=30,
                                            param="AutoMinorVersionUpgrade")
    log_delivery: dict = attr("LogDeliveryConfigurations", read=deliveries, param="-", seconds=60)
    snapshot_name: str = attr(param="SnapshotName")  # at creation only
    deletion_protection: bool = attr()
    skip_final_snapshot: bool = attr()

    service, arn = "elasticache", "ARN"
    stateful = True
    modifies = ""

    @property
    def protected(self):
        return self.deletion_protection is not False

    def modify(self, api, live: dict, **params) -> None:
        """One change, now."""
        getattr(api.elasticache, self.modifies)(**{self.ref: live[self.ref]},
                                                ApplyImmediately=True, **params)

    def delivered(self, live: dict) -> list:
        """The log deliveries as the API takes them; those no longer wanted are switched off."""
        have = deliveries(live.get("LogDeliveryConfigurations") or [])
        rows = [{"LogType": kind, "DestinationType": "cloudwatch-logs", "Enabled": True,
                 "LogFormat": given["log_format"], "DestinationDetails": {
                     "CloudWatchLogsDetails": {"LogGroup": given["log_group"]}}}
                for kind, given in self.log_delivery.items() if have.get(kind) != given]
        return rows + [{"LogType": kind, "Enabled": False} for kind in have
                       if kind not in self.log_delivery]

    def params(self):
        logs = {"LogDeliveryConfigurations": self.delivered({})} if self.log_delivery else {}
        return {**super().params(), **logs}

    @updates("engine", "engine_version", "parameter_group")
    def upgrade(self, api, live):
        """A new major version needs the parameter group of its family in the same call."""
        changed = diff(self, live)
        params = self.differing(live, ("engine", "parameter_group"))
        if "engine" in changed or "engine_version" in changed:
            params["EngineVersion"] = self.engine_version_on_offer
        self.modify(api, live, **params)

    @updates("cache_node_type", "security_groups", "snapshot_retention_limit", "snapshot_window",
             "preferred_maintenance_window", "auto_minor_version_upgrade", "log_delivery")
    def configure(self, api, live):
        """All other settings that differ, in one call."""
        params = self.differing(live, type(self).configure.updates)
        if params.pop("-", None) is not None:
            params["LogDeliveryConfigurations"] = self.delivered(live)
        self.modify(api, live, **params, **self.snapshotting(live, params))

    def snapshotting(self, live: dict, params: dict) -> dict:
        """What else AWS must hear when snapshots begin."""
        return {}

    def delete(self, api, live):
        """Takes a last snapshot unless told not to; its name belongs to this very cache."""
        how, method = {}, self.deletes[0]
        if not self.skip_final_snapshot:
            born = search("Nodes[0].CacheClusterCreateTime", live)
            suffix = f"-{born:%Y%m%d%H%M%S}" if born else ""
            how["FinalSnapshotIdentifier"] = f"{live[self.ref]}-final{suffix}"
        getattr(api.elasticache, method)(**{self.ref: live[self.ref]}, **how)


class CacheCluster(Cache):
    """A single node of Redis OSS, without a replica, encryption or AUTH."""

    cache_cluster_id: str = create_only("CacheClusterId")
    cache_node_type: str = attr("CacheNodeType", impact=Impact.DOWNTIME, seconds=900)
    engine_version: str = attr("Nodes[].EngineVersion", param="-", read=oldest, same=new_enough,
                               impact=Impact.DOWNTIME, seconds=900)
    availability_zone: str = create_only("PreferredAvailabilityZone", same=once_known)

    ref, identity, tagged_as = "CacheClusterId", ("cache_cluster_id",), "elasticache:cluster"
    reads = ("describe_cache_clusters", "CacheClusters")
    creates = ("create_cache_cluster", "CacheCluster")
    modifies = "modify_cache_cluster"
    deletes = ("delete_cache_cluster", "CacheClusterId")
    ready = "contains(['available','snapshotting'], CacheClusterStatus)"
    failed = "contains(['incompatible-network','restore-failed'], CacheClusterStatus)"
    leaving, gone = "CacheClusterStatus=='deleting'", "CacheClusterStatus=='deleted'"
    reason = "CacheClusterStatus"
    seconds = {"create": 300, "delete": 180}
    outputs = {"arn": "ARN", "endpoint": "CacheNodes[0].Endpoint.Address",
               "port": "CacheNodes[0].Endpoint.Port", "engine_version": "EngineVersion"}

    @classmethod
    def listed(cls, scan):
        """Those nodes that are not a replication group's."""
        return [{**node, "Nodes": [node]} for node in scan.of(CacheNode).items
                if not node.get("ReplicationGroupId")]

    def params(self):
        return {**super().params(), "NumCacheNodes": 1}


class ReplicationGroup(Cache):
    """Shards with a primary and replicas each; a single shard without cluster mode, too."""

    replication_group_id: str = create_only("ReplicationGroupId")
    description: str = attr("Description", param="ReplicationGroupDescription", seconds=30)
    cluster_enabled: bool = create_only("ClusterEnabled", param="-")
    num_node_groups: int = attr("NodeGroups", param="-", read=len, same=once_known,
                                impact=Impact.ROLLING, seconds=900)
    replicas_per_node_group: int = attr("NodeGroups[].length(NodeGroupMembers)", param="-",
                                        read=but_primary, seconds=600)
    automatic_failover_enabled: bool = attr("AutomaticFailover", read=switched_on, seconds=120,
                                            param="AutomaticFailoverEnabled")
    multi_az_enabled: bool = attr("MultiAZ", read=switched_on, param="MultiAZEnabled", seconds=120)
    availability_zones: list = attr()
    transit_encryption_enabled: bool = attr("TransitEncryptionEnabled", impact=Impact.ROLLING,
                                            seconds=600)
    transit_encryption_mode: str = attr("TransitEncryptionMode", impact=Impact.ROLLING,
                                        seconds=600, same=same_mode)
    at_rest_encryption_enabled: bool = create_only("AtRestEncryptionEnabled")
    kms_key: Key | str = create_only("KmsKeyId", of="Arn")
    auth_secret: Secret | str = attr(of="ARN")  # holds the token; no field ever does
    auth_secret_key: str = attr()  # of the JSON object in the secret; None: all of it
    auth_token_enabled: bool = attr("AuthTokenEnabled", param="-", impact=Impact.ROLLING,
                                    seconds=300, same=same_auth)

    ref, identity = "ReplicationGroupId", ("replication_group_id",)
    unrehearsed, tagged_as = ("auth_token_enabled",), "elasticache:replicationgroup"
    reads = ("describe_replication_groups", "ReplicationGroups")
    creates = ("create_replication_group", "ReplicationGroup")
    modifies = "modify_replication_group"
    deletes = ("delete_replication_group", "ReplicationGroupId")
    ready, failed = "contains(['available','snapshotting'], Status)", "Status=='create-failed'"
    leaving, reason = "Status=='deleting'", "Status"
    seconds = {"create": 419, "delete": 240}  # medians of public logs
    outputs = {"arn": "ARN", "endpoint": "NodeGroups[0].PrimaryEndpoint.Address",
               "reader_endpoint": "NodeGroups[0].ReaderEndpoint.Address",
               "configuration_endpoint": "ConfigurationEndpoint.Address",
               "port": "Nodes[0].CacheNodes[0].Endpoint.Port",
               "engine_version": "Nodes[0].EngineVersion"}

    @classmethod
    def described(cls, scan, item, wanted, tags):
        """With its nodes, which know what the group does not tell."""
        nodes = {n["CacheClusterId"]: n for n in scan.of(CacheNode).items}
        item = super().described(scan, item, wanted, tags)
        return {**item, "Nodes": [nodes[n] for n in item.get("MemberClusters", ()) if n in nodes]}

    def params(self):
        """Without the mode of encryption that is AWS's own choice."""
        params = {**super().params(), **shape(self)}
        if params.get("TransitEncryptionMode") != "preferred":
            params.pop("TransitEncryptionMode", None)
        return params

    def create(self, api):
        """The token goes from one answer of AWS into the next call, and nowhere else."""
        token = {"AuthToken": self._token(api)} if self.auth_token_enabled else {}
        answer = api.elasticache.create_replication_group(**self.params(), **self.tagging(),
                                                          **token)
        return answer["ReplicationGroup"]

    def _token(self, api) -> str:
        text = api.secretsmanager.get_secret_value(SecretId=self.auth_secret)["SecretString"]
        return json.loads(text)[self.auth_secret_key] if self.auth_secret_key else text

    @updates("num_node_groups")
    def reshard(self, api, live):
        """More or fewer shards; keys move while the cache is in use."""
        ids = sorted(shard["NodeGroupId"] for shard in live["NodeGroups"])
        fewer = {"NodeGroupsToRetain": ids[:self.num_node_groups]} \
            if self.num_node_groups < len(ids) else {}
        api.elasticache.modify_replication_group_shard_configuration(
            ReplicationGroupId=live["ReplicationGroupId"], ApplyImmediately=True,
            NodeGroupCount=self.num_node_groups, **fewer)

    @updates("replicas_per_node_group", "automatic_failover_enabled", "multi_az_enabled")
    def scale(self, api, live):
        """Replicas come before what needs them, and go after it."""
        name, count = live["ReplicationGroupId"], self.replicas_per_node_group
        least = min(len(shard["NodeGroupMembers"]) for shard in live["NodeGroups"]) - 1
        params = self.differing(live, ("automatic_failover_enabled", "multi_az_enabled"))
        if count is not None and least < count:
            api.elasticache.increase_replica_count(ReplicationGroupId=name, NewReplicaCount=count,
                                                   ApplyImmediately=True)
        elif params:
            self.modify(api, live, **params)
        else:
            api.elasticache.decrease_replica_count(ReplicationGroupId=name, NewReplicaCount=count,
                                                   ApplyImmediately=True)

    @updates("transit_encryption_enabled", "transit_encryption_mode")
    def encrypt(self, api, live):
        """On and off both lead through the mode that lets all clients in."""
        mode, on = live.get("TransitEncryptionMode"), live.get("TransitEncryptionEnabled")
        if self.transit_encryption_enabled:
            params = {"TransitEncryptionMode": self.transit_encryption_mode} if on else \
                {"TransitEncryptionEnabled": True, "TransitEncryptionMode": "preferred"}
        else:
            params = {"TransitEncryptionMode": "preferred"} if mode == "required" else \
                {"TransitEncryptionEnabled": False}
        self.modify(api, live, **params)

    @updates("auth_token_enabled")
    def authenticate(self, api, live):
        """Lets clients in with the token, too; `retag` then shuts out those without."""
        self.modify(api, live, AuthToken=self._token(api), AuthTokenUpdateStrategy="ROTATE")

    @updates("description")
    def describe(self, api, live):
        """Changes the description."""
        self.modify(api, live, ReplicationGroupDescription=self.description)

    def snapshotting(self, live, params):
        """Without cluster mode AWS wants to know the node that snapshots are taken from."""
        begins = params.get("SnapshotRetentionLimit") and not live.get("SnapshotRetentionLimit")
        return {"SnapshottingClusterId": live["MemberClusters"][0]} \
            if begins and not live.get("ClusterEnabled") else {}

    @updates("tags")
    def retag(self, api, live):
        """The tag that says the token is required comes after the call that makes it so."""
        if self.tags.get(AUTH) == REQUIRED and self.tags_of(live).get(AUTH) != REQUIRED:
            self.modify(api, live, AuthToken=self._token(api), AuthTokenUpdateStrategy="SET")
        super().retag(api, live)


def shape(group: ReplicationGroup) -> dict:
    """Shards, replicas and zones as a creation takes them: differently with cluster mode."""
    zones, replicas = group.availability_zones or [], group.replicas_per_node_group
    if not group.cluster_enabled:
        placed = [zones[n % len(zones)] for n in range(replicas + 1)] if zones else []
        return {"NumCacheClusters": replicas + 1,
                **({"PreferredCacheClusterAZs": placed} if placed else {})}
    placed = [shard(zones, n, replicas) for n in range(group.num_node_groups)] if zones else []
    return {"NumNodeGroups": group.num_node_groups, "ReplicasPerNodeGroup": replicas,
            **({"NodeGroupConfiguration": placed} if placed else {})}


def shard(zones: list, position: int, replicas: int) -> dict:
    """The zones of a shard's nodes; the primaries of neighbours are in different zones."""
    turned = [zones[(position + n) % len(zones)] for n in range(replicas + 1)]
    return {"NodeGroupId": f"{position + 1:04d}", "ReplicaCount": replicas,
            "PrimaryAvailabilityZone": turned[0], "ReplicaAvailabilityZones": turned[1:]}
