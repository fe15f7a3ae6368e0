"""EKS clusters: API_CreateCluster, API_DescribeCluster, API_DeleteCluster, API_ListClusters."""

import ipaddress

from lab import kit, quotas
from lab.extensions import eks_kubernetes as kubernetes
from lab.extensions import eks_shared as eks
from lab.extensions.eks_access import add_entry
from lab.registry import handler

CLUSTER_POLICY = "AmazonEKSClusterPolicy"
# Private ranges; those of documentation are not: userguide/config-cluster-endpoint.html
INNER = [ipaddress.ip_network(text) for text in (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
    "127.0.0.0/8", "fc00::/7", "fe80::/10")]
LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]


def check_network(call, config, vpc=None):
    """Two zones, one VPC, groups that exist. Source: userguide/network-reqs.html."""
    subnets = kit.subnets(call, config.get("subnetIds") or [], lambda key: eks.invalid(
        f"The subnet ID '{key}' does not exist"))
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        raise eks.invalid("Subnets specified must be in at least two different AZs")
    vpcs = {subnet.vpc_id for subnet in subnets} | ({vpc} if vpc else set())
    if len(vpcs) > 1:
        raise eks.invalid("Subnets specified must belong to the same VPC")
    kit.check_groups(call, config.get("securityGroupIds") or [], lambda key: eks.invalid(
        f"The security group ID '{key}' does not exist"))
    return subnets


def check_endpoint(config):
    if config.get("endpointPublicAccess") is False and not config.get("endpointPrivateAccess"):
        raise eks.invalid("Private and public endpoint access cannot be false")
    for cidr in config.get("publicAccessCidrs") or []:
        try:
            network = ipaddress.ip_network(cidr)
        except ValueError as error:
            raise eks.invalid(f"The following CIDRs are invalid in publicAccessCidrs: [{cidr}]"
                              ) from error
        if any(network.subnet_of(inner) for inner in INNER if inner.version == network.version):
            raise eks.invalid(f"The following CIDRs are not allowed in publicAccessCidrs: [{cidr}]")


def check_cluster_role(call, arn):
    role = eks.need_role(call, arn, "eks.amazonaws.com", "roleArn")
    managed = {policy.rsplit("/", 1)[-1] for policy in kit.attached(role)}
    if CLUSTER_POLICY not in managed and not role.policies and not managed:
        raise eks.invalid(
            "The provided role doesn't have the Amazon EKS Managed Policies associated with it. "
            f"Please ensure the following policy [arn:aws:iam::aws:policy/{CLUSTER_POLICY}] is "
            "attached")


def check_encryption(call, configs):
    for config in configs or []:
        if config.get("resources") != ["secrets"]:
            raise eks.invalid("Only secrets can be encrypted")
        arn = config["provider"]["keyArn"]
        kit.need_key(call, arn, eks.invalid(f"KMS Key ARN {arn} does not exist"))


def check_create(call):
    asked = call.params
    name, version = asked["name"], asked.get("version") or eks.CALENDAR["default"]
    if name in call.store.table("eks.cluster"):
        raise eks.in_use(f"Cluster already exists with name: {name}", clusterName=name)
    quotas.check(call, "eks_clusters", len(call.store.table("eks.cluster")))
    eks.need_version(call.lab, version)
    eks.check_tags(asked.get("tags") or {})
    policy = (asked.get("upgradePolicy") or {}).get("supportType", "EXTENDED")
    if policy == "STANDARD" and eks.support(call.lab, version) == "extended-support":
        raise eks.invalid(f"Kubernetes version {version} is in extended support; supportType "
                          "must be EXTENDED")
    check_cluster_role(call, asked["roleArn"])
    check_endpoint(asked["resourcesVpcConfig"])
    check_encryption(call, asked.get("encryptionConfig"))
    access = asked.get("accessConfig") or {}
    mode = access.get("authenticationMode", "CONFIG_MAP")
    if mode == "CONFIG_MAP" and access.get("bootstrapClusterCreatorAdminPermissions") is False:
        raise eks.invalid("bootstrapClusterCreatorAdminPermissions must be true if cluster "
                          "authentication mode is set to CONFIG_MAP")
    return check_network(call, asked["resourcesVpcConfig"])


