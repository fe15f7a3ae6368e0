"""The command lines and configuration files of a control plane's parts: data, but for names.

Sources: kubernetes.io/docs/reference/command-line-tools-reference, etcd.io/docs (configuration),
kwok.sigs.k8s.io/docs. Admission plugins: userguide/platform-versions.html.
"""

ADMISSION = "NodeRestriction,ExtendedResourceToleration"  # beyond Kubernetes' own defaults
# What EKS's own issuer writes into tokens that ask for no audience.
AUDIENCE = "https://kubernetes.default.svc"
# How long answers about callers may be old: an access entry that goes, goes soon.
WEBHOOK_SECONDS = "1s"
MANAGED = "kwok.x-k8s.io/node=fake"  # the annotation of nodes that KWOK keeps alive
OLDEST_MINOR = 32  # that a 1.35 API server can pretend to be (its --emulated-version)


def flags(**values):
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def etcd(cluster):
    client, peer = (f"http://127.0.0.1:{cluster.ports[name]}" for name in ("etcd", "etcd peer"))
    return [*flags(
        data_dir=cluster.folder / "etcd", listen_client_urls=client, advertise_client_urls=client,
        listen_peer_urls=peer, initial_advertise_peer_urls=peer, initial_cluster=f"default={peer}",
        log_level="error"), "--unsafe-no-fsync"]


def apiserver(cluster):
    file = cluster.folder
    return [*flags(
        etcd_servers=f"http://127.0.0.1:{cluster.ports['etcd']}", bind_address="127.0.0.1",
        secure_port=cluster.ports["apiserver"], endpoint_reconciler_type="none",
        tls_cert_file=file / "server.crt", tls_private_key_file=file / "server.key",
        token_auth_file=file / "tokens.csv", authorization_mode="RBAC,Webhook",
        authentication_token_webhook_config_file=file / "authenticate.json",
        authentication_token_webhook_version="v1",
        authentication_token_webhook_cache_ttl=WEBHOOK_SECONDS,
        authorization_webhook_config_file=file / "authorize.json",
        authorization_webhook_version="v1",
        authorization_webhook_cache_authorized_ttl=WEBHOOK_SECONDS,
        authorization_webhook_cache_unauthorized_ttl=WEBHOOK_SECONDS,
        service_account_issuer=cluster.issuer, service_account_jwks_uri=f"{cluster.issuer}/keys",
        service_account_signing_key_file=file / "signer.key",
        service_account_key_file=file / "signer.key", api_audiences=AUDIENCE,
        service_cluster_ip_range=cluster.options.service_cidr,
        enable_admission_plugins=ADMISSION, allow_privileged="true", profiling="false"),
        *emulated(cluster.options.version)]


def emulated(version):
    """An older minor is what this server pretends to be, in its APIs and its own version."""
    return [f"--emulated-version={version}"] if OLDEST_MINOR <= minor(version) < 35 else []


def minor(version):
    return int(version.split(".")[1])


def controllers(cluster):
    """Faster than the defaults, which are made for thousands of real machines."""
    return flags(
        kubeconfig=cluster.folder / "controllers.json", leader_elect="false", secure_port=0,
        service_account_private_key_file=cluster.folder / "signer.key",
        root_ca_file=cluster.folder / "ca.crt", use_service_account_credentials="true",
        node_monitor_period="2s", node_monitor_grace_period="45s",
        horizontal_pod_autoscaler_sync_period="2s", pvclaimbinder_sync_period="1s",
        kube_api_qps=300, kube_api_burst=600, profiling="false")


def scheduler(cluster):
    return flags(config=cluster.folder / "scheduler.json", secure_port=0)


def kwok(cluster):
    return flags(
        kubeconfig=cluster.folder / "kwok.json", config=cluster.stages,
        manage_nodes_with_annotation_selector=MANAGED, node_lease_duration_seconds=40,
        cidr="100.64.0.0/10", enable_crds="")


def karpenter(cluster):
    return flags(
        kubeconfig=cluster.folder / "karpenter.json", authority=cluster.folder / "ca.crt",
        lab=f"https://localhost:{cluster.door.port}/karpenter",
        time_scale=cluster.options.karpenter_time_scale)


def scheduler_configuration(cluster):
    return {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False}, "podMaxBackoffSeconds": 1,
            "clientConnection": {"kubeconfig": str(cluster.folder / "scheduler-login.json"),
                                 "qps": 300, "burst": 600}}


def kubeconfig(server, authority, token=None):
    """A kubeconfig as JSON, which is YAML too."""
    user = {"token": token} if token else {}
    return {"apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {
                "server": server, "certificate-authority": str(authority)}}],
            "users": [{"name": "lab", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}]}


# Who the parts are: file of the kubeconfig -> (user, groups). The roles are Kubernetes' own.
LOGINS = {
    "admin": ("lab:admin", "system:masters"),
    "controllers": ("system:kube-controller-manager", ""),
    "scheduler-login": ("system:kube-scheduler", ""),
    "kwok": ("lab:kwok", "system:masters"),
    "karpenter": ("lab:karpenter", "system:masters"),
}
# Part -> (program, its first arguments, its command line).
FIRST = {"etcd": ("control", ["etcd"], etcd),
         "apiserver": ("control", ["kube-apiserver"], apiserver)}
THEN = {"controllers": ("control", ["kube-controller-manager"], controllers),
        "scheduler": ("control", ["kube-scheduler"], scheduler), "kwok": ("kwok", [], kwok)}
LATER = {"karpenter": ("karpenter", [], karpenter)}
