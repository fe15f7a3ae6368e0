# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where Kubernetes objects name each other, and where they hold quantities, as data."""
from __future__ import annotations

DEPENDS_ON = "config.kubernetes.io/depends-on"
RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
CRD = "CustomResourceDefinition.apiextensions.k8s.io"
EACH = "[containers, initContainers, ephemeralContainers][][]"
# What a pod's specification names: (JMESPath of names, kind of what is named).
IN_PODS = (
    ("serviceAccountName", "ServiceAccount"),
    ("priorityClassName", "PriorityClass.scheduling.k8s.io"),
    ("runtimeClassName", "RuntimeClass.node.k8s.io"),
    ("imagePullSecrets[].name", "Secret"),
    ("volumes[].secret.secretName", "Secret"),
    ("volumes[].projected.sources[].secret.name", "Secret"),
    (f"{EACH}.envFrom[].secretRef.name", "Secret"),
    (f"{EACH}.env[].valueFrom.secretKeyRef.name", "Secret"),
    ("volumes[].configMap.name", "ConfigMap"),
    ("volumes[].projected.sources[].configMap.name", "ConfigMap"),
    (f"{EACH}.envFrom[].configMapRef.name", "ConfigMap"),
    (f"{EACH}.env[].valueFrom.configMapKeyRef.name", "ConfigMap"),
    ("volumes[].persistentVolumeClaim.claimName", "PersistentVolumeClaim"),
    ("resourceClaims[].resourceClaimTemplateName", "ResourceClaimTemplate.resource.k8s.io"),
)
# What other kinds name.
NAMED = {
    f"RoleBinding.{RBAC}": (("[roleRef][?kind=='Role'].name", f"Role.{RBAC}"),
                            ("[roleRef][?kind=='ClusterRole'].name", f"ClusterRole.{RBAC}")),
    f"ClusterRoleBinding.{RBAC}": (("roleRef.name", f"ClusterRole.{RBAC}"),),
    "PersistentVolumeClaim": (("spec.storageClassName", "StorageClass.storage.k8s.io"),),
    "PersistentVolume": (("spec.storageClassName", "StorageClass.storage.k8s.io"),),
    "Ingress.networking.k8s.io": (("spec.ingressClassName", "IngressClass.networking.k8s.io"),),
    "StatefulSet.apps": (("spec.serviceName", "Service"),),
}
# What a chart may take for granted in its namespace, or anywhere.
GRANTED = ("ConfigMap", "Secret", "ServiceAccount", CRD, "PriorityClass.scheduling.k8s.io",
           "StorageClass.storage.k8s.io", "RuntimeClass.node.k8s.io", "ResourceQuota", "LimitRange")
# What rules over the pods of a namespace, so that no pod may come before it.
RULES = ("ResourceQuota", "LimitRange", "NetworkPolicy.networking.k8s.io")
BINDINGS = (f"RoleBinding.{RBAC}", f"ClusterRoleBinding.{RBAC}")
# Kinds that make the server itself call a service, and where they name it.
CALLS = {
    f"ValidatingWebhookConfiguration.{ADMISSION}": "webhooks[].clientConfig.service",
    f"MutatingWebhookConfiguration.{ADMISSION}": "webhooks[].clientConfig.service",
    "APIService.apiregistration.k8s.io": "[spec.service]",
    CRD: "[spec.conversion.webhook.clientConfig.service]",
}
# Where quantities are, as paths of compare.flat: in a pod's specification, and in other kinds.
# https://kubernetes.io/docs/reference/kubernetes-api/
ANY = r"[.\[].+"
REQUESTS = rf"resources\.(requests|limits){ANY}"
OF_PODS = (rf"((containers|initContainers)\[[^]]+\]\.)?{REQUESTS}|"
           rf"volumes.+\.(emptyDir\.sizeLimit|ephemeral\.volumeClaimTemplate\.spec\.{REQUESTS})")
QUANTITIES = {
    "PersistentVolumeClaim": rf"spec\.{REQUESTS}",
    "StatefulSet.apps": rf"spec\.volumeClaimTemplates\[[^]]+\]\.spec\.{REQUESTS}",
    "PersistentVolume": rf"spec\.capacity{ANY}",
    "ResourceQuota": rf"spec\.hard{ANY}",
    "LimitRange": rf"spec\.limits\[\d+\]\.(default|defaultRequest|max|min|"
                  rf"maxLimitRequestRatio){ANY}",
    "HorizontalPodAutoscaler.autoscaling":
        r"spec\.metrics\[\d+\]\.\w+\.target\.(averageValue|value)",
}
