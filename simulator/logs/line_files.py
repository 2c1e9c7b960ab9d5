"""Text lines into files: one file a value of a column, plain or gzipped.

What belongs here: writing. What must not: what a line says.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl

_GZIP_LEVEL = 1


def put_file(path: Path, content: bytes) -> None:
    """Write a file, unless it says so already: what a vendor delivered stays as it was, with its time."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_lines(root: Path, lines: pl.DataFrame, *, header: str | None = None) -> None:
    """Write the column `line` of each `file` (a path below `root`) in order; `.gz` files are gzipped.

    Where there is a column `copies`, lines with 2 stand once more at the end of their file: an exporter that was not
    answered sends again.
    """
    if "copies" in lines.columns:
        lines = pl.concat([lines, lines.filter(pl.col("copies") > 1)])
    for (name,), part in lines.partition_by("file", as_dict=True, maintain_order=True).items():
        path = root / str(name)
        content = part["line"].str.join("\n").item().encode() + b"\n"
        if header is not None:
            content = header.encode() + b"\n" + content
        if path.suffix == ".gz":
            content = gzip.compress(content, _GZIP_LEVEL, mtime=0)
        put_file(path, content)


def write_csv(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame as CSV with a header; times in UTC to the second, nulls empty."""
    times = [pl.col(n).dt.strftime("%Y-%m-%dT%H:%M:%SZ") for n, t in frame.schema.items() if t == pl.Datetime]
    put_file(path, frame.with_columns(times).write_csv().encode())
