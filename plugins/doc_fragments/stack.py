# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that all modules of the collection share."""


class ModuleDocFragment:
    """`groundwork.aws.stack`: which stack, and what a run may do to it."""

    DOCUMENTATION = r"""
options:
  product:
    description:
      - What the team ships. With O(environment) it names the stack, C(product-environment), which
        is the prefix of names and the owner in the tag C(groundwork:stack).
    type: str
    required: true
  environment:
    description:
      - The environment of the stack, such as V(dev), V(staging), V(prod) or V(shared).
    type: str
    required: true
  aws_account_id:
    description:
      - The account of the stack, 12 digits. Credentials of another account are refused.
      - Without it the caller's account is taken.
    type: str
  stack_tags:
    description:
      - Tags for every object, beside C(Project), C(Environment), C(Component), C(ManagedBy),
        C(Name) and the two by which the collection finds its objects, C(groundwork:stack) and
        C(groundwork:key).
    type: dict
    default: {}
  state:
    description:
      - V(present) makes live equal to the options. V(absent) removes everything of the stack that
        is found, wanted or not; it needs O(confirm_destroy).
    type: str
    choices: [present, absent]
    default: present
  confirm_destroy:
    description:
      - The name of the stack, typed again, without which O(state=absent) removes nothing.
    type: str
  prune:
    description:
      - Remove what carries the stack's tags and is no longer wanted. It is always shown in the
        plan.
      - What holds data is only removed when O(allow_data_loss) names it.
    type: bool
    default: false
  adopt:
    description:
      - Keys of objects that exist under the wanted name without the stack's tags, to be taken over.
    type: list
    elements: str
    default: []
  allow_replace:
    description:
      - Keys (or patterns with C(*)) of objects that may be replaced when an option cannot be
        changed in place.
    type: list
    elements: str
    default: []
  allow_data_loss:
    description:
      - Keys of objects that hold data and may be deleted or replaced all the same.
    type: list
    elements: str
    default: []
  lease_bucket:
    description:
      - S3 bucket for the lease that keeps two runs from changing one stack at a time. It is made
        when it is not there and stays, for all stacks of the account.
      - Default is C(groundwork-leases-ACCOUNT-REGION).
    type: str
  lease_takeover:
    description:
      - Take the lease from a holder that is known to be dead. An expired lease (10 minutes without
        renewal), or one of a process of this machine that no longer runs, is taken over without it.
    type: bool
    default: false
  waivers:
    description:
      - Findings of the validator to let pass. The key is the finding's id, the value a dictionary
        with C(reason) and C(until) (a date, C(YYYY-MM-DD)). All findings are in
        C(docs/findings.md).
      - One that has expired, has no reason or names no finding is itself an error.
    type: dict
    default: {}
  production:
    description:
      - Whether customers use the stack; the validator then warns of what only a trial may do, such
        as deletion protection that is off.
    type: bool
    default: false
  capacity:
    description:
      - What is to run in the cluster, for the validator alone. It adds it up against the nodes.
    type: dict
    suboptions:
      pods:
        description:
          - Name to a dictionary with C(nodegroup) (the group that they run on), C(replicas)
            (default 1), C(cpu) and C(memory) (requests of each, such as V(500m) and V(2Gi)).
        type: dict
        default: {}
      gpu_limit:
        description:
          - GPUs at which the pools of nodes stop, such as the limit of Karpenter's NodePool.
          - Without it the node groups at their most are counted.
        type: int
      gpu_quotas:
        description: Namespace to the GPUs that its quota allows.
        type: dict
        default: {}
  plan_file:
    description:
      - Where to write the plan as JSON. It holds no secret, for no plan does.
      - On the connection C(local) a relative path begins where Ansible was started.
    type: path
requirements:
  - python >= 3.11
  - boto3
  - jmespath
attributes:
  check_mode:
    description:
      - Check mode is the plan. It reads, and sends no write call.
      - That of one component alone goes on, with a warning, without what others are still to make.
    support: full
  diff_mode:
    description: Shows each changed field of each object, before and after.
    support: full
notes:
  - Calls are made side by side, within the rates that AWS publishes for each API action.
"""
