# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is to know of a kind of Kubernetes objects beyond what the server tells: as data.

JMESPath throughout. A kind that is not here has the readiness of `OTHER`.
"""
from __future__ import annotations

from dataclasses import dataclass

from ..engine.resource import Impact

SEEN = "status.observedGeneration >= metadata.generation"
ZERO = "`0`"
# https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
OTHER = ("(!(status.observedGeneration) || status.observedGeneration >= metadata.generation) && "
         "!(status.conditions[?(type=='Ready' || type=='Available') && status!='True'])")


def condition(name: str, status: str = "True") -> str:
    """True when a condition has this status."""
    return f"status.conditions[?type=='{name}' && status=='{status}']"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One row of the table."""

    ready: str = OTHER
    failed: str = ""  # for good: it is deleted and made again, unless it holds data
    stateful: bool = False  # what it holds is lost with it
    pods: str = ""  # the specification of the pods that it makes
    replace: Impact = Impact.REPLACE  # what it means to delete it and to make it again
    create: float = 1  # usual seconds until it is ready


TEMPLATE = "spec.template.spec"
# Where others set the number of pods, these may wait for nodes once a first lot was there.
# https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment
OTHERS = 'metadata.annotations."groundwork.aws/only-at-creation"'
ROLLED_OUT = ("status.updatedReplicas > `0` && status.updatedReplicas == status.replicas && "
              "status.conditions[?type=='Progressing' && reason=='NewReplicaSetAvailable']")
# https://kubernetes.io/docs/reference/kubernetes-api/; readiness as `kubectl rollout status` has it
# https://github.com/kubernetes/kubectl/blob/master/pkg/polymorphichelpers/rollout_status.go
TABLE = {
    "Deployment.apps": Facts(
        ready=f"{SEEN} && (spec.paused || ("
              f"(status.updatedReplicas || {ZERO}) == spec.replicas && "
              f"(status.replicas || {ZERO}) == spec.replicas && "
              f"(status.availableReplicas || {ZERO}) == spec.replicas) || "
              f"({OTHERS} && {ROLLED_OUT}))",
        pods=TEMPLATE, replace=Impact.DOWNTIME, create=20),
    "StatefulSet.apps": Facts(
        ready=f"{SEEN} && (status.availableReplicas || {ZERO}) == spec.replicas && "
              "(spec.updateStrategy.type=='OnDelete' || "
              "spec.updateStrategy.rollingUpdate.partition > `0` || "
              "status.currentRevision == status.updateRevision)",
        pods=TEMPLATE, stateful=True, create=60),
    "DaemonSet.apps": Facts(
        ready=f"{SEEN} && (spec.updateStrategy.type=='OnDelete' || "
              f"(status.updatedNumberScheduled || {ZERO}) == status.desiredNumberScheduled) && "
              f"(status.numberAvailable || {ZERO}) == status.desiredNumberScheduled",
        pods=TEMPLATE, replace=Impact.DOWNTIME, create=20),
    "ReplicaSet.apps": Facts(
        ready=f"{SEEN} && (status.availableReplicas || {ZERO}) == spec.replicas",
        pods=TEMPLATE, replace=Impact.DOWNTIME, create=20),
    "Job.batch": Facts(
        ready=f"spec.suspend || {condition('Complete')}", failed=condition("Failed"),
        pods=TEMPLATE, create=30),
    "CronJob.batch": Facts(ready="", pods="spec.jobTemplate.spec.template.spec"),
    "Pod": Facts(
        ready=f"status.phase=='Succeeded' || {condition('Ready')}", failed="status.phase=='Failed'",
        pods="spec", replace=Impact.DOWNTIME, create=10),
    "PodTemplate": Facts(ready="", pods="template.spec"),
    # `waits` is set where it says more than the object itself does, see types/kubernetes.py.
    "PersistentVolumeClaim": Facts(
        ready="status.phase=='Bound' || !waits", failed="status.phase=='Lost'", stateful=True,
        create=10),
    "PersistentVolume": Facts(ready="", stateful=True),
    "Service": Facts(
        ready="!waits && (spec.type!='LoadBalancer' || status.loadBalancer.ingress)",
        replace=Impact.DOWNTIME),
    "Namespace": Facts(ready="status.phase=='Active'", stateful=True),
    "CustomResourceDefinition.apiextensions.k8s.io": Facts(
        ready=f"{condition('Established')} && {condition('NamesAccepted')}",
        failed=condition("NamesAccepted", "False"), stateful=True),
    "ResourceQuota": Facts(ready="status.hard"),
    # Their conditions tell of what they watch, not of themselves.
    "HorizontalPodAutoscaler.autoscaling": Facts(ready=""),
    "PodDisruptionBudget.policy": Facts(ready=""),
    "Node": Facts(ready=""),
}
PLAIN = Facts()


def facts(group_kind: str) -> Facts:
    """The row of a kind, written as ApplySets and kubectl write it: Deployment.apps."""
    return TABLE.get(group_kind, PLAIN)
