"""The page of all findings of the validator, out of the tables of rules."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INTRO = """# Findings

The validator looks at a stack's options before anything is read from AWS, and at its plan before
anything is changed. An error stops the run, a warning is shown and returned in `findings`. A line
reads `<stack>: <place in the options>: <what is wrong>; <what to write instead> [<id>]`.

A stack lets a finding pass by its id, with a reason and the last day of that:

```yaml
stack_waivers:
  eks-endpoint-open:
    reason: the team works from changing addresses until the VPN is there
    until: 2026-12-31
```

A waiver that has expired, has no reason or names no finding is itself an error (`waiver`), which
nothing waives. So is what a component says of options that it cannot build or that AWS would
refuse (`options`). The number in the last column is that of the decision in the product
requirements.
"""
OPTIONS = "## By the options alone"
ONLINE = """## By the plan and what AWS says

These look at what a plan creates or changes. AWS is asked only for what they need, each thing
once a run; a stack that stays as it is asks nothing.
"""


def page():
    """The page as text."""
    sys.path.insert(0, str(ROOT / ".collections"))
    from ansible_collections.groundwork.aws.plugins.module_utils.components import rules
    return "\n".join([INTRO, OPTIONS, "", *table(rules.RULES), "", ONLINE,
                      *table(rules.ONLINE), ""])


def table(found):
    """One row for each rule."""
    cells = (f"| `{r.id}` | {r.severity} | {r.what} | {r.instead} | {r.decision or ''} |"
             for r in found)
    return ["| id | severity | what is wrong | what to do | decision |",
            "|---|---|---|---|---|", *cells]
