# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Order: what comes before what, and how long the way behind each step is."""
from __future__ import annotations

import graphlib

from .errors import Refused
from .resource import Resource, needs


def closed(resources) -> dict[str, Resource]:
    """Key -> resource for all of them and all they need, in an order that can be built."""
    found, edges, problems = {}, {}, []
    todo = list(resources)
    while todo:
        resource = todo.pop()
        known = found.setdefault(resource.key, resource)
        if known is not resource and known.external and not resource.external:
            found[resource.key] = resource  # a look-up of what this graph makes itself
            edges.pop(resource.key, None)
        elif known is not resource:
            if not resource.external:
                problems.append(f"plan {resource.key}: two resources have this key")
            continue
        if resource.key in edges:
            continue
        edges[resource.key] = [n.key for n in needs(resource)]
        todo += needs(resource)
    if problems:
        raise Refused(sorted(set(problems)))
    try:
        order = list(graphlib.TopologicalSorter(_stable(edges, resources)).static_order())
    except graphlib.CycleError as error:
        raise Refused([f"plan: these need each other: {' -> '.join(error.args[1])}"]) from None
    return {key: found[key] for key in order}


def _stable(edges: dict, resources) -> dict:
    """The edges in the order in which the resources were given, so that plans read alike."""
    rank = {r.key: i for i, r in enumerate(resources)}
    return {k: edges[k] for k in sorted(edges, key=lambda k: rank.get(k, len(rank)))}


def remaining(after: dict[str, set], seconds: dict[str, float]) -> dict[str, float]:
    """Seconds of the longest way that starts with each step. `after`: step -> steps before it."""
    order = list(graphlib.TopologicalSorter(after).static_order())
    longest = {name: seconds.get(name, 0) for name in order}
    for name in reversed(order):
        for before in after.get(name, ()):
            way = seconds.get(before, 0) + longest[name]
            longest[before] = max(longest[before], way)
    return longest


def expected(after: dict[str, set], seconds: dict[str, float]) -> float:
    """Seconds that all of it takes when nothing waits without need."""
    return max(remaining(after, seconds).values(), default=0)
