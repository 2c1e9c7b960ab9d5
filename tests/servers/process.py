"""Starting a server as a process of its own and learning where it listens.

What belongs here: the life of one process. What must not: any one server's options.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal


@contextmanager
def run_server(
    command: Sequence[str],
    ready: str,
    stream: Literal["stdout", "stderr"],
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Start a server on a port it chooses itself; yield the first group of `ready` as its output tells it.

    Raises RuntimeError with the output when it ends before it is ready.
    """
    other = "stdout" if stream == "stderr" else "stderr"
    pipes = {stream: subprocess.PIPE, other: subprocess.STDOUT if other == "stderr" else subprocess.DEVNULL}
    process = subprocess.Popen(list(command), text=True, env=environment, **pipes)  # type: ignore[call-overload]
    pipe = getattr(process, stream)
    try:
        seen: list[str] = []
        for line in pipe:
            seen.append(line)
            if match := re.search(ready, line):
                break
        else:
            raise RuntimeError(
                f"{command[0]} ended with {process.wait(10)} before it was ready: {''.join(seen)}"
            )
        drain = threading.Thread(target=pipe.read, daemon=True)  # a full pipe would block the server
        drain.start()
        yield match[1]
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
