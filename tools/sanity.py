"""Run `ansible-test sanity` of an environment on a copy of the checkout.

ansible-test wants a folder `ansible_collections/groundwork/aws` around the collection, a real
Python on the PATH, and a pip script from a host that is no package registry. This gives it all
three. Usage: python tools/sanity.py ENVIRONMENT [ARGUMENTS OF ansible-test sanity ...]
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pythons

ROOT = Path(__file__).resolve().parent.parent

# ansible-test runs this where it would run the downloaded get-pip.py.
STAND_IN = "import ensurepip\n\nensurepip.bootstrap()\n"


def copy_checkout(target):
    """Copy what git tracks or would track: no environment, no cache, no result."""
    listing = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT,
                             stdout=subprocess.PIPE, check=True).stdout
    for name in sorted(set(listing.decode().split("\0"))):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


def write_stand_in(venv, home):
    """ansible-test looks for the script of its own pip version in a folder of the home."""
    module = next(venv.glob("lib/python3*/site-packages/ansible_test/_internal")) \
        / "python_requirements.py"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"\bpip='([\d.]+)'", module.read_text()):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(STAND_IN)


def write_pip_settings(venv, home):
    """ansible-test hides the environment from pip: put its settings into a file of the home."""
    settings = pythons.pip_settings(venv / "bin" / "pip") | {"quiet": "1"}
    folder = home / ".config" / "pip"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {value}\n" for key, value in settings.items()]
    (folder / "pip.conf").write_text("[global]\n" + "".join(lines))


def make_environment(venv, home):
    """A home of our own, and the real Python on the PATH: ansible-test makes environments."""
    environment = dict(os.environ)
    for name in ("PYTHONPATH", "ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH"):
        environment.pop(name, None)
    config = (venv / "pyvenv.cfg").read_text()
    python_folder = re.search(r"^home = (.+)$", config, re.MULTILINE)[1]
    environment["HOME"] = str(home)
    environment["PATH"] = os.pathsep.join([str(venv / "bin"), python_folder, environment["PATH"]])
    return environment


def main():
    venv = (ROOT / sys.argv[1]).absolute()
    home = ROOT / ".cache" / "ansible-test"
    write_stand_in(venv, home)
    write_pip_settings(venv, home)
    version = subprocess.run(
        [venv / "bin" / "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="groundwork-sanity-") as folder:
        collection = Path(folder) / "ansible_collections" / "groundwork" / "aws"
        copy_checkout(collection)
        shutil.copytree(next(venv.glob("lib/python3*/site-packages/ansible_collections/amazon")),
                        collection.parents[1] / "amazon")  # its doc fragments and module_utils
        command = [venv / "bin" / "ansible-test", "sanity", "--color", "no", "--python", version]
        return subprocess.run(command + sys.argv[2:], cwd=collection,
                              env=make_environment(venv, home), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
