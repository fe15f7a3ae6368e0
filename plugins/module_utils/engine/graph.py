# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Order: what comes before what, and how long the way behind each step is."""
from __future__ import annotations

import graphlib

from .errors import Refused
from .resource import Resource, needs


def reached(start, onwards) -> dict:
    """As keys, all that is reached from `start`, itself first; `onwards`: what each leads to."""
    found, todo = dict.fromkeys(start), list(start)
    for here in todo:  # which grows
        more = [there for there in onwards(here) if there not in found]
        found.update(dict.fromkeys(more))
        todo += more
    return found


def closed(resources) -> dict[str, Resource]:
    """Key -> resource for all of them and all they need, in an order that can be built."""
    found, problems = {}, set()
    for resource in reached(resources, needs):
        known = found.setdefault(resource.key, resource)
        if known.external:  # a look-up may be for what this graph makes itself
            found[resource.key] = resource
        elif known is not resource and not resource.external:
            problems.add(f"plan {resource.key}: two resources have this key")
    if problems:
        raise Refused(sorted(problems))
    edges = {key: [n.key for n in needs(resource)] for key, resource in found.items()}
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
