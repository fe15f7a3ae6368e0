#!/usr/bin/python
# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module groundwork.aws.k8s_applyset."""
from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_applyset
short_description: A named set of Kubernetes objects and Helm releases, in one graph
version_added: 0.2.0
description:
  - Plans and converges objects of a cluster, by server-side apply with the field manager
    C(groundwork), and Helm releases. All are one graph in one process. An object comes after its
    namespace, its definition, what its pods name, and what the annotation
    C(config.kubernetes.io/depends-on) names. What a webhook guards comes after the webhook answers.
  - The difference that the plan shows is the answer of the server's own dry run.
  - Fields that the annotation C(groundwork.aws/only-at-creation) of an object names, such as
    C(spec.replicas), count when it is made; then they belong to whoever changes them.
  - The set is an ApplySet (KEP-3659). A ConfigMap of its name is the parent, and each member has
    the label C(applyset.kubernetes.io/part-of), so that C(kubectl) can list them.
  - A run waits until each object is ready, by the rules of its kind. What is not in time says why,
    by its conditions, its pods and the events of its namespace.
  - A plan warns of Secrets that the pods of what it changes need, and that neither the cluster nor
    anything in the set has or makes. It lists the names of Secrets for that, if the caller may.
author: groundwork.aws contributors (@groundwork-aws)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
options:
  name:
    description: Name of the set and of its parent, one for each role or service.
    type: str
    required: true
  namespace:
    description: Namespace of the parent. It must be there; members may be in any.
    type: str
    default: default
  objects:
    description:
      - Manifests of the objects, as C(kubectl) takes them. Lists (C(kind) V(List)) are taken apart.
      - What a Secret holds is in no plan, difference, result or log.
      - A value in C(stringData) of a Secret may be a dictionary of C(secretsmanager), the name of a
        secret of AWS Secrets Manager, and C(key), where that is a JSON object. The module reads it
        by itself, so that no variable ever holds it.
    type: list
    elements: dict
    default: []
  releases:
    description:
      - Helm releases, installed and upgraded by the C(helm) program. A failed upgrade is rolled
        back. A release that a dead run has left pending or half removed is taken up again.
      - One that somebody else has left so is waited for until that is older than
        O(releases[].timeout), and than five minutes, for they may be at it.
      - What is there is read from Helm's own Secrets; where nothing differs C(helm) is not run.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the release.
        type: str
        required: true
      namespace:
        description: Its namespace. Put it into O(objects), or have it there before.
        type: str
        default: default
      chart:
        description:
          - Name of the chart in O(releases[].repo), an address such as
            C(oci://registry.example.com/charts/web), or a folder on this machine.
        type: str
        required: true
      repo:
        description: Address of the chart's repository.
        type: str
      version:
        description:
          - Exact version of the chart. Only for a folder it may be left out, then it is what the
            folder's C(Chart.yaml) says. A change of the folder without another version is not seen.
        type: str
      values:
        description: Values for the chart, on top of its own.
        type: dict
        default: {}
      secret_values:
        description: More values, on top of those, which are in no plan, difference, result or log.
        type: dict
        default: {}
      needs:
        description:
          - Names of releases of the set that must be there before. It comes after the settings,
            accounts, secrets, classes and definitions of the set by itself.
        type: list
        elements: str
        default: []
      timeout:
        description: Seconds that an installation or upgrade may take. Default is 300.
        type: int
  helm_binary:
    description: The C(helm) program, version 3.14 or newer. Needed only when a release changes.
    type: path
    default: helm
  product:
    description:
      - The product of the stack whose EKS cluster is meant, with O(environment). The token is made
        in the process; no kubeconfig is read or written.
    type: str
  environment:
    description: The environment of the stack.
    type: str
  aws_account_id:
    description: The account of the stack. Credentials of another account are refused.
    type: str
  cluster:
    description: Name of the EKS cluster. Default is C(PRODUCT-ENVIRONMENT-eks).
    type: str
  kubeconfig:
    description:
      - A kubeconfig, for clusters that are no stack's.
      - Where only O(context) is given it is E(KUBECONFIG), else C(~/.kube/config).
    type: path
  context:
    description: A context of the kubeconfig. Default is its current one.
    type: str
  state:
    description:
      - V(present) makes live equal to O(objects). V(absent) removes everything that carries the
        set's label, in the reverse order, and waits until it is gone.
    type: str
    choices: [present, absent]
    default: present
  prune:
    description:
      - Remove what carries the set's label and is no longer in it. It is always shown in the plan.
      - What holds data (StatefulSets, claims and volumes, namespaces, definitions) is only removed
        when O(allow_data_loss) names it.
    type: bool
    default: true
  adopt:
    description: Keys of objects that are there without the set's label, to be taken over.
    type: list
    elements: str
    default: []
  force_conflicts:
    description:
      - Keys of objects whose fields are taken over from other field managers, such as C(kubectl),
        and of releases for whose objects Helm 4 is to do so.
      - A wanted field that has another value and belongs to somebody else is in the plan, with its
        owner. Without this option check mode warns of it, and a run refuses before it writes.
    type: list
    elements: str
    default: []
  allow_replace:
    description:
      - Keys (or patterns with C(*)) of objects that may be deleted and made again when a field
        cannot be changed in place.
    type: list
    elements: str
    default: []
  allow_data_loss:
    description:
      - Keys of objects that hold data and may be deleted or replaced all the same.
    type: list
    elements: str
    default: []
  lease_takeover:
    description:
      - Take the lease (C(groundwork-NAME) beside the parent) from a holder that is known to be
        dead. An expired one, or one of a process of this machine that no longer runs, is taken over
        without it.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that an object may take to become ready, or to go. Default is four times what its
        kind usually takes, at least 600.
    type: int
  plan_file:
    description:
      - Where to write the plan as JSON. It holds no secret.
      - On the connection C(local) a relative path begins where Ansible was started.
    type: path
requirements:
  - python >= 3.11
  - boto3
  - jmespath
  - PyYAML
  - urllib3
  - Kubernetes 1.30 or newer
attributes:
  check_mode:
    description:
      - Check mode is the plan. It reads and asks for dry runs, and writes nothing.
      - A cluster that is still to be made has nothing; everything is planned as a create.
    support: full
  diff_mode:
    description: Shows each changed value of each object, before and after.
    support: full
notes:
  - The key of an object is C(SET/KIND/NAMESPACE:NAME), or C(SET/KIND/NAME) for what is in no
    namespace. Kinds of other groups than Kubernetes' own have the group behind them, such as
    C(nodepool.karpenter.sh). That of a release is C(SET/release/NAMESPACE:NAME).
"""

EXAMPLES = r"""
- name: Converge what a service needs
  groundwork.aws.k8s_applyset:
    name: api
    kubeconfig: kubeconfig
    objects:
      - apiVersion: v1
        kind: Namespace
        metadata: {name: api}
      - apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, namespace: api}
        data: {level: info}

