# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How plans read: values as people write them, and each component once."""
from __future__ import annotations

import pytest
from ansible_collections.groundwork.aws.plugins.plugin_utils import tree

LONG = ", ".join(f"a{n}" for n in range(40))


@pytest.mark.parametrize(("old", "new", "lines"), [
    (2, 4, ["x 2 -> 4"]),
    (True, False, ["x true -> false"]),
    (None, "", ["x (none) -> (none)"]),
    (["a", "b"], ["a"], ["x a, b -> a"]),
    (None, {"a": [1, None], "b": {}}, ['x (none) -> {a: [1, ""], b: {}}']),
    ({"a": 1, "b": 2}, {"a": 1, "c": 3}, ["x.c (none) -> 3", "x.b 2 -> (none)"]),
    ([{"a": {"b": 1}}, {"c": 1}], [{"a": {"b": 2}}], ["x[0].a.b 1 -> 2", "x[1] {c: 1} -> (none)"]),
    (LONG, LONG + "z", ["x …" + LONG[-24:] + " -> …" + LONG[-24:] + "z"]),
    ("b", LONG, ["x b -> " + LONG[:tree.WIDTH] + "…"]),
    ("s", "(after apply: " + "k" * 90 + ")", ["x s -> (after apply: " + "k" * 90 + ")"]),
])
def test_what_differs(old, new, lines):
    change = {"action": "update", "before": {"x": old}, "after": {"x": new}}
    assert tree.fields(change) == lines


def change(key: str, action: str = "create", **more) -> dict:
    return {"key": key, "action": action, "impact": "none", "expected_seconds": 1, "reason": "",
            "about": "", "before": {}, "after": {}, **more}


def test_a_plan_is_a_tree():
    tags = {"before": {"tags": {"a": "1" * 70, "b": "2"}}, "after": {"tags": {"a": "3", "b": "4"}}}
    result = {
        "stack": "acme-dev", "calls": {"reads": 1, "writes": 0}, "expected_seconds": 617,
        "summary": {"create": 2, "update": 2, "replace": 0, "delete": 2, "keep": 1},
        "left_over": ["network/subnet/old"], "plan": [
            change("network/vpc/main", about="10.0.0.0/16"), change("network/vpc/kept", "keep"),
            change("eks/cluster/main", expected_seconds=617),
            change("network/subnet/a", "update", **tags),
            change("network/subnet/b", "update", **tags),
            change("eks/rule/a:b", "delete", impact="in place", reason="not wanted"),
            change("eks/bucket/c", "delete", impact="data loss", about="c", reason="left over")]}
    assert tree.tree(result).splitlines() == [
        "stack acme-dev",
        "  network",
        "    + network/vpc/main    create                      10.0.0.0/16",
        "    ~ network/subnet/a    update",
        "        tags.a " + "1" * 70 + " -> 3",
        "        tags.b 2 -> 4",
        "    ~ network/subnet/b    update                      as above",
        "    ? network/subnet/old  left over",
        "  eks",
        "    + eks/cluster/main    create             ~10 min",
        "    - eks/rule/a:b        delete                      not wanted",
        "    - eks/bucket/c        delete, data loss           c, left over",
        f"  {tree.LEFT}",
        "  2 to create, 2 to update, 2 to delete, 1 as wanted, 1 left over, usually ~10 min "
        "(1 reads, 0 writes)"]
