"""EKS changes in place: API_UpdateClusterConfig, API_UpdateClusterVersion,
API_AssociateEncryptionConfig. One kind of change a call, one update at a time."""

from lab import kit
from lab.extensions import eks_clusters as clusters
from lab.extensions import eks_kubernetes as kubernetes
from lab.extensions import eks_shared as eks
from lab.registry import handler

MODES = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]
SIMPLE = {  # parameter -> (type of the update, type of its parameter)
    "upgradePolicy": ("UpgradePolicyUpdate", "UpgradePolicy"),
    "deletionProtection": ("DeletionProtectionUpdate", "DeletionProtection"),
    "zonalShiftConfig": ("ZonalShiftConfigUpdate", "ZonalShiftConfig"),
    "remoteNetworkConfig": ("RemoteNetworkConfigUpdate", "RemoteNetworkConfig"),
    "controlPlaneScalingConfig": ("ControlPlaneScalingConfigUpdate", "UpdatedTier"),
    "computeConfig": ("AutoModeUpdate", "ComputeConfig"),
}
ENDPOINT = {"endpointPublicAccess": "EndpointPublicAccess",
            "endpointPrivateAccess": "EndpointPrivateAccess",
            "publicAccessCidrs": "PublicAccessCidrs"}
# How many minors kubelets may lag behind. Source: kubernetes.io/releases/version-skew-policy.
KUBELET_SKEW = 3


