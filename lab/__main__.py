"""python -m lab start|stop|status|reset|calls|settings|faults|inventory|clusters"""

import argparse
import json
import signal
import socket
import sys
from pathlib import Path

from lab.kube.build import built
from lab.kube.fleet import NEEDED
from lab.launcher import LabError, Launcher
from lab.postgresql import programs


def arguments():
    parser = argparse.ArgumentParser(prog="python -m lab", description="the emulated AWS")
    parser.add_argument("verb", choices=[*VERBS, "serve"])
    parser.add_argument("value", nargs="?", help="JSON or a file, for settings and faults")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--state", help="folder of the state; default .lab in the checkout")
    parser.add_argument("--settings", default="{}", help="JSON or a file")
    return parser.parse_args()


def data(text):
    """JSON itself, or the name of a file that holds it."""
    if text is None or text.lstrip()[:1] in "{[":
        return json.loads(text) if text else None
    return json.loads(Path(text).read_text())


def start(launcher, options):
    """Clusters are real where their programs are built, and databases with them where PostgreSQL
    is installed, unless the settings say otherwise."""
    settings = {"kubernetes": built(*NEEDED) is not None, **data(options.settings)}
    settings.setdefault("postgresql", settings["kubernetes"] and programs() is not None)
    print(launcher.start(options.port, settings)["endpoint"])


def stop(launcher, options):
    print("stopped" if launcher.stop() else "not running")


def status(launcher, options):
    state = launcher.running()
    print(json.dumps(state) if state else "not running")
    return 0 if state else 3


def show(method, path):
    def verb(launcher, options):
        body = data(options.value)
        print(json.dumps(launcher.ask("PUT" if body is not None else method, path, body),
                         indent=1))
    return verb


VERBS = {"start": start, "stop": stop, "status": status, "reset": show("POST", "reset"),
         "calls": show("GET", "calls?log=0"), "settings": show("GET", "settings"),
         "faults": show("GET", "faults"), "inventory": show("GET", "inventory"),
         "clusters": show("GET", "clusters")}


def serve(launcher, options):
    """The server process itself; in the foreground."""
    from lab.settings import Settings

    settings = Settings.of(data(options.settings))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    door = socket.create_server(("127.0.0.1", options.port), backlog=128)
    # Callers may knock from here on: they wait in the queue for the second that moto needs.
    launcher.announce(door.getsockname()[1])
    try:
        from lab.server import serve_on
        serve_on(door, settings, launcher.folder)
    finally:
        launcher.file.unlink(missing_ok=True)


def main():
    options = arguments()
    launcher = Launcher(options.state)
    try:
        verb = serve if options.verb == "serve" else VERBS[options.verb]
        return verb(launcher, options) or 0
    except (LabError, OSError, ValueError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
