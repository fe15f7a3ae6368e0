# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a lease, whether that process still runs, and when a holder must stop."""
from __future__ import annotations

import getpass
import os
import subprocess
import sys
import threading

import pytest
from ansible_collections.groundwork.aws.plugins.module_utils.clients import lease
from ansible_collections.groundwork.aws.plugins.module_utils.engine.errors import Ambiguous
from ansible_collections.groundwork.aws.plugins.module_utils.engine.wait import Clock


@pytest.fixture(name="dead")
def _dead() -> dict:
    """A process of this machine that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return {**lease.process(), "pid": child.pid}


def test_an_ended_process_of_this_machine(dead):
    assert lease.ended(dead) and not lease.ended(lease.process())


@pytest.mark.parametrize("other", [
    {"host": "elsewhere"}, {"boot": "of another machine"}, {"space": "pid:[1]"}, {"boot": ""},
    {"pid": "4711"}, {"pid": None}, {"pid": 2 ** 80}])
def test_what_cannot_be_told_to_have_ended(dead, other):
    """Machines share host names, and the first process namespace of all Linux is one number."""
    assert not lease.ended({**dead, **other})


def test_a_system_that_names_no_boot(dead, monkeypatch):
    monkeypatch.setattr(lease, "_boot", lambda: "")
    assert not lease.ended({**dead, "boot": ""})


def test_a_user_without_a_name(monkeypatch):
    def nameless():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert lease.process()["who"] == f"user {os.getuid()}"


class Store:
    """A store of one record whose writes fail as told."""

    def __init__(self):
        self.holder, self.mark, self.fails, self.written = None, None, (), threading.Event()

    def read(self):
        return self.holder, self.mark

    def write(self, holder, mark):
        for failure in self.fails:
            raise failure
        if mark != self.mark:
            return None
        self.holder, self.mark = holder, (mark or 0) + 1
        if self.mark > 1:
            self.written.set()
        return self.mark

    def remove(self, _mark):
        self.holder = self.mark = None


@pytest.fixture(name="held")
def _held(monkeypatch):
    """A lease that was taken and renewed, and is to be renewed all the time."""
    monkeypatch.setattr(lease, "RENEW", 0.01)
    found = lease.Lease(Store(), "acme-test", Clock())
    found.take()
    assert found.store.written.wait(5)
    yield found
    found.release()


def test_renewals_go_on(held):
    assert not held.stop.is_set() and not held.lost


@pytest.mark.parametrize("failure", [Ambiguous("500"), RuntimeError("broken"), OSError(28)])
def test_it_is_lost_when_it_was_not_renewed_in_time(held, monkeypatch, failure):
    """Whatever keeps it from being renewed: after its expiry others may take it."""
    held.store.fails = [failure]
    monkeypatch.setattr(lease, "LAST", lease.MINUTES * 60 - 0.2)
    assert held.stop.wait(5) and "lease acme-test: not renewed before" in held.lost


def test_a_short_failure_loses_nothing(held):
    held.store.fails = [Ambiguous("500")]
    assert not held.stop.wait(0.1)
    held.store.fails = []
    held.store.written.clear()
    assert held.store.written.wait(5) and not held.lost


def test_it_is_lost_when_somebody_else_has_it(held):
    held.store.holder, held.store.mark = {"token": "other"}, 4711
    assert held.stop.wait(5) and "taken over by somebody else" in held.lost
    held.release()
    assert held.store.holder == {"token": "other"}


def test_an_answer_that_was_lost(held):
    """The record has moved on, and is our own."""
    held.store.mark += 1
    held.store.written.clear()
    assert held.store.written.wait(5) and not held.lost
