# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bridge between AnsibleModule and the engine: options in, exit_json or fail_json out."""
from __future__ import annotations

import contextlib
import difflib
import json
import re

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from .clients.aws import Aws
from .clients.eks_token import asks_aws, config, eks_token
from .clients.kubeconfig import write_private
from .clients.lease import Bucket, Lease
from .components.context import Stack
from .components.tags import checked_tags, with_tags
from .engine.errors import Failure, Refused
from .engine.plan import Plan, Survey, destroy, kind_of, plan
from .engine.resource import KEY, Lookup, field_types, jmespath
from .engine.scan import Scan
from .engine.wait import Clock
from . import report, validate
from .connect import boto3, connect, guard_account
from .options import Module, checked, nearest
from .session import OPTIONS, Session, carry_out, writable
from .types.declared import Declared
from .types.eks import Cluster

COMMON = dict(
    product=dict(type="str", required=True),
    environment=dict(type="str", required=True),
    aws_account_id=dict(type="str"),
    stack_tags=dict(type="dict", default={}),
    confirm_destroy=dict(type="str"),
    prune=dict(type="bool", default=False),
    lease_bucket=dict(type="str"),
    **OPTIONS,
    **validate.OPTIONS,
)
KUBECONFIG = dict(
    kubeconfig=dict(type="path"),
    kubeconfig_user=dict(type="str", default="exec", choices=["exec", "token"]),
)
# Variables of the role `stack` that are no components.
VARIABLES = ["stack_" + name for name in (
    "adopt", "allow_data_loss", "allow_replace", "capacity", "environment", "force_conflicts",
    "helm_binary", "kubeconfig", "kubeconfig_user", "lease_bucket", "overrides", "plan_only",
    "product", "prune", "roles", "roles_removed", "roles_skipped", "roles_tasks", "state", "tags",
    "waivers")]
UNLISTED = ("role", "managed_policy", "instance_profile", "oidc_provider")  # IAM is in no region
TYPES = __name__.rpartition(".")[0] + ".types."


def component_module(name: str, component) -> None:
    """main() of the module of one component."""
    module = Module(name, {**aws_argument_spec(), **COMMON, **component.SPEC},
                    getattr(component, "NAMED", None))
    given = {option: module.params[option] for option in component.SPEC}
    execute(module, {name: component}, {name: {k: v for k, v in given.items() if v is not None}})


def stack_module(components: dict) -> None:
    """main() of the module that converges all components of a stack in one graph."""
    parts = dict(components=dict(type="dict", required=True),
                 variables=dict(type="list", elements="str", default=[]),
                 roles=dict(type="dict", default={}))
    module = Module("stack", {**aws_argument_spec(), **COMMON, **parts})
    given = module.params["components"]
    problems = [f"{name}: unknown component{nearest(name, components)}"
                for name in given if name not in components]
    own = [*components, *VARIABLES]
    others = [name for options in module.params["roles"].values() for name in options]
    # Those of roles are alike in their prefix, and roles note results by such names too.
    problems += [f"variable {name}: a stack has none of this name; did you mean {close[0]}?"
                 for name in module.params["variables"] if name not in (*own, *others)
                 for close in [difflib.get_close_matches(name, own, 1, 0.85)
                               or difflib.get_close_matches(name, others, 1, 0.92)] if close]
    if problems:
        module.fail_json(msg="\n".join(problems), problems=problems)
    execute(module, components, given)


def execute(module: Module, components: dict, given: dict) -> None:
    """Plans, and unless in check mode carries out, what the options want."""
    for found, library in ((boto3, "boto3"), (jmespath, "jmespath")):
        if found is None:
            module.fail_json(msg=missing_required_lib(library))
    carry_out(module, lambda: StackSession(module, components, given))


def concrete(cls=Declared) -> list:
    """All types of this collection that are loaded and have objects in AWS."""
    below = [c for sub in cls.__subclasses__() for c in concrete(sub)]
    own = not cls.external and (getattr(cls, "reads", ()) or "fetch" in vars(cls)) \
        and cls.__module__.startswith(TYPES) and (cls.ref or cls.identity)
    return below + ([cls] if own else [])


