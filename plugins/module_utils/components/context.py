# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stack as its components see it: names, tags, and each other's resources."""
from __future__ import annotations

from ..engine.resource import KEY, OWNER, Lookup, Resource, canonical
from ..types.kms import Key
from .tags import too_many, unfit


class Stack:
    """One product in one environment.

    `account_id` may be unknown to a component that is used alone; it is asked from AWS before.
    """

    production = False  # what customers use; some rules are stricter then

    def __init__(self, product: str, environment: str, region: str, account_id: str,
                 tags: dict | None = None, partition: str = "aws"):
        self.product, self.environment, self.partition = product, environment, partition
        self.region, self.account_id, self.tags = region, account_id, dict(tags or {})
        self.resources: dict[str, Resource] = {}
        self._identities: dict[tuple, str] = {}  # type and identity -> key
        self.options: dict[str, dict] = {}  # component -> its options, of those in this graph

    @property
    def id(self) -> str:
        """The owner in tags: product-environment."""
        return f"{self.product}-{self.environment}"

    def arn(self, service: str, rest: str, region: str = "", account: str = "") -> str:
        """An ARN in the stack's partition."""
        return f"arn:{self.partition}:{service}:{region}:{account}:{rest}"

    def name(self, *parts: str) -> str:
        """A name by the rule {project}-{environment}-{resource-type}-{identifier}."""
        return "-".join([self.id, *[p for p in parts if p]])

    def filled(self, value):
        """A structure of options with {account_id}, {region}, {partition} and {stack} put in."""
        if isinstance(value, dict):
            return {self.filled(k): self.filled(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.filled(v) for v in value]
        if isinstance(value, str):
            for name, text in (("account_id", self.account_id), ("region", self.region),
                               ("partition", self.partition), ("stack", self.id)):
                value = value.replace(f"{{{name}}}", text or "")
        return value

    def add(self, component: str, resources) -> list[Resource]:
        """Puts the resources of a component into the graph, with their tags.

        Raises ValueError for two that would be one object in AWS.
        """
        resources, problems = list(resources), []
        for resource in resources:
            if resource.tags_path and not resource.external:
                resource.tags = {**self.tags_for(component, resource), **resource.tags}
                problems += too_many(f"tags of {resource.key}", resource.tags)
                problems += unfit(resource.key)
            self.resources.setdefault(resource.key, resource)
            same = {n: getattr(getattr(resource, n), "key", getattr(resource, n))
                    for n in resource.identity if not resource.external}
            other = same and self._identities.setdefault(
                (type(resource), *map(canonical, same.values())), resource.key)
            if other and other != resource.key:
                what = ", ".join(f"{n} {v}" for n, v in same.items() if v is not None)
                problems.append(f"{resource.key.split('/', 1)[1]} and {other} are the same in AWS "
                                f"({what}); change one or leave it out")
        if problems:
            raise ValueError("\n".join(problems))
        return resources

    @property
    def shared_tags(self) -> dict:
        """The tags of everything that belongs to the stack, whoever makes it."""
        given = {"Project": self.product, "Environment": self.environment, **self.tags}
        return {name: value for name, value in given.items() if value is not None}

    def tags_for(self, component: str, resource: Resource) -> dict:
        """The tags that every object carries, under those of the stack and of the object."""
        _component, kind, identifier = resource.key.split("/", maxsplit=2)
        name = getattr(resource, resource.identity[0]) if resource.identity else None
        return {"Project": self.product, "Environment": self.environment,
                "ManagedBy": "groundwork.aws", "Component": component,
                "Name": name if name and isinstance(name, str) else
                self.name(kind.replace("_", "-"), identifier),
                **self.tags, OWNER: self.id, KEY: resource.key}

    def use(self, cls, key: str) -> Resource:
        """Another component's resource: the one of this graph, else one to be found by its tag."""
        return self.resources.get(key) or Lookup(key=key, kind=cls)

    def kms_key(self, given: str):
        """A key of the component kms_keys by its name, or any key by its ARN."""
        return given if given.startswith("arn:") else self.use(Key, f"kms_keys/key/{given}")

    def use_all(self, cls, prefix: str) -> list[Resource]:
        """All resources of a type whose keys start alike."""
        found = [r for k, r in self.resources.items()
                 if k.startswith(prefix) and isinstance(r, cls)]
        return found or [Lookup(key=prefix + "*", kind=cls)]
