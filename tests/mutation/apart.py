"""Runs pytest in a process of its own that does not import it each time, which took longest."""
from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

HERE = multiprocessing.get_context("forkserver")
HERE.set_forkserver_preload(["pytest", "hypothesis.strategies", "boto3.session", "yaml"])


def status(folder: Path, tests: list, seconds: float, **environment: str) -> int | None:
    """The exit status of pytest in the folder; none when it had no end in so many seconds."""
    process = HERE.Process(target=_tests, args=(folder, tests, environment))
    process.start()
    process.join(seconds)
    exit_status = process.exitcode
    process.kill()
    return exit_status


def _tests(folder: Path, tests: list, environment: dict) -> None:
    import pytest
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith(("PYTEST", "PYTHONPATH"))]:
        del os.environ[name]
    os.environ.update(environment)
    with open("output", "w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests]))
