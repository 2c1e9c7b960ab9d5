"""Folders hold what their name promises, and the repository holds no address of a machine."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONNECTORS = sorted(
    path
    for path in (ROOT / "connectors").iterdir()
    if path.is_dir() and path.name not in ("common", "__pycache__")
)
CONNECTOR_FILES = ("__init__.py", "client.py", "schema.py", "settings.py", "README.md")
MACHINE_PATHS = re.compile(r"(?<![\w.~}])/(?!home/sample\b)(?:home|root|work|Users|opt|tmp/bash|mnt)/[\w.-]+")
PRIVATE_HOSTS = re.compile(
    r"\b(?:10\.\d{1,3}|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}\b|[\w.-]+\.(?:internal|corp|lan)\b"
)
SAMPLE_ADDRESSES = ("examples/", "simulator/", "tests/", "docs/")
"""Where private addresses are data: cloud logs are full of them."""


@cache
def _tracked() -> tuple[str, ...]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def _texts() -> list[tuple[str, str]]:
    found = []
    for name in _tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            found.append((name, content.decode("utf-8", errors="replace")))
    return found


@pytest.mark.parametrize("folder", CONNECTORS, ids=lambda path: path.name)
def test_a_connector_folder_holds_the_same_files(folder: Path) -> None:
    assert [name for name in CONNECTOR_FILES if not (folder / name).is_file()] == []


def test_there_are_connectors() -> None:
    assert len(CONNECTORS) >= 8


def test_file_and_folder_names_are_snake_case() -> None:
    for name in _tracked():
        if name.endswith((".py", ".sql")):
            assert re.fullmatch(r"[a-z0-9_./]+(?:\.[a-z_]+)*\.(?:py|sql)", name), name


def test_no_machine_path_or_host_is_in_the_repository() -> None:
    texts = _texts()
    assert len(texts) > 50
    for name, text in texts:
        if name == "tests/architecture/test_names.py" or name.startswith("models_sql/reference/"):
            continue
        assert not MACHINE_PATHS.findall(text), (
            f"{name} holds a machine's path {MACHINE_PATHS.findall(text)[:3]}"
        )
        if not name.startswith(SAMPLE_ADDRESSES):
            assert not PRIVATE_HOSTS.findall(text), f"{name} holds {PRIVATE_HOSTS.findall(text)[:3]}"


def test_the_lock_pins_every_package_with_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    pins = [
        line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith(("#", "--"))
    ]
    assert len(pins) > 50
    for pin in pins:
        assert re.match(r"[A-Za-z0-9._-]+(?:\[[\w,-]+\])?==\S+", pin), pin
        assert "--hash=sha256:" in pin, f"{pin.split()[0]} has no hash"
    assert not re.search(r"https?://|file:|--(?:extra-)?index-url|--find-links| @ ", text)


def test_no_checked_in_file_is_too_large() -> None:
    sizes = {name: (ROOT / name).stat().st_size for name in _tracked()}
    assert {name: size for name, size in sizes.items() if size > 1_000_000} == {}
