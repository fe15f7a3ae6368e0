"""What the EBS CSI driver makes of PersistentVolumeClaims: an EBS volume and a PersistentVolume.

Sources: github.com/kubernetes-sigs/aws-ebs-csi-driver, docs/tagging.md and pkg/driver/constants.go
(the add-on of EKS sets k8s-tag-cluster-id); kubernetes.io/docs/concepts/storage/persistent-volumes.
Nothing is attached: nodes have no instances here.
"""

import json

from lab.extensions.eks_controllers import Program, program
from lab.kube.api import ApiError

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
CLAIMS, VOLUMES = "/api/v1/persistentvolumeclaims", "/api/v1/persistentvolumes"
DRIVER, ZONE = "ebs.csi.aws.com", "topology.kubernetes.io/zone"
ASKED = "volume.kubernetes.io/storage-provisioner"
NODE = "volume.kubernetes.io/selected-node"
BY = "pv.kubernetes.io/provisioned-by"
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
UNITS = {"Ki": 2 ** 10, "Mi": 2 ** 20, "Gi": 2 ** 30, "Ti": 2 ** 40, "k": 10 ** 3, "M": 10 ** 6,
         "G": 10 ** 9, "T": 10 ** 12}


def gibibytes(quantity):
    """A Kubernetes quantity, rounded up to whole GiB."""
    unit = next((name for name in UNITS if quantity.endswith(name)), "")
    size = float(quantity.removesuffix(unit)) * UNITS.get(unit, 1)
    return max(1, int(-(-size // 2 ** 30)))


@program
class Volumes(Program):
    """The driver's controller with its provisioner."""

    name = addon = "aws-ebs-csi-driver"

    def look(self):
        claims = [item for item in self.listed(CLAIMS)
                  if notes(item).get(ASKED) == DRIVER and not item["spec"].get("volumeName")
                  and "deletionTimestamp" not in item["metadata"]]
        classes = {item["metadata"]["name"]: item
                   for item in (self.listed(CLASSES) if claims else ())}
        for item in claims:
            kind = classes.get(item["spec"].get("storageClassName"))
            if kind and (kind.get("volumeBindingMode") == "Immediate" or NODE in notes(item)):
                self.provision(item, kind)
        for item in self.listed(VOLUMES):
            if notes(item).get(BY) == DRIVER and item["spec"][
                    "persistentVolumeReclaimPolicy"] == "Delete" \
                    and item["status"].get("phase") == "Released":
                self.reclaim(item)

    def provision(self, claim, kind):
        meta, spec = claim["metadata"], claim["spec"]
        name, given = f"pvc-{meta['uid']}", kind.get("parameters") or {}
        size = gibibytes(spec["resources"]["requests"]["storage"])
        zone = self.zone(notes(claim).get(NODE))
        with self.account():
            volume = self.volume(name, size, zone, given, meta)
        self.api.post(VOLUMES, {
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {BY: DRIVER}, "finalizers": [FINALIZER]},
            "spec": {"capacity": {"storage": f"{size}Gi"}, "accessModes": spec["accessModes"],
                     "volumeMode": spec.get("volumeMode", "Filesystem"),
                     "persistentVolumeReclaimPolicy": kind.get("reclaimPolicy", "Delete"),
                     "storageClassName": kind["metadata"]["name"],
                     "csi": {"driver": DRIVER, "volumeHandle": volume,
                             "fsType": given.get("csi.storage.k8s.io/fstype", "ext4")},
                     "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                                  "namespace": meta["namespace"], "name": meta["name"],
                                  "uid": meta["uid"]},
                     "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                         {"key": ZONE, "operator": "In", "values": [zone]}]}]}}}})

    def zone(self, node):
        """Of the node that the scheduler has chosen, else of any."""
        if node:
            return self.api.get(f"/api/v1/nodes/{node}")["metadata"]["labels"][ZONE]
        with self.account():
            ids = self.cluster["resourcesVpcConfig"]["subnetIds"]
            subnets = self.call.backend("ec2").subnets
            return next(zone for zone, found in subnets.items() if set(ids) & set(found))

    def volume(self, name, size, zone, given, claim):
        """Its id; the one of that name, where a server's answer was lost."""
        backend, cluster = self.call.backend("ec2"), self.cluster["name"]
        for key, tags in backend.tags.items():
            if key in backend.volumes and tags.get("CSIVolumeName") == name:
                return key
        encrypted = given.get("encrypted") == "true"
        volume = backend.create_volume(
            size, zone, encrypted=encrypted, volume_type=given.get("type", "gp3"),
            kms_key_id=given.get("kmsKeyId") or ("alias/aws/ebs" if encrypted else None))
        volume.add_tags({
            **self.more(), "CSIVolumeName": name, "ebs.csi.aws.com/cluster": "true",
            f"kubernetes.io/cluster/{cluster}": "owned", "KubernetesCluster": cluster,
            "ebs.csi.aws.com/cluster-name": cluster, "Name": f"{cluster}-dynamic-{name}",
            "kubernetes.io/created-for/pvc/name": claim["name"],
            "kubernetes.io/created-for/pvc/namespace": claim["namespace"],
            "kubernetes.io/created-for/pv/name": name})
        return volume.id

    def more(self):
        """The tags that its add-on is told, which become --extra-tags."""
        values = json.loads((self.installed() or {}).get("configurationValues") or "{}")
        return (values.get("controller") or {}).get("extraVolumeTags") or {}

    def reclaim(self, item):
        path = f"{VOLUMES}/{item['metadata']['name']}"
        with self.account():
            backend, key = self.call.backend("ec2"), item["spec"]["csi"]["volumeHandle"]
            if key in backend.volumes:
                backend.delete_volume(key)
                backend.tags.pop(key, None)
        self.api.delete(path)
        try:
            found = self.api.get(path)["metadata"].get("finalizers") or []
            self.finalizers(path, [name for name in found if name != FINALIZER])
        except ApiError as error:
            if error.status != 404:
                raise


def notes(item):
    return item["metadata"].get("annotations") or {}
