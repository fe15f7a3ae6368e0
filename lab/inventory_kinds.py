"""Where each kind of object lies: in moto's backends, and in the lab's own tables."""


def pairs(tags):
    """Tags of any of moto's forms as one dictionary."""
    if not tags:
        return {}
    if isinstance(tags, dict):
        return {key: value["Value"] if isinstance(value, dict) else value
                for key, value in tags.items()}
    return {tag.get("Key", tag.get("TagKey", tag.get("key"))):
            tag.get("Value", tag.get("TagValue", tag.get("value"))) for tag in tags}


# ---- EC2 ---------------------------------------------------------------------------------------

def ec2_row(backend, kind, key, **more):
    return {"id": key, "tags": backend.tags.get(key), **more,
            "arn": f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:{kind}/{key}"}


def foreign_vpcs(backend):
    """VPCs that AWS made."""
    return {key for key, vpc in backend.vpcs.items() if vpc.is_default}


def vpcs(backend):
    return [ec2_row(backend, "vpc", key, cidr=vpc.cidr_block)
            for key, vpc in backend.vpcs.items() if not vpc.is_default]


def subnets(backend):
    skip = foreign_vpcs(backend)
    return [ec2_row(backend, "subnet", key, parent=item.vpc_id, cidr=item.cidr_block,
                    zone=item.availability_zone)
            for zone in backend.subnets.values() for key, item in zone.items()
            if item.vpc_id not in skip]


def gateways(backend):
    skip = foreign_vpcs(backend)
    return [ec2_row(backend, "internet-gateway", key, parent=item.vpc.id if item.vpc else None)
            for key, item in backend.internet_gateways.items()
            if not (item.vpc and item.vpc.id in skip)]


def nat_gateways(backend):
    return [ec2_row(backend, "natgateway", key, parent=item.subnet_id, state=item.state)
            for key, item in backend.nat_gateways.items()]


def addresses(backend):
    return [ec2_row(backend, "elastic-ip", item.allocation_id, parent=item.association_id)
            for item in backend.addresses]


def route_tables(backend):
    return [ec2_row(backend, "route-table", key, parent=item.vpc_id,
                    associations=sorted(item._associations.values()),
                    routes=sorted(str(route.destination_cidr_block or
                                      route.destination_prefix_list_id)
                                  for route in item._routes.values() if not route.local))
            for key, item in backend.route_tables.items() if not item.main_association_id]


def endpoints(backend):
    return [ec2_row(backend, "vpc-endpoint", key, parent=item.vpc_id, state=item.state,
                    service=item.service_name) for key, item in backend.vpc_end_points.items()]


def living_groups(backend):
    return [item for vpc in backend.groups.values() for item in vpc.values()
            if item.name != "default"]


def security_groups(backend):
    return [ec2_row(backend, "security-group", item.id, parent=item.vpc_id, name=item.name)
            for item in living_groups(backend)]


def group_rules(backend):
    return [ec2_row(backend, "security-group-rule", rule.id, parent=item.id,
                    egress=rule.is_egress, protocol=rule.ip_protocol, from_port=rule.from_port,
                    to_port=rule.to_port, source=rule.ip_range.get("CidrIp")
                    or rule.source_group.get("GroupId") or rule.prefix_list_id)
            for item in living_groups(backend)
            for rule in (*item.ingress_rules, *item.egress_rules)]


def launch_templates(backend):
    return [ec2_row(backend, "launch-template", key, name=item.name, versions=len(item.versions))
            for key, item in backend.launch_templates.items()]


def flow_logs(backend):
    return [ec2_row(backend, "vpc-flow-log", key, parent=item.resource_id)
            for key, item in backend.flow_logs.items()]


def interfaces(backend):
    return [ec2_row(backend, "network-interface", key, parent=item.subnet.id,
                    description=item.description) for key, item in backend.enis.items()]


def volumes(backend):
    return [ec2_row(backend, "volume", key, state=item.status, zone=item.zone.name)
            for key, item in backend.volumes.items()]


def instances(backend):
    return [ec2_row(backend, "instance", item.id, parent=item.subnet_id,
                    state={"terminated": "deleted"}.get(item._state.name))
            for reservation in backend.reservations.values() for item in reservation.instances]


def prefix_lists(backend):
    return [ec2_row(backend, "prefix-list", key, name=item.prefix_list_name)
            for key, item in backend.managed_prefix_lists.items() if item.owner_id != "AWS"]


# ---- IAM ---------------------------------------------------------------------------------------

def roles(backend):
    return [{"id": item.name, "arn": item.arn, "tags": pairs(item.tags), "path": item.path,
             "attached": sorted(policy.arn for policy in item.managed_policies.values()),
             "inline": sorted(item.policies)} for item in backend.roles.values()
            if not item.path.startswith("/aws-service-role/")]


def policies(backend):
    return [{"id": item.name, "arn": arn, "tags": pairs(item.tags), "path": item.path,
             "versions": len(item.versions)} for arn, item in backend.managed_policies.items()
            if not arn.startswith("arn:aws:iam::aws:")]


def profiles(backend):
    return [{"id": item.name, "arn": item.arn, "tags": pairs(item.tags), "path": item.path,
             "roles": [role.name for role in item.roles]}
            for item in backend.instance_profiles.values()]


def providers(backend):
    return [{"id": arn, "arn": arn, "tags": pairs(item.tags)}
            for arn, item in backend.open_id_providers.items()]


# ---- load balancers ----------------------------------------------------------------------------

def balancers(backend):
    return [{"id": item.name, "arn": arn, "parent": item.vpc_id,
             "tags": backend.tagging_service.get_tag_dict_for_resource(arn)}
            for arn, item in backend.load_balancers.items()]


def target_groups(backend):
    return [{"id": item.name, "arn": arn, "parent": item.vpc_id,
             "tags": backend.tagging_service.get_tag_dict_for_resource(arn)}
            for arn, item in backend.target_groups.items()]


def classic_balancers(backend):
    return [{"id": name, "arn": None, "parent": item.vpc_id, "tags": item.tags}
            for name, item in backend.load_balancers.items()]


# ---- the rest of moto --------------------------------------------------------------------------

def buckets(backend):
    return [{"id": name, "arn": item.arn,
             "tags": backend.tagger.get_tag_dict_for_resource(item.arn),
             "objects": len(item.keys)} for name, item in backend.buckets.items()]


def queues(backend):
    return [{"id": name, "arn": item.queue_arn, "tags": item.tags}
            for name, item in backend.queues.items()]


def rules(backend):
    return [{"id": name, "arn": item.arn, "parent": bus.name,
             "tags": backend.tagger.get_tag_dict_for_resource(item.arn),
             "targets": sorted(target["Id"] for target in item.targets)}
            for bus in backend.event_buses.values() for name, item in bus.rules.items()]


def repositories(backend):
    return [{"id": name, "arn": item.arn,
             "tags": backend.tagger.get_tag_dict_for_resource(item.arn)}
            for name, item in backend.repositories.items()]


def keys(backend):
    return [{"id": name, "arn": item.arn, "state": item.key_state,
             "tags": backend.tagger.get_tag_dict_for_resource(name)}
            for name, item in backend.keys.items() if item.key_manager != "AWS"]


def aliases(backend):
    return [{"id": name, "arn": f"arn:aws:kms:{backend.region_name}:{backend.account_id}:{name}",
             "parent": key} for key, item in backend.keys.items()
            for name in getattr(item, "aliases", None) or []]


def log_groups(backend):
    return [{"id": name, "arn": item.arn.removesuffix(":*"), "retention": item.retention_in_days,
             "tags": backend.tagger.get_tag_dict_for_resource(item.arn)}
            for name, item in backend.groups.items()]


def secrets(backend):
    return [{"id": item.name, "arn": item.arn, "tags": pairs(item.tags),
             "state": "deleted" if item.is_deleted() else None}
            for item in backend.secrets.values()]


def file_systems(backend):
    return [{"id": key, "arn": item.file_system_arn, "state": item.life_cycle_state,
             "tags": backend.tagging_service.get_tag_dict_for_resource(key)}
            for key, item in backend.file_systems_by_id.items()]


def mount_targets(backend):
    return [{"id": key, "parent": item.file_system_id, "subnet": item.subnet_id,
             "state": item.life_cycle_state} for key, item in backend.mount_targets_by_id.items()]


def access_points(backend):
    return [{"id": key, "arn": item.access_point_arn, "parent": item.file_system_id,
             "tags": backend.tagging_service.get_tag_dict_for_resource(key)}
            for key, item in backend.access_points.items()]


MOTO_KINDS = {
    "ec2": {"ec2.vpc": vpcs, "ec2.subnet": subnets, "ec2.internet_gateway": gateways,
            "ec2.nat_gateway": nat_gateways, "ec2.elastic_ip": addresses,
            "ec2.route_table": route_tables, "ec2.vpc_endpoint": endpoints,
            "ec2.security_group": security_groups, "ec2.security_group_rule": group_rules,
            "ec2.launch_template": launch_templates, "ec2.flow_log": flow_logs,
            "ec2.network_interface": interfaces, "ec2.prefix_list": prefix_lists,
            "ec2.volume": volumes, "ec2.instance": instances},
    "elbv2": {"elbv2.load_balancer": balancers, "elbv2.target_group": target_groups},
    "elb": {"elb.load_balancer": classic_balancers},
    "iam": {"iam.role": roles, "iam.policy": policies, "iam.instance_profile": profiles,
            "iam.oidc_provider": providers},
    "s3": {"s3.bucket": buckets}, "sqs": {"sqs.queue": queues}, "events": {"events.rule": rules},
    "ecr": {"ecr.repository": repositories}, "kms": {"kms.key": keys, "kms.alias": aliases},
    "logs": {"logs.log_group": log_groups}, "secretsmanager": {"secretsmanager.secret": secrets},
    "efs": {"efs.file_system": file_systems, "efs.mount_target": mount_targets,
            "efs.access_point": access_points},
}


# ---- the lab's own tables ----------------------------------------------------------------------

def own(name, arn=None, status=None, parent=None, tags="tags"):
    """How to describe one row of a table."""
    def describe(item):
        return {"id": item[name], "arn": item.get(arn), "state": item.get(status),
                "parent": item.get(parent), "tags": pairs(item.get(tags))}
    return describe


def group_tags(item):
    return {"id": item["AutoScalingGroupName"], "arn": item["AutoScalingGroupARN"],
            "tags": pairs(list(item["_tags"].values()))}


OWN_KINDS = {
    "eks.cluster": own("name", "arn", "status"),
    "eks.nodegroup": own("nodegroupName", "nodegroupArn", "status", "clusterName"),
    "eks.addon": own("addonName", "addonArn", "status", "clusterName"),
    "eks.access_entry": own("principalArn", "accessEntryArn", None, "clusterName"),
    "eks.association": own("associationId", "associationArn", None, "clusterName"),
    "autoscaling.group": group_tags,
    "rds.cluster": own("DBClusterIdentifier", "DBClusterArn", "Status", "DBSubnetGroup", "_tags"),
    "rds.instance": own("DBInstanceIdentifier", "DBInstanceArn", "DBInstanceStatus",
                        "DBClusterIdentifier", "_tags"),
    "rds.subgrp": own("DBSubnetGroupName", "DBSubnetGroupArn", None, "VpcId", "_tags"),
    "rds.cluster-pg": own("DBClusterParameterGroupName", "DBClusterParameterGroupArn",
                          tags="_tags"),
    "rds.pg": own("DBParameterGroupName", "DBParameterGroupArn", tags="_tags"),
    "rds.cluster-snapshot": own("DBClusterSnapshotIdentifier", "DBClusterSnapshotArn", "Status",
                                "DBClusterIdentifier", "_tags"),
    "elasticache.cluster": own("CacheClusterId", "ARN", "CacheClusterStatus",
                               "ReplicationGroupId", "_tags"),
    "elasticache.replicationgroup": own("ReplicationGroupId", "ARN", "Status", None, "_tags"),
    "elasticache.subnetgroup": own("CacheSubnetGroupName", "ARN", None, "VpcId", "_tags"),
    "elasticache.parametergroup": own("CacheParameterGroupName", "ARN", tags="_tags"),
    "elasticache.snapshot": own("SnapshotName", "ARN", "SnapshotStatus", None, "_tags"),
}
