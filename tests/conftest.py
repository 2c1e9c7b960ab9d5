"""Fixtures for every test: the real data, a fresh lake with a fixed clock, no network but loopback.

What belongs here: small shared fixtures. What must not: cases of one test file.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

from connectors.common.contract import LandingContext
from connectors.common.identity import Identity

ROOT = Path(__file__).resolve().parents[1]
CLOCK = datetime(2026, 11, 20, 3, 0, 0)

pytest_plugins = ["tests.servers.fixtures"]


def pytest_runtest_setup() -> None:
    """Block the network for every test; loopback and unix sockets stay open."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; absent, tests skip with a reason, in CI they fail."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        reason = f"the real data folder {folder} is not here"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def lake_context(tmp_path: Path) -> LandingContext:
    """A landing context on an empty lake: fixed clock, a demo key, the tag keys of the tests."""
    return LandingContext(
        lake=tmp_path / "lake",
        now=CLOCK,
        identity=Identity(b"test key"),
        tag_keys={
            "feature": ("feature", "application"),
            "team": ("team", "business_unit"),
            "environment": ("environment", "env"),
            "user_id": ("user", "owner"),
        },
    )
