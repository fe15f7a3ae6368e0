# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bridge between AnsibleModule and the engine: options in, exit_json or fail_json out."""
from __future__ import annotations

import difflib
import json
import os
import signal

try:
    import boto3
except ImportError:  # execute() reports it
    boto3 = None

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from .clients.aws import Aws
from .clients.errors import boto
from .clients.lease import Lease
from .components.context import Stack
from .engine.apply import Run
from .engine.errors import Failure, Refused
from .engine.graph import remaining
from .engine.plan import Plan, Policy, destroy, kind_of, plan
from .engine.resource import KEY, Lookup, Resource, field_types, jmespath
from .engine.scan import Scan
from .engine.wait import Clock
from . import report, validate
from .options import checked, nearest

COMMON = dict(
    product=dict(type="str", required=True),
    environment=dict(type="str", required=True),
    aws_account_id=dict(type="str"),
    stack_tags=dict(type="dict", default={}),
    state=dict(type="str", default="present", choices=["present", "absent"]),
    confirm_destroy=dict(type="str"),
    prune=dict(type="bool", default=False),
    adopt=dict(type="list", elements="str", default=[]),
    allow_replace=dict(type="list", elements="str", default=[]),
    allow_data_loss=dict(type="list", elements="str", default=[]),
    lease_bucket=dict(type="str"),
    lease_takeover=dict(type="bool", default=False),
    **validate.OPTIONS,
    plan_file=dict(type="path"),
)
UNLISTED = ("role", "managed_policy", "instance_profile", "oidc_provider")  # no tagging API for IAM
TYPES = __name__.rpartition(".")[0] + ".types."
PROGRESS = "GROUNDWORK_PROGRESS"  # a file that the action plugin reads while the module runs


def component_module(name: str, component) -> None:
    """main() of the module of one component."""
    module = AnsibleModule({**aws_argument_spec(), **COMMON, **component.SPEC},
                           supports_check_mode=True)
    given = {option: module.params[option] for option in component.SPEC}
    execute(module, {name: component}, {name: {k: v for k, v in given.items() if v is not None}})


def stack_module(components: dict) -> None:
    """main() of the module that converges all components of a stack in one graph."""
    parts = dict(components=dict(type="dict", required=True),
                 variables=dict(type="list", elements="str", default=[]))
    module = AnsibleModule({**aws_argument_spec(), **COMMON, **parts}, supports_check_mode=True)
    given = module.params["components"]
    problems = [f"{name}: unknown component{nearest(name, components)}"
                for name in given if name not in components]
    problems += [f"variable {name}: no component has this name; did you mean {close[0]}?"
                 for name in module.params["variables"] if name not in components
                 for close in [difflib.get_close_matches(name, list(components), 1, 0.85)] if close]
    if problems:
        module.fail_json(msg="\n".join(problems), problems=problems)
    execute(module, components, given)


def execute(module: AnsibleModule, components: dict, given: dict) -> None:
    """Plans, and unless in check mode carries out, what the options want."""
    for found, library in ((boto3, "boto3"), (jmespath, "jmespath")):
        if found is None:
            module.fail_json(msg=missing_required_lib(library))
    try:
        _writable(module.params["plan_file"])
        result = Session(module, components, given).converge()
    except Refused as refused:
        module.fail_json(msg="\n".join(refused.problems), problems=refused.problems)
    except Failure as failure:
        module.fail_json(msg=str(failure), problems=[str(failure)])
    if result.pop("failed_steps"):
        module.fail_json(**result)
    module.exit_json(**result)


def _writable(path: str | None) -> None:
    if path:
        folder = os.path.dirname(os.path.abspath(path))
        if os.path.isdir(path) or not os.access(path if os.path.exists(path) else folder, os.W_OK):
            raise Refused([f"plan_file: {path} cannot be written"])


def concrete(cls=Resource) -> list:
    """All types of this collection that are loaded and have objects in AWS."""
    below = [c for sub in cls.__subclasses__() for c in concrete(sub)]
    own = not cls.external and (getattr(cls, "reads", ()) or "fetch" in vars(cls)) \
        and cls.__module__.startswith(TYPES) and cls.__name__ != "Declared"
    return below + ([cls] if own else [])