def info_module(_components: dict) -> None:
    """main() of the module that tells what a stack has; the components bring the types."""
    spec = {name: COMMON[name] for name in ("product", "environment", "aws_account_id")}
    module = Module("stack_info", {**aws_argument_spec(), **spec, **KUBECONFIG})
    path, changed = module.params["kubeconfig"], False
    try:
        writable("kubeconfig", path)
        api = connect(module, Clock())
        problems = guard_account(api, module.params["aws_account_id"])
        if problems:
            raise Refused(problems)
        found = report.inventory(Survey((), Scan(api, api.owner), concrete()))
        if path:
            changed = _write_kubeconfig(module, api, found["objects"])
    except Failure as failure:
        module.fail_json(msg=str(failure), problems=str(failure).splitlines())
    module.exit_json(changed=changed, stack=api.owner, calls=api.counts, **found)


def _write_kubeconfig(module: Module, api: Aws, objects: dict) -> bool:
    """Whether the kubeconfig of the stack's cluster was not there as it is now."""
    path, params = module.params["kubeconfig"], module.params
    names = [told["id"] for told in objects.values() if told["type"] == Cluster.__name__]
    if not names:
        raise Refused([f"kubeconfig: {api.owner} has no cluster; converge the stack first"])
    told = api.eks.describe_cluster(name=names[0])["cluster"]
    user = asks_aws(names[0], api.region, params["profile"]) \
        if params["kubeconfig_user"] == "exec" else \
        {"token": eks_token(api.session, api.region, names[0])}
    wanted, before = config(told, user), None
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
        before = json.load(file)
    if before != wanted and not module.check_mode:
        write_private(path, wanted)
    return before != wanted