@handler("eks", "UpdateClusterConfig")
def update_config(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    cluster = eks.cluster_of(call)
    parts = [key for key in call.params if key not in ("name", "clientRequestToken")]
    network = call.params.get("resourcesVpcConfig") or {}
    kinds = len(parts) + (bool(set(network) & set(ENDPOINT))
                          and bool(set(network) - set(ENDPOINT)))
    if "computeConfig" in parts:
        kinds = 1  # Auto Mode is three parameters that go together
    if kinds != 1:
        raise eks.invalid("Only one type of update can be allowed." if kinds else
                          "No changes needed: the request asks for nothing",
                          clusterName=cluster["name"])
    eks.need_active(cluster, "UpdateClusterConfig")
    change = {"resourcesVpcConfig": change_network, "logging": change_logging,
              "accessConfig": change_access}.get(parts[0], change_simple)
    return change(call, cluster, parts[0])


def change_simple(call, cluster, part):
    kind, name = SIMPLE[part]
    wanted = call.params[part]
    if isinstance(wanted, dict):
        wanted = {**(cluster.get(part) or {}), **wanted}
    if wanted == cluster.get(part):
        raise eks.invalid(f"The cluster is already at the desired configuration with {name}: "
                          f"{eks.text(wanted)}")
    if part == "upgradePolicy" and wanted["supportType"] == "STANDARD":
        if eks.support(call.lab, cluster["version"]) == "extended-support":
            raise eks.invalid("Cluster in extended support cannot be set to STANDARD")
    cluster[part] = wanted
    return eks.begin_update(call, cluster, kind, {name: wanted}, "eks.cluster.config_update")


def change_network(call, cluster, part):
    asked, live = call.params[part], cluster["resourcesVpcConfig"]
    if set(asked) & set(ENDPOINT):
        return change_endpoint(call, cluster, asked, live)
    wanted = {"subnetIds": live["subnetIds"], "securityGroupIds": live["securityGroupIds"],
              **asked}
    if all(sorted(wanted[key]) == sorted(live[key]) for key in wanted):
        raise eks.invalid("The cluster is already at the desired configuration")
    clusters.check_network(call, wanted, live["vpcId"])
    live.update({key: list(value) for key, value in wanted.items()})
    return eks.begin_update(call, cluster, "VpcConfigUpdate", {
        "Subnets": wanted["subnetIds"], "SecurityGroups": wanted["securityGroupIds"]},
        "eks.cluster.config_update")


def change_endpoint(call, cluster, asked, live):
    wanted = {key: asked.get(key, live[key]) for key in ENDPOINT}
    if wanted["endpointPublicAccess"] and not wanted["publicAccessCidrs"]:
        wanted["publicAccessCidrs"] = ["0.0.0.0/0"]
    clusters.check_endpoint(wanted)
    same = {key: sorted(value) if isinstance(value, list) else value
            for key, value in wanted.items()}
    before = {key: sorted(live[key]) if isinstance(live[key], list) else live[key]
              for key in wanted}
    if same == before:
        raise eks.invalid(
            "The cluster is already at the desired configuration with endpointPrivateAccess="
            f"{wanted['endpointPrivateAccess']}, endpointPublicAccess="
            f"{wanted['endpointPublicAccess']}, and Public Endpoint Restrictions: "
            f"{wanted['publicAccessCidrs']}")
    live.update(wanted, publicAccessCidrs=clusters.public_cidrs(wanted))
    return eks.begin_update(call, cluster, "EndpointAccessUpdate",
                            {ENDPOINT[key]: value for key, value in wanted.items()},
                            "eks.cluster.config_update")


def change_logging(call, cluster, part):
    wanted = clusters.logging_of(call.params[part], clusters.enabled_logs(cluster))
    if wanted == cluster["logging"]:
        raise eks.invalid("No changes needed for the logging config provided")
    cluster["logging"] = wanted
    return eks.begin_update(call, cluster, "LoggingUpdate", {
        "ClusterLogging": call.params[part]}, "eks.cluster.config_update",
        lambda: clusters.need_log_group(call, cluster))


def change_access(call, cluster, part):
    wanted = call.params[part].get("authenticationMode")
    now = cluster["accessConfig"]["authenticationMode"]
    if wanted == now:
        raise eks.invalid(f"The cluster is already at the desired authentication mode {now}")
    if MODES.index(wanted) < MODES.index(now) or (now, wanted) == ("CONFIG_MAP", "API"):
        raise eks.invalid(f"Unsupported authentication mode update from {now} to {wanted}")
    cluster["accessConfig"]["authenticationMode"] = wanted
    return eks.begin_update(call, cluster, "AccessConfigUpdate", {
        "AuthenticationMode": wanted}, "eks.cluster.config_update")


@handler("eks", "UpdateClusterVersion")
def update_version(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    cluster = eks.cluster_of(call)
    now, wanted = cluster["version"], call.params["version"]
    eks.need_active(cluster, "UpdateClusterVersion")
    if wanted == now:
        raise eks.invalid(f"The cluster is already at version {now}", clusterName=cluster["name"])
    eks.need_version(call.lab, wanted)
    if eks.minor(wanted) != (eks.minor(now)[0], eks.minor(now)[1] + 1):
        raise eks.invalid(f"Unsupported Kubernetes minor version update from {now} to {wanted}",
                          clusterName=cluster["name"])
    check_skew(call, cluster, wanted)
    kubernetes.upgrade(call, cluster, wanted)

    def finish():
        cluster.update(version=wanted, platformVersion=eks.VERSIONS[wanted]["platform"])

    return eks.begin_update(call, cluster, "VersionUpdate", {
        "Version": wanted, "PlatformVersion": eks.VERSIONS[wanted]["platform"]},
        "eks.cluster.version_update", finish)


def check_skew(call, cluster, wanted):
    """Source: userguide/update-cluster.html: nodes must not be too old for the control plane."""
    for name, group in eks.members(call, "nodegroup", cluster["name"]).items():
        if eks.minor(wanted)[1] - eks.minor(group["version"])[1] > KUBELET_SKEW:
            raise eks.invalid(f"Nodegroups {name} must be updated to a newer Kubernetes version "
                              f"before updating cluster version to {wanted}")


@handler("eks", "AssociateEncryptionConfig")
def associate_encryption(call):
    known = kit.same_request(call, "clientRequestToken", eks.token_mismatch())
    if known:
        return known
    cluster = eks.cluster_of(call)
    if cluster["encryptionConfig"]:
        raise eks.in_use("Encryption configuration is already associated with the cluster",
                         clusterName=cluster["name"])
    eks.need_active(cluster, "AssociateEncryptionConfig")
    clusters.check_encryption(call, call.params["encryptionConfig"])
    cluster["encryptionConfig"] = call.params["encryptionConfig"]
    return eks.begin_update(call, cluster, "AssociateEncryptionConfig", {
        "EncryptionConfig": call.params["encryptionConfig"]}, "eks.cluster.encryption_update")