def connect(module, clock: Clock) -> Aws:
    """AWS with the credentials, region and endpoint of a module's options."""
    region, endpoint, options = get_aws_connection_info(module)
    if not region:
        raise Refused(["region: no region given; set aws_region in the stack"])
    config = options.pop("aws_config", None)
    try:
        session = boto3.session.Session(
            profile_name=options.pop("profile_name", None),
            **{k: options.pop(k) for k in list(options) if k.startswith("aws_")})
    except boto.BotoCoreError as error:
        raise Refused([f"credentials: {error}"]) from None
    more = {"config": _config(config)} if config else {}
    return Aws(session, f"{module.params['product']}-{module.params['environment']}",
               clock=clock, region_name=region, endpoint_url=endpoint, **options, **more)


def guard_account(api: Aws, wanted: str | None) -> list[str]:
    """A problem when the caller's account is not the stack's."""
    if not wanted or api.account_id == wanted:
        return []
    return [f"account: the credentials belong to account {api.account_id}, stack {api.owner} to "
            f"{wanted} (aws_account_id)"]


def info_module(_components: dict) -> None:
    """main() of the module that tells what a stack has; the components bring the types."""
    spec = {name: COMMON[name] for name in ("product", "environment", "aws_account_id")}
    module = AnsibleModule({**aws_argument_spec(), **spec}, supports_check_mode=True)
    try:
        api = connect(module, Clock())
        problems = guard_account(api, module.params["aws_account_id"])
        if problems:
            raise Refused(problems)
        scan, types = Scan(api, api.owner), concrete()
        scan.read(types)
    except Failure as failure:
        module.fail_json(msg=str(failure), problems=str(failure).splitlines())
    module.exit_json(changed=False, stack=api.owner, calls=api.counts,
                     **report.inventory(scan, types))