- name: Converge a release with what it needs
  groundwork.aws.k8s_applyset:
    name: web
    kubeconfig: kubeconfig
    objects:
      - apiVersion: v1
        kind: Namespace
        metadata: {name: web}
    releases:
      - name: web
        namespace: web
        chart: charts/web
        version: 1.2.3
        values: {replicas: 2}
        secret_values: {password: "{{ web_password | default('unset') }}"}
  check_mode: true

- name: Show what the templates of a role would change on the stack's cluster
  groundwork.aws.k8s_applyset:
    name: tenancy
    product: sentineltranslate
    environment: dev
    region: us-east-1
    objects: "{{ lookup('ansible.builtin.template', 'tenancy.yml.j2') | from_yaml_all }}"
  check_mode: true
  diff: true

- name: Remove the set, with the namespace and all that is in it
  groundwork.aws.k8s_applyset:
    name: api
    kubeconfig: kubeconfig
    state: absent
    allow_data_loss: [api/namespace/api]
"""

RETURN = r"""
stack:
  description: The cluster, as the options name it.
  returned: whenever a plan could be made
  type: str
  sample: EKS cluster sentineltranslate-dev-eks
applyset:
  description: The value of the label of all members.
  returned: whenever a plan could be made
  type: str
  sample: applyset-39hsndou6O7sgdGxTjihtB0DNBjABcL8ifVLYZb2r-Q-v1
plan:
  description: What the run does, or in check mode would do, in the order of the graph.
  returned: whenever a plan could be made
  type: list
  elements: dict
  contains:
    key: {description: Key of the object or release., type: str}
    type: {description: Its kind., type: str}
    action: {description: "One of create, update, replace, delete, keep.", type: str}
    impact:
      description: "One of none, in place, rolling, replace, downtime, data loss."
      type: str
    expected_seconds: {description: How long it usually takes., type: int}
    before: {description: "Live values of what changes, by their paths.", type: dict}
    after: {description: "Values that the server would store, by their paths.", type: dict}
    unknown: {description: Fields that only the run can tell., type: list, elements: str}
    reason: {description: Why an object that nobody changed is replaced or deleted., type: str}
    about: {description: "What is to be made, or how it is called that goes.", type: str}
    owners: {description: "Field managers of what would be taken from them, by its path.",
             type: dict}
summary:
  description: Number of objects per action.
  returned: whenever a plan could be made
  type: dict
  sample: {create: 3, update: 0, replace: 0, delete: 0, keep: 0}
left_over:
  description: Keys of objects that carry the set's label, are no longer in it, and stay.
  returned: whenever a plan could be made
  type: list
  elements: str
outputs:
  description:
    - What is worth knowing of each object, by key. Of a Job that has ended it is C(message), the
      termination message of its pod.
  returned: whenever a plan could be made
  type: dict
calls:
  description: Requests of the run; dry runs are reads.
  returned: whenever a plan could be made
  type: dict
  sample: {reads: 12, writes: 0}
expected_seconds:
  description: How long the whole run usually takes.
  returned: whenever a plan could be made
  type: int
outcomes:
  description:
    - What became of each change, by its step; empty in check mode. Each has C(state) (V(done),
      V(failed) or V(skipped)), C(why) and C(seconds).
  returned: whenever a plan could be made
  type: dict
  sample: {api/configmap/api:settings: {state: done, why: "", seconds: 0.1}}
problems:
  description: The lines of C(msg), a problem each.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.groundwork.aws.plugins.module_utils.run_applyset import applyset_module


def main():
    """Converges the set."""
    applyset_module()


if __name__ == "__main__":
    main()
