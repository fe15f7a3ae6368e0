"""Start, find and stop the lab's one background process of a checkout."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from lab.processes import started

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 20


class LabError(Exception):
    pass


class Launcher:
    def __init__(self, state=None):
        self.folder = Path(state) if state else ROOT / ".lab"
        self.file = self.folder / "state.json"

    def running(self):
        """The state of the running server, or None. Another process with its pid is not it."""
        try:
            state = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return None
        begun = started(state["pid"])
        return state if begun is not None and begun == state["ticks"] else None

    def start(self, port=0, settings=None):
        state = self.running()
        if state:
            return state
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "lab", "serve", "--port", str(port),
                   "--state", str(self.folder), "--settings", json.dumps(settings or {})]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with open(self.folder / "lab.log", "ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log,
                                       stderr=log, stdin=subprocess.DEVNULL,
                                       start_new_session=True)
        return self.wait_for(process)

    def wait_for(self, process):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            state = self.running()
            if state:
                return state
            time.sleep(0.02)
        raise LabError(f"the lab did not start; see {self.folder / 'lab.log'}")

    def announce(self, port):
        """Called in the server once it listens."""
        pid = os.getpid()
        state = {"endpoint": f"http://localhost:{port}", "pid": pid, "ticks": started(pid),
                 "started": time.time()}
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(state))
        part.replace(self.file)

    def stop(self):
        """End exactly the process that was started here."""
        state = self.running()
        if state:
            os.kill(state["pid"], signal.SIGTERM)
            self.wait_gone(state)
        self.file.unlink(missing_ok=True)
        return state

    def wait_gone(self, state):
        deadline = time.monotonic() + 5
        while self.running():
            if time.monotonic() > deadline:
                os.kill(state["pid"], signal.SIGKILL)
                deadline = float("inf")
            time.sleep(0.02)

    def ask(self, method, path, body=None):
        """One request to the control API."""
        state = self.running()
        if state is None:
            raise LabError("the lab is not running; start it with: python -m lab start")
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{state['endpoint']}/_lab/{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise LabError(error.read().decode(errors="replace").strip()) from None