class Session:
    """One run of a module for one stack."""

    def __init__(self, module: AnsibleModule, components: dict, given: dict):
        self.module, self.params, self.components = module, module.params, components
        self.clock = Clock()
        self.api = connect(module, self.clock)
        self.stack = self._stack()
        self.validator = validate.Validator(module, self.stack)
        self.resources = self._build(given)

    def _stack(self) -> Stack:
        wanted = self.params["aws_account_id"]
        account = wanted or self.api.account_id
        return Stack(self.params["product"], self.params["environment"], self.api.region,
                     account, self.params["stack_tags"])

    def _build(self, given: dict) -> list:
        """The resources of all components, or every problem with their options at once."""
        problems, options = [], {}
        for name, values in given.items():
            component = self.components[name]
            options[name], found = checked(name, values, component.SPEC,
                                           getattr(component, "NAMED", None))
            problems += found
        if problems:
            raise Refused(problems)
        self.stack.options = options
        refused, resources = self.validator.options(options), []
        for name in (n for n in self.components if n in options):
            try:
                resources += self.stack.add(name, self.components[name].build(options[name],
                                                                              self.stack))
            except ValueError as error:
                problems += [f"{name}: {line}" for line in str(error).splitlines()
                             if not self.validator.told(f"{name}.{line}")]
            except (LookupError, TypeError):
                if not refused:  # else the rules have told what it stumbled over
                    raise
        if refused or problems:
            raise Refused(refused + problems)
        return resources

    def converge(self) -> dict:
        """The result of the module."""
        services = (getattr(type(r), "service", "") for r in self.resources)
        self.api.prepare(dict.fromkeys(["sts", *filter(None, services)]))
        self._guard()
        current = self._plan()
        self.validator.plan(current, self.api)
        self._write_plan(current)
        lease, outcomes = None, {}
        if current.steps and not self.module.check_mode:
            self.api.read_only = False
            lease = Lease(self.api, self._bucket(), self.stack.id, self.params["lease_takeover"])
            lease.take()
        try:
            if lease:
                current = self._plan()  # again, now that nobody else changes anything
                outcomes = self._apply(current, lease)
        finally:
            if lease:
                lease.release()
        return self._result(current, outcomes)

    def _guard(self) -> None:
        """Refuses credentials of another account, and a removal that is not confirmed."""
        problems = guard_account(self.api, self.params["aws_account_id"])
        absent = self.params["state"] == "absent" and not self.module.check_mode
        if absent and self.params["confirm_destroy"] != self.stack.id:
            problems.append(f"destroy {self.stack.id}: nothing was removed; confirm with "
                            f"-e confirm_destroy={self.stack.id}")
        if problems:
            raise Refused(problems)

    def _bucket(self) -> str:
        default = f"groundwork-leases-{self.stack.account_id}-{self.stack.region}"
        return self.params["lease_bucket"] or default

    def _plan(self) -> Plan:
        scan = Scan(self.api, self.stack.id, self.resources)
        alone = len(self.components) == 1
        policy = Policy(prune=self.params["prune"], adopt=tuple(self.params["adopt"]),
                        allow_replace=tuple(self.params["allow_replace"]),
                        allow_data_loss=tuple(self.params["allow_data_loss"]),
                        components=tuple(self.components) if alone else ())
        if self.params["state"] == "absent":
            return destroy(self.resources, scan, concrete(), policy)
        return plan(self.resources, scan, self._other_types(), policy)

    def _other_types(self) -> list:
        """Types that are read besides the wanted ones: members, and those of what is left over."""
        kinds = {kind_of(cls): cls for cls in concrete()}
        wanted = {type(r) for r in self.resources} | \
            {r.kind for r in self.resources if isinstance(r, Lookup)}
        keys = {r.key for r in self.resources}
        tagged = (tags.get(KEY, "") for tags in self.api.tagged("").values())
        strays = {key.split("/")[1] for key in tagged if key and key not in keys}
        members = [c for c in kinds.values()
                   if c.member_of and field_types(c)[c.member_of] & wanted]
        unlisted = [kinds[k] for k in UNLISTED if k in kinds and len(self.components) > 1]
        return [*members, *unlisted, *(kinds[s] for s in sorted(strays) if s in kinds)]

    def _apply(self, current: Plan, lease: Lease) -> dict:
        run = Run(current, Scan(self.api, self.stack.id, self.resources), self.clock)
        reasons = []
        lease.lost = lambda reason: (reasons.append(str(reason)), run.stop.set())
        run.told = Progress(current, self._facts(current), self.clock)
        before = {s: signal.signal(s, lambda *_args: run.stop.set())
                  for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            outcomes = run.go()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        current.lives = run.steps.lives
        if reasons:
            raise Refused(reasons)
        return outcomes

    def _write_plan(self, current: Plan) -> None:
        if self.params["plan_file"]:
            with open(self.params["plan_file"], "w", encoding="utf-8") as file:
                json.dump(self._facts(current), file, indent=2)

    def _facts(self, current: Plan) -> dict:
        """What is known of a plan before it is carried out."""
        return dict(stack=self.stack.id, plan=report.changes(current), summary=current.summary,
                    left_over=[c.key for c in current.left_over], calls=self.api.counts,
                    expected_seconds=round(current.seconds))

    def _result(self, current: Plan, outcomes: dict) -> dict:
        changes = [c for c in current.changes if c.action != "keep"]
        failed = {s: o for s, o in outcomes.items() if o.state != "done"}
        result = dict(
            self._facts(current), changed=bool(current.steps), outputs=report.outputs(current),
            findings=[f.as_dict() for f in self.validator.found],
            failed_steps=bool(failed),
            results={s: {"state": o.state, "why": o.why, "seconds": round(o.seconds, 1)}
                     for s, o in outcomes.items()})
        if self.module._diff:
            result["diff"] = [report.difference(c) for c in changes]
        if failed:
            result["msg"] = report.failures(current, failed)
            result["problems"] = result["msg"].splitlines()
        return result


def _config(options: dict):
    from botocore.config import Config  # here: the import check of ansible-test has no botocore
    return Config(**options)


class Progress:
    """Tells the action plugin, through a file, the plan, what starts and ends, and what is left."""

    def __init__(self, current: Plan, result: dict, clock: Clock):
        self.path, self.clock = os.environ.get(PROGRESS), clock
        self.changes = {c.step: c for c in current.steps}
        self.ways = remaining(current.after, {s: c.seconds for s, c in self.changes.items()})
        self.open, self.begun = set(self.changes), {}
        self._write(result)

    def __call__(self, step: str, outcome) -> None:
        change, now = self.changes[step], self.clock.now()
        if outcome:
            self.open.discard(step)
        else:
            self.begun[step] = now
        left = max((self.ways[s] - (now - self.begun.get(s, now)) for s in self.open), default=0)
        self._write(dict(key=change.key, action=change.action, expected_seconds=change.seconds,
                         state=outcome.state if outcome else "started", left=left,
                         seconds=outcome.seconds if outcome else 0, steps=len(self.changes),
                         done=len(self.changes) - len(self.open)))

    def _write(self, event: dict) -> None:
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