@handler("eks", "CreateCluster")
def create_cluster(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    subnets = check_create(call)
    cluster = build(call, subnets)
    call.store.table("eks.cluster")[cluster["name"]] = cluster
    occupy_network(call, cluster, subnets)
    kubernetes.begin(call, cluster)
    call.lab.later("eks.cluster.create", lambda: become_active(call, cluster),
                   lambda: kubernetes.settled(call, cluster))
    kit.remember_request(call, "clientRequestToken", lambda: {"cluster": cluster})
    return {"cluster": cluster}


def build(call, subnets):
    asked = call.params
    name, config = asked["name"], asked["resourcesVpcConfig"]
    version = asked.get("version") or eks.CALENDAR["default"]
    access = {"authenticationMode": "CONFIG_MAP", **(asked.get("accessConfig") or {})}
    access.setdefault("bootstrapClusterCreatorAdminPermissions", True)
    address = {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4",
               **(asked.get("kubernetesNetworkConfig") or {})}
    return {
        "name": name, "arn": call.arn("eks", f"cluster/{name}"), "createdAt": kit.now(call),
        "version": version, "platformVersion": eks.VERSIONS[version]["platform"],
        "roleArn": asked["roleArn"], "status": "CREATING", "tags": dict(asked.get("tags") or {}),
        "health": {"issues": []}, "kubernetesNetworkConfig": address,
        "resourcesVpcConfig": {
            "subnetIds": list(config["subnetIds"]),
            "securityGroupIds": list(config.get("securityGroupIds") or []),
            "vpcId": subnets[0].vpc_id,
            "endpointPublicAccess": config.get("endpointPublicAccess", True),
            "endpointPrivateAccess": config.get("endpointPrivateAccess", False),
            "publicAccessCidrs": public_cidrs(config)},
        "logging": logging_of(asked.get("logging")),
        "encryptionConfig": asked.get("encryptionConfig"),
        "accessConfig": {key: value for key, value in access.items()
                         if key == "authenticationMode"},
        "_bootstrap": access["bootstrapClusterCreatorAdminPermissions"],
        "_creator": call.caller.principal if access["authenticationMode"] == "CONFIG_MAP"
        else None,
        "upgradePolicy": {"supportType": "EXTENDED", **(asked.get("upgradePolicy") or {})},
        "deletionProtection": asked.get("deletionProtection", False),
        "zonalShiftConfig": asked.get("zonalShiftConfig"),
        "computeConfig": asked.get("computeConfig"), "storageConfig": asked.get("storageConfig"),
        "remoteNetworkConfig": asked.get("remoteNetworkConfig"),
        "controlPlaneScalingConfig": asked.get("controlPlaneScalingConfig") or {
            "tier": "standard"},
    }


def public_cidrs(config):
    if config.get("endpointPublicAccess") is False:
        return []
    return list(config.get("publicAccessCidrs") or ["0.0.0.0/0"])


def logging_of(asked, before=()):
    """AWS answers one entry of enabled types and one of the rest."""
    enabled = set(before)
    for entry in (asked or {}).get("clusterLogging") or []:
        types = set(entry.get("types") or [])
        enabled = enabled | types if entry.get("enabled") else enabled - types
    rows = []
    for flag in (True, False):
        types = [name for name in LOG_TYPES if (name in enabled) == flag]
        if types:
            rows.append({"types": types, "enabled": flag})
    return {"clusterLogging": rows}


def enabled_logs(cluster):
    return {name for row in cluster["logging"]["clusterLogging"] if row["enabled"]
            for name in row["types"]}


def occupy_network(call, cluster, subnets):
    """EKS makes the cluster security group and its own interfaces in your subnets."""
    name, config = cluster["name"], cluster["resourcesVpcConfig"]
    ec2 = call.backend("ec2")
    tags = {f"kubernetes.io/cluster/{name}": "owned", "aws:eks:cluster-name": name,
            "Name": f"eks-cluster-sg-{name}-{kit.digits(9)}"}
    group = ec2.create_security_group(
        tags["Name"], "EKS created security group applied to ENI that is attached to EKS Control "
        "Plane master nodes, as well as any managed workloads.", config["vpcId"], tags=tags)
    ec2.authorize_security_group_ingress(
        group.id, "-1", None, None, [], source_groups=[{"GroupId": group.id}],
        vpc_id=config["vpcId"])
    config["clusterSecurityGroupId"] = group.id
    zones = {subnet.availability_zone: subnet for subnet in reversed(subnets)}
    cluster["_interfaces"] = [
        kit.network_interface(call, subnet, [group.id, *config["securityGroupIds"]],
                              f"Amazon EKS {name}")
        for subnet in list(zones.values())[:2]]


def become_active(call, cluster):
    if cluster["status"] != "CREATING":
        return
    plane = kubernetes.plane_of(call, cluster)
    if plane and plane.error:
        cluster["status"] = "FAILED"
        cluster["health"]["issues"] = [{"code": "InternalFailure", "message": str(plane.error),
                                        "resourceIds": []}]
        return
    cluster.update(status="ACTIVE", **kubernetes.facts(call, cluster))
    if cluster["_bootstrap"] and cluster["accessConfig"]["authenticationMode"] != "CONFIG_MAP":
        add_entry(call, cluster, call.caller.principal, policies=[
            "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"])
    need_log_group(call, cluster)


def need_log_group(call, cluster):
    """EKS makes the log group itself when none is there. Source: control-plane-logs.html."""
    name = f"/aws/eks/{cluster['name']}/cluster"
    logs = call.backend("logs")
    if enabled_logs(cluster) and name not in logs.groups:
        logs.create_log_group(name, {})


@handler("eks", "DescribeCluster")
def describe_cluster(call):
    return {"cluster": eks.cluster_of(call)}


@handler("eks", "ListClusters")
def list_clusters(call):
    names, token = kit.page(call, list(call.store.table("eks.cluster")))
    return {"clusters": names, "nextToken": token}


@handler("eks", "DeleteCluster")
def delete_cluster(call):
    cluster = eks.cluster_of(call)
    name = cluster["name"]
    if cluster["status"] in ("CREATING", "UPDATING", "DELETING"):
        raise eks.in_use(f"Cannot delete because cluster {name} currently has an update in "
                         "progress", clusterName=name)
    if cluster["deletionProtection"]:
        raise eks.bad_request(f"Cannot delete cluster {name} because deletion protection is "
                              "enabled", clusterName=name)
    for kind in ("nodegroup", "fargate_profile"):
        if eks.members(call, kind, name):
            raise eks.in_use(f"Cluster has {kind.replace('_', ' ')}s attached", clusterName=name)
    cluster["status"] = "DELETING"
    call.lab.later("eks.cluster.delete", lambda: gone(call, cluster))
    return {"cluster": cluster}


def gone(call, cluster):
    name = cluster["name"]
    kubernetes.end(call, cluster)
    kit.drop_interfaces(call, cluster["_interfaces"])
    ec2 = call.backend("ec2")
    group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    groups = ec2.groups[cluster["resourcesVpcConfig"]["vpcId"]]
    if group in groups:
        ec2.delete_security_group(group_id=group)
    for kind in ("addon", "access_entry", "association"):
        table = call.store.table(f"eks.{kind}")
        for key in [key for key in table if key[0] == name]:
            del table[key]
    del call.store.table("eks.cluster")[name]
