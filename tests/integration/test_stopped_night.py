"""A night that a signal ends, as a process of its own: what it says, its exit code, and what it leaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_a_night_stopped_by_a_signal_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        config = tmp_path / "everycent.yml"
        config.write_text(
            "home: home\nidentity: {pseudonymise: false}\nsources:\n"
            "  - {name: openai, connector: openai, organization_id: org, api_key_env: ANY_KEY, "
            f"endpoint: '{address}'}}\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "pipelines.cli", "nightly", "--config", str(config)]
        environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_HOME"}
        environment["ANY_KEY"] = "not-a-key"
        night = subprocess.Popen(  # noqa: S603 (our own program)
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            connection, _ = silent.accept()
            with connection:
                night.send_signal(signal.SIGTERM)
                _, told = night.communicate(timeout=60)
        finally:
            night.kill()
    assert night.returncode == 1, told
    assert "everycent: stopped by a signal; nothing was published; run it again" in " ".join(told.split())
    assert not (tmp_path / "home" / "warehouse" / "current").exists()
