# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Order: what comes before what, and how long the way behind each step is."""
from __future__ import annotations

import graphlib

from .errors import Refused
from .resource import Resource, needs


def closed(resources) -> dict[str, Resource]:
    """Key -> resource for all of them and all they need, in an order that can be built."""
    found, problems, todo = {}, set(), list(resources)
    while todo:
        resource = todo.pop()
        known = found.get(resource.key)
        if known is None or (known.external and not resource.external):
            found[resource.key] = resource  # rather than a look-up of what this graph makes itself
            todo += needs(resource)
        elif known is not resource and not resource.external:
            problems.add(f"plan {resource.key}: two resources have this key")
    if problems:
        raise Refused(sorted(problems))
    rank = {r.key: i for i, r in enumerate(resources)}  # as they were given: plans read alike
    edges = {key: [n.key for n in needs(found[key])]
             for key in sorted(found, key=lambda k: rank.get(k, len(rank)))}
    try:
        order = list(graphlib.TopologicalSorter(edges).static_order())
    except graphlib.CycleError as error:
        raise Refused([f"plan: these need each other: {' -> '.join(error.args[1])}"]) from None
    return {key: found[key] for key in order}


def remaining(after: dict[str, set], seconds: dict[str, float]) -> dict[str, float]:
    """Seconds of the longest way that starts with each step. `after`: step -> steps before it."""
    order = list(graphlib.TopologicalSorter(after).static_order())
    longest = {name: seconds.get(name, 0) for name in order}
    for name in reversed(order):
        for before in after.get(name, ()):
            longest[before] = max(longest[before], seconds.get(before, 0) + longest[name])
    return longest


def expected(after: dict[str, set], seconds: dict[str, float]) -> float:
    """Seconds that all of it takes when nothing waits without need."""
    return max(remaining(after, seconds).values(), default=0)
