# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module `stack` with many networks: network01, network02, ... instead of one.

Only for measuring: a stack of this collection has one network.
"""
from __future__ import annotations

from types import SimpleNamespace

from ansible_collections.groundwork.aws.plugins.module_utils.components import network
from ansible_collections.groundwork.aws.plugins.module_utils.run import stack_module

MOST = 99


class Renamed:
    """A stack whose names hold the network's own, so that no two are alike."""

    def __init__(self, stack, name: str):
        self._stack, self._name = stack, name

    def __getattr__(self, attribute: str):
        return getattr(self._stack, attribute)

    def name(self, *parts: str) -> str:
        return self._stack.name(self._name, *parts)


def numbered(name: str) -> SimpleNamespace:
    """The component `network` under another name."""

    def build(options: dict, stack) -> list:
        resources = network.build(options, Renamed(stack, name))
        for resource in resources:
            resource.key = resource.key.replace("network/", f"{name}/", 1)
        return resources

    return SimpleNamespace(SPEC=network.SPEC, build=build)


def components() -> dict:
    """network01, network02, ..."""
    names = [f"network{n:02}" for n in range(1, MOST + 1)]
    return {name: numbered(name) for name in names}


def main():
    stack_module(components())


if __name__ == "__main__":
    main()
