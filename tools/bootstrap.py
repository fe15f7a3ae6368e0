"""Install everything into the checkout: `.venv`, and with --all also `.venv-core219`.

Runs on any Python 3 without packages. Does nothing when the lock file has not changed.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pythons  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUIREMENTS = os.path.join(ROOT, "requirements")
POLICY = "/usr/sbin/policy-rc.d"


def run(*command, **options):
    subprocess.run(command, check=True, **options)


def add_venv_module(python):
    """Debian keeps ensurepip in a package of its own: add it as root, else say so and stop."""
    package = "python{}.{}-venv".format(*python["version"])
    if os.geteuid() != 0:
        sys.exit("{} cannot make environments. As root: apt-get install {}".format(
            python["path"], package))
    run("apt-get", "update", "-q")
    run("apt-get", "install", "-q", "-y", package)


def add_programs():
    """Programs for tests out of Debian's packages, as root; what is missing skips its tests."""
    with open(os.path.join(REQUIREMENTS, "debian.txt")) as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    missing = [package for program, package in rows if not shutil.which(program)]
    if not missing or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update", "-q"], env=quiet, check=False)
    with no_services():
        done = subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends",
                               *missing], env=quiet, check=False)
    if done.returncode:
        print("apt-get install failed; tests that need {} are skipped".format(
            ", ".join(missing)), flush=True)


@contextlib.contextmanager
def no_services():
    """Packages that are installed meanwhile do not start the services they bring along: invoke-rc.d
    and deb-systemd-invoke ask this program, and 101 means no (invoke-rc.d(8))."""
    made = not os.path.exists(POLICY)
    if made:
        with open(POLICY, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(POLICY, 0o755)
    try:
        yield
    finally:
        if made:
            os.unlink(POLICY)


def uv_environment(pip):
    """uv does not read pip's configuration; hand over what says where packages come from."""
    environment = dict(os.environ)
    settings = pythons.pip_settings(pip)
    for name, variable in (("index-url", "UV_DEFAULT_INDEX"), ("extra-index-url", "UV_INDEX"),
                           ("find-links", "UV_FIND_LINKS"), ("cert", "SSL_CERT_FILE")):
        if name in settings:
            environment.setdefault(variable, settings[name])
    return environment


def install(venv, lock):
    """Install a lock file with uv, and with pip should uv not work here."""
    bin_dir = os.path.join(venv, "bin")
    pip = os.path.join(bin_dir, "pip")
    uv_lock = os.path.join(REQUIREMENTS, "bootstrap.lock")
    arguments = ["--require-hashes", "-r", lock]
    try:
        run(pip, "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", uv_lock)
        run(os.path.join(bin_dir, "uv"), "pip", "install", "-q", "--python",
            os.path.join(bin_dir, "python"), *arguments, env=uv_environment(pip))
    except (OSError, subprocess.CalledProcessError):
        print("uv did not install the packages, trying pip (slower)", flush=True)
        run(pip, "install", "-q", "--disable-pip-version-check", *arguments)


def link_collection():
    """Make the checkout the collection `groundwork.aws` of the folder `.collections`."""
    folder = os.path.join(ROOT, ".collections", "ansible_collections", "groundwork")
    link = os.path.join(folder, "aws")
    os.makedirs(folder, exist_ok=True)
    if not os.path.islink(link):
        os.symlink(os.path.join("..", "..", ".."), link)


def add_to_path(venv):
    """Let every Python of the environment import `ansible_collections.groundwork.aws`."""
    for site in glob.glob(os.path.join(venv, "lib", "python3*", "site-packages")):
        with open(os.path.join(site, "groundwork_checkout.pth"), "w") as file:
            file.write(os.path.join(ROOT, ".collections") + "\n")


def compile_packages(venv):
    """Compile what was installed, as pip does and uv does not: each start is twice as fast.

    Ansible packs collections as source, so those are left out.
    """
    for site in glob.glob(os.path.join(venv, "lib", "python3*", "site-packages")):
        subprocess.run([os.path.join(venv, "bin", "python"), "-m", "compileall", "-q", "-j", "0",
                        "-x", "ansible_collections|ansible_test", site],
                       check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make(venv, python, lock):
    """Bring one environment to its lock file; the stamp remembers which one it has."""
    digest = hashlib.sha256()
    for path in (lock, os.path.join(REQUIREMENTS, "bootstrap.lock")):
        with open(path, "rb") as file:
            digest.update(file.read())
    stamp = os.path.join(venv, ".groundwork-stamp")
    # An environment knows its own path and its Python: it starts anew when one of them changes.
    base = "{}\n{}\n".format(venv, python["path"])
    wanted = base + digest.hexdigest() + "\n"
    have = ""
    if os.path.exists(stamp):
        with open(stamp) as file:
            have = file.read()
    if have == wanted:
        return
    if not python["whole"]:
        add_venv_module(python)
    print("Installing into {} with Python {}.{}.{}, which takes some minutes".format(
        os.path.relpath(venv, ROOT), *python["version"]), flush=True)
    if not have.startswith(base):
        run(python["path"], "-m", "venv", "--clear", venv)
    install(venv, lock)
    add_to_path(venv)
    compile_packages(venv)
    with open(stamp, "w") as file:
        file.write(wanted)


def main():
    found = pythons.find()
    if not found:
        sys.exit("No Python 3.11, 3.12, 3.13 or 3.14 found; one of them is needed.")
    # Two at the same time would install into the same environment: the second waits.
    checkout = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(checkout, fcntl.LOCK_EX)
    link_collection()
    try:
        main_line = next(name for name in pythons.LINES if name in found)
        lines = [(main_line, ".venv")]
        if "--all" in sys.argv[1:] and "py311" in found and main_line != "py311":
            lines.append(("py311", ".venv-core219"))
        if "--all" in sys.argv[1:]:
            add_programs()
        for name, folder in lines:
            make(os.path.join(ROOT, folder), found[name],
                 os.path.join(REQUIREMENTS, pythons.LINES[name]["lock"]))
    except subprocess.CalledProcessError as error:
        sys.exit("Installation failed: {}".format(" ".join(error.cmd)))
    except KeyboardInterrupt:
        sys.exit("Interrupted; the next make goes on.")


if __name__ == "__main__":
    main()
