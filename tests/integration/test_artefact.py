"""The artefact of the collection installs into an empty folder and works from there."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from lab.launcher import Launcher

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


def run(command, *arguments, cwd, collections):
    """Run a tool of the environment where only the installed artefact is on the path."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("ANSIBLE_", "AWS_"))}
    # The environment also finds the checkout; look only here and into the package `ansible`.
    environment["ANSIBLE_COLLECTIONS_SCAN_SYS_PATH"] = "false"
    environment["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join(
        [str(collections), sysconfig.get_path("purelib")])
    environment["ANSIBLE_LOCALHOST_WARNING"] = "false"
    done = subprocess.run([BIN / command, *map(str, arguments)], cwd=cwd, env=environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty folder with nothing but the installed artefact."""
    work = tmp_path_factory.mktemp("artefact")
    home = work / "home"
    home.mkdir()
    run("ansible-galaxy", "collection", "build", "--output-path", work, cwd=ROOT,
        collections=home)
    artefact, = work.glob("groundwork-aws-*.tar.gz")
    run("ansible-galaxy", "collection", "install", "--no-deps", "--offline", "-p", home,
        artefact, cwd=home, collections=home)
    return home


@pytest.fixture(scope="module")
def collection(folder):
    return folder / "ansible_collections" / "groundwork" / "aws"


@pytest.mark.parametrize("made", ["plan.json", "plan-tenancy.json", "kubeconfig-acme-dev"])
def test_what_playbooks_write_is_in_no_artefact_and_no_commit(made):
    """A kubeconfig may hold a token."""
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    assert any(fnmatch(made, pattern) for pattern in ignored)
    lines = (ROOT / ".gitignore").read_text().splitlines()
    assert any(fnmatch(f"/{made}", line) for line in lines)


def test_holds_what_a_user_needs_and_nothing_else(collection):
    wanted = {"CHANGELOG.md", "COPYING", "FILES.json", "MANIFEST.json", "README.md", "changelogs",
              "docs", "inventories", "meta", "playbooks", "plugins", "roles"}
    assert {path.name for path in collection.iterdir()} <= wanted
    assert (collection / "COPYING").is_file()
    assert (collection / "meta" / "runtime.yml").is_file()
    assert not list(collection.rglob("__pycache__"))


def test_names_its_dependency(collection):
    manifest = json.loads((collection / "MANIFEST.json").read_text())["collection_info"]
    assert (manifest["namespace"], manifest["name"]) == ("groundwork", "aws")
    assert manifest["dependencies"] == {
        "amazon.aws": ">=10.1.0", "community.postgresql": ">=4.2.0"}


def test_documentation_comes_from_the_artefact(folder, collection):
    out = run("ansible-doc", "--type", "module", "--list_files", "groundwork.aws", cwd=folder,
              collections=folder)
    files = [Path(line.split()[1]) for line in out.splitlines()]
    assert len(files) == len(list((ROOT / "plugins" / "modules").glob("[!_]*.py")))
    assert all(collection in path.parents for path in files)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbook_by_its_full_name(folder, playbook):
    run("ansible-playbook", "-i", "localhost,", "--syntax-check", f"groundwork.aws.{playbook}",
        cwd=folder, collections=folder)


@pytest.fixture(name="endpoint")
def started(tmp_path):
    launcher = Launcher(tmp_path)
    yield launcher.start()["endpoint"]
    launcher.stop()


def test_plan_of_the_shipped_inventory(folder, collection, endpoint):
    where = {"aws_endpoint_url": endpoint, "aws_access_key": "LAB0111122223333",
             "aws_secret_key": "emulated-secret-key"}
    out = run("ansible-playbook", "-i", collection / "inventories" / "platform",
              "--limit", "sentineltranslate-dev", "-e", json.dumps(where), "groundwork.aws.plan",
              cwd=folder, collections=folder)
    assert "stack sentineltranslate-dev" in out
    assert "+ network/vpc/main" in out
    assert re.search(r"\d+ to create, 0 as wanted, usually ~\d+ min \(\d+ reads, 0 writes\)", out)
