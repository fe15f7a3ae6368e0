# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The house keeps its shape: sizes, import directions, and words that stay in their rooms."""
from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest
import yaml
from ansible_collections.groundwork.aws.plugins.module_utils.components.registry import COMPONENTS

ROOT = Path(__file__).parents[2]
UTILS = ROOT / "plugins" / "module_utils"
PYTHON = sorted((ROOT / "plugins").rglob("*.py"))
# Most code lines (no blank lines, comments, docstrings) that a file of each room may have.
FILE_LINES = (("plugins/modules", 60), ("plugins/module_utils/components", 250),
              ("plugins", 350), ("lab", 350), ("tests", 350))
ENGINE_LINES, FUNCTION_LINES, TYPE_LINES, PARAMETERS, COLUMNS = 800, 40, 100, 6, 100
# Room -> rooms it may import from, by the way that the data goes.
ROOMS = {
    "engine": {"engine"},
    "clients": {"clients", "engine"},
    "types": {"types", "clients", "engine"},
    "components": {"components", "types", "engine"},
}
ANSIBLE_FREE = ("engine", "clients", "types", "components")


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold code."""
    lines, tree = set(), ast.parse(source)
    docs = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and body \
                and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            docs.update(range(body[0].lineno, body[0].end_lineno + 1))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and any(
                isinstance(t, ast.Name) and t.id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
                for t in node.targets):
            docs.update(range(node.lineno, node.end_lineno + 1))
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
               tokenize.ENCODING, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docs


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def too_long(paths, limit_of) -> list[str]:
    sizes = {path: len(code_lines(path.read_text())) for path in paths}
    return [f"{path.relative_to(ROOT)}: {n} lines" for path, n in sizes.items()
            if n > limit_of(path)]


def test_files_are_small():
    """Each room has its own limit."""
    def limit(path: Path) -> int:
        name = str(path.relative_to(ROOT))
        return next(lines for room, lines in FILE_LINES if name.startswith(room))
    assert not too_long([*PYTHON, *sources("lab"), *sources("tests")], limit)


def test_engine_is_small():
    assert sum(len(code_lines(p.read_text())) for p in (UTILS / "engine").glob("*.py")) \
        <= ENGINE_LINES


@pytest.mark.parametrize("folder", ["plugins", "lab"])
def test_functions_and_types_are_small(folder):
    found = []
    for path in sources(folder):
        lines = code_lines(path.read_text())
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                size = len(lines & set(range(node.lineno, node.end_lineno + 1)))
                room = path.parent.name
                limit = FUNCTION_LINES if isinstance(node, ast.FunctionDef) else \
                    TYPE_LINES if room == "types" else 350
                if size > limit:
                    found.append(f"{path.relative_to(ROOT)}:{node.name} {size} lines")
            if isinstance(node, ast.FunctionDef):
                arguments = [a.arg for a in [*node.args.args, *node.args.kwonlyargs]]
                if len([a for a in arguments if a not in ("self", "cls")]) > PARAMETERS:
                    found.append(f"{path.relative_to(ROOT)}:{node.name} has too many parameters")
    assert not found


def test_lines_are_short():
    found = [f"{path.relative_to(ROOT)}:{n}" for folder in ("plugins", "lab", "tests", "tools")
             for path in sources(folder)
             for n, line in enumerate(path.read_text().splitlines(), 1) if len(line) > COLUMNS]
    assert not found


def imported(path: Path) -> set[str]:
    """Rooms (or packages) that a file of module_utils imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == 1:
                found.add(path.parent.name)
            elif node.level == 2:
                found.add(module.split(".")[0])
            else:
                found.add(module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def test_imports_go_one_way():
    wrong = []
    for room, allowed in ROOMS.items():
        for path in (UTILS / room).glob("*.py"):
            for name in imported(path):
                if name in ROOMS and name not in allowed:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
                if name.startswith("ansible") and room in ANSIBLE_FREE:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_engine_knows_no_service():
    words = ("boto", "aws", "ec2", "kubernetes", "ansible")
    for path in (UTILS / "engine").glob("*.py"):
        code = "\n".join(line for line in path.read_text().lower().splitlines()
                         if not line.startswith("# ") and "groundwork" not in line)
        assert not [w for w in words if w in code], path


def test_nothing_shipped_knows_the_lab():
    for folder in ("plugins", "roles", "playbooks"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".yml", ".j2"):
                text = path.read_text().lower()
                words = re.findall(r"\bmoto\b|\blab/|\.lab\b", text)
                assert not words, path


def test_init_files_are_empty():
    assert not [p for p in (ROOT / "plugins").rglob("__init__.py") if p.read_text()]


def test_tasks_and_playbooks_are_short():
    for path in (ROOT / "roles").glob("*/tasks/*.yml"):
        assert len(path.read_text().splitlines()) <= 80, path
    for path in (ROOT / "playbooks").glob("*.yml"):
        assert len(path.read_text().splitlines()) < 60, path


def test_components_are_known_everywhere():
    modules = {p.stem for p in (ROOT / "plugins" / "modules").glob("*.py")} \
        - {"stack", "stack_info", "k8s_applyset"}
    role = ROOT / "roles" / "stack"
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    options = specs["argument_specs"]["main"]["options"]
    known = yaml.safe_load((role / "vars" / "main.yml").read_text())["stack_known"]
    cases = {p.stem for p in (ROOT / "tests" / "plans").glob("*.yml")} - {"bad_input", "rules"}
    assert set(COMPONENTS) == modules == set(known) == cases == {
        name for name, option in options.items() if "Options of M(" in option["description"]}


def test_every_module_has_its_action_and_group():
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    modules = {p.stem for p in (ROOT / "plugins" / "modules").glob("*.py")}
    assert set(runtime["action_groups"]["all"]) == modules
    actions = {p.stem for p in (ROOT / "plugins" / "action").glob("*.py")}
    assert actions == modules
