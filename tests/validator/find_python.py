"""Prints a Python that the official FOCUS validator runs on, or nothing: `python find_python.py [UV]`.

What belongs here: where interpreters are looked for. What must not: making environments (Makefile).

The validator needs Python 3.12 or newer. 3.12 is taken before newer ones: the validator pins numpy 1, which has
ready wheels for no later Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.12", "3.13", "3.14")


def find_candidates(version: str, uv: str | None) -> Iterator[str]:
    """Paths that may be a Python of that version: on PATH, of pyenv, and what uv finds."""
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from (str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python")))
    if uv:
        yield read_output([uv, "python", "find", "--no-project", "--system", version])


def read_output(command: list[str]) -> str:
    """What a command prints; empty where it does not run or fails (a pyenv shim of a version not chosen does)."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def find_python(uv: str | None) -> str:
    """The first candidate that really is of its version; empty if there is none."""
    show = "import sys, venv; print('.'.join(map(str, sys.version_info[:2])))"
    for version in VERSIONS:
        for path in find_candidates(version, uv):
            if path and read_output([path, "-c", show]) == version:
                return path
    return ""


if __name__ == "__main__":
    sys.stdout.write(find_python(sys.argv[1] if len(sys.argv) > 1 else None))
