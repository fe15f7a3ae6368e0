"""Write a page for each module, role and plugin, out of its own documentation.

A role's is its README.md, all others are in docs/.
With --check nothing is written: it fails when the documentation is not valid or a page is old.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import findings
import permissions

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
COLLECTION = "groundwork.aws"
KINDS = {"module": "Modules", "role": "Roles", "inventory": "Inventory plugins",
         "callback": "Callbacks", "filter": "Filters", "lookup": "Lookups"}
NOTE = "<!-- Written by `make docs`; change the documentation in the code instead. -->\n"


def read():
    """All documentation of the collection as ansible-doc knows it: {kind: {name: ...}}."""
    out = subprocess.run([BIN / "ansible-doc", "--metadata-dump", "--no-fail-on-errors",
                          COLLECTION], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    found = json.loads(out)["all"]
    return {kind: {name.removeprefix(COLLECTION + "."): page
                   for name, page in sorted(found.get(kind, {}).items())
                   if name.startswith(COLLECTION + ".")} for kind in KINDS}


def plain(text):
    """Ansible's markup as Markdown: O(name) becomes `name`, L(text, url) a link."""
    if isinstance(text, list):
        return " ".join(plain(part) for part in text)
    text = re.sub(r"\bL\(([^,)]+),\s*([^)]+)\)", r"[\1](\2)", str(text))
    text = re.sub(r"\bU\(([^)]+)\)", r"<\1>", text)
    text = re.sub(r"\bB\(([^)]+)\)", r"**\1**", text)
    text = re.sub(r"\bI\(([^)]+)\)", r"*\1*", text)
    # O(collection.module#module:name) and P(name#type) also say where the name belongs.
    text = re.sub(r"\b(?:O|RV)\((?:[\w.]+#\w+:(?:\w+:)?)?([^)]+)\)", r"`\1`", text)
    text = re.sub(r"\bP\(([^)#]+)(?:#\w+)?\)", r"`\1`", text)
    return re.sub(r"\b(?:V|E|C|M|R)\(([^)]+)\)", r"`\1`", text)


def cell(text):
    return plain(text).replace("|", "\\|").replace("\n", " ").strip()


def type_of(option):
    kind = option.get("type", "str")
    return f"list of {option.get('elements', 'str')}" if kind == "list" else kind


def rows(options, inside, prefix=""):
    """One row for each option or returned value, those of a dictionary right below it."""
    for name, option in options.items():
        about = [cell(option.get("description", ""))]
        if option.get("required"):
            about.insert(0, "**Required.**")
        if option.get("choices"):
            about.append("One of " + ", ".join(f"`{value}`" for value in option["choices"]) + ".")
        if option.get("default") is not None:
            default = option["default"]
            shown = default if isinstance(default, str) else json.dumps(default)
            about.append(f"Default `{cell(shown)}`.")
        if option.get("returned"):
            about.append(f"Returned: {cell(option['returned'])}.")
        yield f"| `{prefix}{name}` | {type_of(option)} | {' '.join(about)} |"
        for key in inside:
            yield from rows(option.get(key) or {}, inside, f"{prefix}{name}.")


def table(title, options, inside):
    if not options:
        return ""
    head = f"\n## {title}\n\n| name | type | what it is |\n|---|---|---|\n"
    return head + "\n".join(rows(options, inside)) + "\n"


def plugin_page(name, page):
    doc = page.get("doc") or {}
    text = f"# {COLLECTION}.{name}\n\n{plain(doc.get('short_description', ''))}\n\n"
    about = doc.get("description", [])
    text += "\n\n".join(map(plain, [about] if isinstance(about, str) else about)) + "\n"
    text += table("Options", doc.get("options"), ("suboptions",))
    attributes = doc.get("attributes") or {}
    if attributes:
        text += "\n## Attributes\n\n| name | support | what it is |\n|---|---|---|\n"
        text += "".join(f"| `{key}` | {value.get('support', '')} | "
                        f"{cell(value.get('description', ''))} |\n"
                        for key, value in attributes.items())
    if doc.get("notes"):
        text += "\n## Notes\n\n" + "".join(f"* {plain(note)}\n" for note in doc["notes"])
    if page.get("examples"):
        text += f"\n## Examples\n\n```yaml\n{page['examples'].strip()}\n```\n"
    return text + table("Returned values", page.get("return"), ("contains",))


def role_page(name, page):
    text = f"# {COLLECTION}.{name}\n"
    for entry, spec in sorted(page.get("entry_points", {}).items(), key=lambda e: e[0] != "main"):
        title = "Variables" if entry == "main" else f"Variables of `{entry}`"
        text += "" if entry == "main" else f"\n## Tasks of `{entry}`\n"
        text += f"\n{plain(spec.get('short_description', ''))}\n"
        about = spec.get("description", [])
        about = [about] if isinstance(about, str) else about
        text += "".join(f"\n{plain(line)}\n" for line in about)
        text += table(title, spec.get("options"), ("options",))
    return text


def summary_of(kind, page):
    if kind == "role":
        entries = page.get("entry_points", {})
        return entries.get("main", {}).get("short_description", "")
    return (page.get("doc") or {}).get("short_description", "")


def home(kind, name):
    """Where the page of something is: of a role beside it, of anything else in docs/."""
    return ROOT / "roles" / name / "README.md" if kind == "role" else \
        DOCS / f"{kind}s" / f"{name}.md"


def pages(found):
    """Every page that is written, as {path: text}."""
    index = f"{NOTE}# Reference\n"
    result = {}
    for kind, title in KINDS.items():
        if found[kind]:
            index += f"\n## {title}\n\n"
        for name, page in found[kind].items():
            text = role_page(name, page) if kind == "role" else plugin_page(name, page)
            result[home(kind, name)] = NOTE + text
            link = os.path.relpath(home(kind, name), DOCS)
            index += f"* [{name}]({link}): {plain(summary_of(kind, page))}\n"
    result[DOCS / "findings.md"] = NOTE + findings.page()
    result[DOCS / "permissions.md"] = NOTE + permissions.page()
    result[DOCS / "reference.md"] = index
    return result


def present():
    """The pages that an earlier run wrote."""
    found = [*DOCS.glob("*.md"), *DOCS.glob("*/*.md"), *(ROOT / "roles").glob("*/README.md")]
    return [path for path in found if path.read_text().startswith(NOTE)]


def check(wanted):
    """Say what is not valid and what is old."""
    # antsibull-docs calls the other tools by their names, and asks git for the files of amazon.aws,
    # which must not take them for a part of this checkout, where they are ignored.
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    lint = subprocess.run([BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs",
                           "--skip-rstcheck", "."], cwd=ROOT, check=False,
                          env=os.environ | {"PATH": path, "GIT_CEILING_DIRECTORIES": str(ROOT)})
    old = [path for path, text in wanted.items()
           if not path.exists() or path.read_text() != text]
    old += [path for path in present() if path not in wanted]
    for path in old:
        print(f"{path.relative_to(ROOT)} is old: run make docs")
    return 1 if old or lint.returncode else 0


def write(wanted):
    for path in present():
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(wanted)} pages in docs/ and roles/")
    return 0


if __name__ == "__main__":
    sys.exit((check if "--check" in sys.argv[1:] else write)(pages(read())))
