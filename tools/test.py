"""Run every check of the project, go on after a failure, and close with one summary.

The steps of pytest run one after the other with two workers and show their progress; all others,
each of which keeps one core busy at most, run beside them, and are shown when they end. The
programs of the lab's clusters are built meanwhile, where that has not been done; steps that want
them wait for them. A pytest step counts its tests, every other step counts as one. The last line
is `N passed, N failed, N skipped`; the exit code is 0 only when nothing failed.
"""

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / ".results"
MAIN = ROOT / ".venv"
OLDER = ROOT / ".venv-core219"

RUNNING = set()  # process groups of the steps that run


@dataclasses.dataclass
class Step:
    name: str
    venv: Path
    command: list
    junit: bool = False
    clusters: bool = False  # whether it waits for the programs of the lab's clusters
    optional: bool = False  # whether it may fail: what needs it is skipped then, with the reason
    limit: int = 2400  # seconds: a step that hangs must not take the summary with it
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failures: list = dataclasses.field(default_factory=list)  # names of the tests that failed


def pytest(name, venv, *arguments, **more):
    return Step(name, venv, ["python", "-m", "pytest", "-q", "-n", "auto", *arguments], junit=True,
                **more)


def main_steps():
    return [
        Step("lint", MAIN, [str(ROOT / "tools" / "lint")]),
        Step("docs", MAIN, ["python", "tools/docs.py", "--check"]),
        Step("sanity", MAIN, ["python", "tools/sanity.py", ".venv"]),
        pytest("unit and laws", MAIN, "tests", "--ignore", "tests/integration"),
        pytest("integration", MAIN, "tests/integration", clusters=True),
        Step("molecule", MAIN, ["molecule", "test", "--all"], clusters=True),
    ]


def older_steps():
    """The other supported ansible-core: what may differ there, not everything again.

    The lab's own tests, and what pylint reads, are the same; molecule runs the lab there.
    """
    return [
        Step("sanity", OLDER, ["python", "tools/sanity.py", ".venv-core219", "--skip-test",
                               "pylint"]),
        pytest("unit and laws", OLDER, "tests", "--ignore", "tests/integration", "--ignore",
               "tests/mutation", "--ignore", "tests/unit/lab", "-k", "not test_one_change"),
        pytest("sets", OLDER, "tests/integration/applyset/test_module.py", "-k", "examples",
               clusters=True),
        Step("molecule default", OLDER, ["molecule", "test", "--scenario-name", "default"]),
    ]


def environment(venv):
    """The user's environment without what would lead a test to a real account or elsewhere."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("ANSIBLE_", "AWS_", "MOLECULE_", "PYTEST_", "PYTHONPATH"))}
    return kept | {
        "PATH": os.pathsep.join([str(venv / "bin"), kept.get("PATH", os.defpath)]),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Ansible refuses to start in a locale that is not UTF-8.
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
    }


def versions(venv):
    script = ("import sys, ansible.release as r, importlib.metadata as m; "
              "print('Python %d.%d.%d' % sys.version_info[:3], 'ansible-core', r.__version__, "
              "'ansible', m.version('ansible'), 'boto3', m.version('boto3'))")
    return subprocess.run([venv / "bin" / "python", "-c", script], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()


def end(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def call(step, junit, log):
    """Run a step to its end, or to the end of its time with everything it started."""
    command = step.command + ([f"--junitxml={junit}"] if step.junit else [])
    with subprocess.Popen(command, cwd=ROOT, env=environment(step.venv), stdout=log, stderr=log,
                          stdin=subprocess.DEVNULL, start_new_session=True) as process:
        RUNNING.add(process.pid)
        try:
            return process.wait(timeout=step.limit)
        except subprocess.TimeoutExpired:
            print(f"No end after {step.limit} s, stopped: {step.name}", file=log, flush=True)
            return 1
        finally:
            RUNNING.discard(process.pid)
            end(process.pid)  # what a step leaves running would change the next ones


def count(step, status, junit):
    """Take the numbers of a pytest step from its report; any other step is one."""
    if step.junit and junit.exists():
        for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
            tests, failures, errors, skipped = (
                int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
            step.failed += failures + errors
            step.skipped += skipped
            step.passed += max(0, tests - failures - errors - skipped)
            step.failures += [f"{case.get('classname')}::{case.get('name')}"
                              for case in suite.iter("testcase")
                              if {"failure", "error"} & {part.tag for part in case}]
    elif status == 0:
        step.passed = 1
    elif step.optional:
        step.skipped = 1
        return
    # A run that broke off, or found no test, has failed whatever it counted.
    if status != 0 and step.failed == 0:
        step.failed = 1


def title(step):
    return f"\n==== {step.name} ({versions(step.venv)})"


def run(step, number, log=None):
    junit = RESULTS / f"{number}.xml"
    start = time.monotonic()
    status = call(step, junit, log)
    step.seconds = time.monotonic() - start
    count(step, status, junit)


def run_beside(step, number):
    """Run a step whose output is kept; returns the output."""
    path = RESULTS / f"{number}.log"
    with path.open("w") as log:
        run(step, number, log)
    return path.read_text(errors="replace")


def run_all(steps):
    """All steps, side by side as far as the cores go."""
    build = Step("clusters", MAIN, ["python", "-m", "lab.kube"], optional=True, limit=3600)
    numbered = list(enumerate([build, *sorted(steps, key=lambda step: step.clusters)], 1))
    with ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(1) as builder:
        built = builder.submit(run_beside, build, 1)

        def wait_and_run(step, number, how):
            if step.clusters:
                built.result()
            return how(step, number)

        others = [(build, built)]
        others += [(step, beside.submit(wait_and_run, step, number, run_beside))
                   for number, step in numbered[1:] if not step.junit]
        try:
            for number, step in numbered[1:]:
                if step.junit:
                    print(title(step), flush=True)
                    wait_and_run(step, number, run)
        except KeyboardInterrupt:
            beside.shutdown(wait=False, cancel_futures=True)
            builder.shutdown(wait=False)
            for group in list(RUNNING):
                end(group)
            raise
        for step, output in others:
            print(title(step), output.result(), sep="\n", flush=True)
    return [step for _number, step in numbered]


def summarise(steps, venvs):
    print("\n==== summary")
    for venv in venvs:
        print(f"{venv.name}: {versions(venv)}")
    if OLDER not in venvs:
        print("Only one of the two supported lines of ansible-core: no Python 3.11 beside "
              "a newer one.")
    print(f"{'step':<34}{'seconds':>8}{'passed':>8}{'failed':>8}{'skipped':>8}")
    for step in steps:
        name = step.name if step.venv == MAIN else f"{step.name} ({step.venv.name})"
        print(f"{name:<34}{step.seconds:>8.1f}{step.passed:>8}{step.failed:>8}{step.skipped:>8}")
    passed, failed, skipped = (sum(getattr(step, key) for step in steps)
                               for key in ("passed", "failed", "skipped"))
    names = [f"failed: {step.name}: {name}" for step in steps if step.failed
             for name in step.failures or ["see its output"]]
    result = f"{passed} passed, {failed} failed, {skipped} skipped"
    (RESULTS / "summary").write_text("\n".join([*names, result]) + "\n")
    print(*names, result, sep="\n", flush=True)
    return 1 if failed else 0


def main():
    shutil.rmtree(RESULTS, ignore_errors=True)
    RESULTS.mkdir()
    steps, venvs = main_steps(), [MAIN]
    if OLDER.is_dir():
        steps += older_steps()
        venvs.append(OLDER)
    return summarise(run_all(steps), venvs)


if __name__ == "__main__":
    sys.exit(main())
