# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The user's tags: text, within what AWS takes, and never those by which a stack finds its own.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
"""
from __future__ import annotations

import re

MOST, LONGEST_KEY, LONGEST_VALUE = 50, 128, 256
SIGNS = re.compile(r"[\w .:/=+@-]*")
OURS = re.compile(r"(aws|groundwork):", re.IGNORECASE)


def checked_tags(path: str, given: dict) -> tuple[dict, list[str]]:
    """The tags as text (None stays: a tag that is to go), and every problem with them."""
    tags = {_text(key): value if value is None else _text(value) for key, value in given.items()}
    problems = [f"{path}.{key}: {problem}" for (key, value), raw in zip(tags.items(),
                                                                        given.values())
                for problem in _problems(key, value, raw)]
    return tags, problems + too_many(path, tags)


def too_many(path: str, tags: dict) -> list[str]:
    """More tags than an object can have."""
    count = len([v for v in tags.values() if v is not None])
    return [f"{path}: {count} tags, AWS takes {MOST}; leave some out"] if count > MOST else []


def unfit(key: str) -> list[str]:
    """What keeps a key from being a tag."""
    if len(key) <= LONGEST_VALUE and SIGNS.fullmatch(key):
        return []
    return [f"{key}: it is a tag's value, which has up to {LONGEST_VALUE} letters, digits, spaces "
            "and _ . : / = + - @; choose another name"]


def with_tags(path: str, options: dict) -> tuple[dict, list[str]]:
    """Checked options with the tags at every depth as text, and every problem with these."""
    found, problems = dict(options), []
    for name, value in options.items():
        if name == "tags" and isinstance(value, dict):
            found[name], wrong = checked_tags(f"{path}.tags", value)
        elif isinstance(value, dict) and name != "filter":  # which asks for the tags of others
            found[name], wrong = with_tags(f"{path}.{name}", value)
        else:
            continue
        problems += wrong
    return found, problems


def _text(value) -> str:
    """As YAML and AWS write it: true, not True."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problems(key: str, value: str | None, raw) -> list[str]:
    found = []
    if OURS.match(key):
        found.append(f"tags that begin with {key.split(':', 1)[0]}: are reserved; choose another "
                     "name")
    if not 1 <= len(key) <= LONGEST_KEY or not SIGNS.fullmatch(key):
        found.append(f"a tag's name has 1 to {LONGEST_KEY} letters, digits, spaces and "
                     "_ . : / = + - @; choose another")
    if isinstance(raw, (dict, list)):
        found.append("the value is not text; write a single value")
    elif value and (len(value) > LONGEST_VALUE or not SIGNS.fullmatch(value)):
        found.append(f"a tag's value has up to {LONGEST_VALUE} letters, digits, spaces and "
                     "_ . : / = + - @; shorten or replace it")
    return found