class StackSession(Session):
    """One run of a module for one stack."""

    def __init__(self, module: Module, components: dict, given: dict):
        super().__init__(module, Clock())
        self.components = components
        self.api = connect(module, self.clock)
        self.stack = self._stack()
        self.name = self.owner = self.stack.id
        self.told = set()  # notes
        self.validator = validate.Validator(module, self.stack)
        self.resources = self._build(given)

    def _stack(self) -> Stack:
        wanted = self.params["aws_account_id"]
        account = wanted or self.api.account_id
        return Stack(self.params["product"], self.params["environment"], self.api.region,
                     account, self.params["stack_tags"], self.api.partition)

    def _build(self, given: dict) -> list:
        """The resources of all components, or every problem with their options at once.

        A removal needs no good options: it goes by what is found, and without what cannot be
        built of them its protections hold.
        """
        absent, problems = self.params["state"] == "absent", self._options(given)
        if problems and not absent:
            raise Refused(problems)
        refused, resources = self.validator.options(self.stack.options), []
        for name in (n for n in self.components if n in self.stack.options):
            try:
                resources += self.stack.add(name, self.components[name].build(
                    self.stack.options[name], self.stack))
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                if not absent:
                    refused += self.validator.unbuilt(name, error)
                elif isinstance(error, ValueError):
                    problems += [f"{name}: {line}" for line in str(error).splitlines()]
        if refused:
            raise Refused(refused)
        for problem in problems:
            self.module.warn(f"{problem} (the removal goes by what is found)")
        return resources

    def _options(self, given: dict) -> list[str]:
        """Takes over the tags and options that are good; returns the problems with the rest."""
        self.stack.tags, problems = checked_tags("stack_tags", self.stack.tags)
        problems += [f"{name}: {self.params[name]!r} is a part of names in AWS; use letters, "
                     "digits and hyphens" for name in ("product", "environment")
                     if not re.fullmatch(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", self.params[name],
                                         re.ASCII)]
        for name, values in given.items():
            component = self.components[name]
            options, found = checked(name, values, component.SPEC,
                                     getattr(component, "NAMED", None))
            options, wrong = with_tags(name, options)
            if not found + wrong:
                self.stack.options[name] = options
            problems += found + wrong
        return problems

    def converge(self):
        services = (getattr(type(r), "service", "") for r in self.resources)
        self.api.prepare(dict.fromkeys(["sts", *filter(None, services)]))
        self._guard()
        return super().converge()

    def checked(self, current):
        for key, resource in current.wanted.items() if current.steps else ():
            if isinstance(resource, Lookup) and current.lives.get(key) is None:
                self.module.warn(f"{key} is needed and not there; converge its component first")
        self.validator.plan(current, self.api)

    def lease(self):
        given, account = self.params["lease_bucket"], self.api.account_id
        # Whoever knows an account's number can take the default name before the account does.
        store = Bucket(self.api, given, self.stack.id) if given else \
            Bucket(self.api, f"groundwork-leases-{account}-{self.stack.region}", self.stack.id,
                   account)
        return Lease(store, self.stack.id, self.clock, self.params["lease_takeover"])

    def result(self, current, outcomes):
        self._tell_notes()
        return dict(super().result(current, self._explained(current, outcomes)),
                    findings=[f.as_dict() for f in self.validator.found],
                    tags=self.stack.shared_tags)

    def _explained(self, current: Plan, outcomes: dict) -> dict:
        """The outcomes, those of failed steps with what AWS can tell of the reason."""
        found = dict(outcomes)
        for change in current.steps:
            outcome = outcomes.get(change.step)
            if change.live and outcome and outcome.state == "failed":
                with contextlib.suppress(Failure):
                    why = change.resource.explain(self.api, change.live)
                    found[change.step] = outcome._replace(
                        why="; ".join(filter(None, [outcome.why, why])))
        return found

    def _guard(self) -> None:
        """Refuses credentials of another account, and a removal that is not confirmed."""
        problems = guard_account(self.api, self.params["aws_account_id"])
        absent = self.params["state"] == "absent" and not self.module.check_mode
        if absent and self.params["confirm_destroy"] != self.stack.id:
            problems.append(f"destroy {self.stack.id}: nothing was removed; confirm with "
                            f"-e confirm_destroy={self.stack.id}")
        if problems:
            raise Refused(problems)

    def scan(self):
        removes = self.params["state"] == "absent" or self.params["prune"]
        return Scan(self.api, self.owner, self.resources, removes)

    def plan(self):
        scan, alone = self.scan(), len(self.components) == 1
        policy = self.policy(tuple(self.components) if alone else ())
        if self.params["state"] == "absent":
            try:
                return destroy(self.resources, scan, self._removed_types(), policy)
            finally:
                self._tell_notes()
        found = plan(self.resources, scan, self._other_types(), policy)
        if found.steps:
            scan.changing = True
            found = plan(self.resources, scan, self._other_types(), policy)
        return found

    def _removed_types(self) -> list:
        """All types; with a cluster also what is in it, and what its controllers have made."""
        if "eks_cluster" not in self.components:
            return concrete()
        from .types.cluster_objects import TYPES  # here: nothing but a removal needs them
        return list({*concrete(), *TYPES})

    def _tell_notes(self) -> None:
        """Warns of what readers have noted, each once."""
        for note in dict.fromkeys(self.api.notes):
            if note not in self.told:
                self.module.warn(note)
        self.told.update(self.api.notes)

    def _other_types(self) -> list:
        """Types that are read besides the wanted ones: members, and those of what is left over."""
        kinds = {kind_of(cls): cls for cls in concrete()}
        wanted = {type(r) for r in self.resources} | \
            {r.kind for r in self.resources if isinstance(r, Lookup)}
        keys = {r.key for r in self.resources}
        tagged = (tags.get(KEY, "") for tags in self.api.tagged("").values())
        strays = {key.split("/")[1] for key in tagged
                  if key.split("/")[0] in self.components and key not in keys}
        made = {part for component in self.components.values() for part in vars(component).values()
                if isinstance(part, type)}
        others = [kinds[k] for k in sorted(strays & kinds.keys())] + \
            [kinds[k] for k in UNLISTED if kinds.get(k) in made]
        members = [c for c in kinds.values()
                   if c.member_of and field_types(c)[c.member_of] & {*wanted, *others}]
        return [*members, *others]
