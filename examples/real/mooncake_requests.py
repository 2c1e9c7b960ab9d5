"""Mooncake's public trace of a chat service → JSON lines that the connector `request_files` reads.

The trace (kvcache-ai/Mooncake, Apache-2.0) states per call a time in milliseconds, the lengths of prompt and answer,
and `hash_ids`: one number a block of 512 prompt tokens, equal for equal blocks with equal blocks before them. So it
says how much of a prompt a prefix cache could have read.

The cache model: one cache for all calls, in the order of the trace. The leading blocks of a prompt that the cache holds
are read from it, up to the first that it does not hold; the last block counts by the tokens that it has. Afterwards the
cache holds all blocks of the prompt. `--blocks N` keeps the N blocks used last (LRU), without it none is ever dropped.

    python examples/real/mooncake_requests.py TRACE OUT --start 2026-11-19T00:00:00 [--blocks N]

A source then maps `started_at: time, input_tokens: input, cache_read_tokens: cached, output_tokens: output`.
"""

from __future__ import annotations

import argparse
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

BLOCK_TOKENS = 512


class PrefixCache:
    """Which blocks are held; `capacity=None` holds all that were ever seen."""

    def __init__(self, capacity: int | None = None) -> None:
        self._capacity = capacity
        self._held: OrderedDict[int, None] = OrderedDict()

    def read(self, blocks: list[int]) -> int:
        """Return how many leading blocks are read; then hold all of the prompt's, the first ones used last."""
        known = 0
        while known < len(blocks) and blocks[known] in self._held:
            known += 1
        for block in reversed(blocks):  # a prefix without its beginning is of no use: it goes first
            self._held[block] = None
            self._held.move_to_end(block)
        while self._capacity is not None and len(self._held) > self._capacity:
            self._held.popitem(last=False)
        return known


def build_requests(
    lines: Iterable[str], start: datetime, capacity: int | None = None
) -> Iterator[dict[str, str | int]]:
    """Yield one request a line of the trace, its cache reads in tokens."""
    cache = PrefixCache(capacity)
    for line in lines:
        call = json.loads(line)
        length = call["input_length"]
        known = cache.read(call["hash_ids"])
        moment = start + timedelta(milliseconds=call["timestamp"])
        yield {
            "time": moment.isoformat(timespec="milliseconds"),
            "input": length,
            "cached": min(known * BLOCK_TOKENS, length),
            "output": call["output_length"],
        }


def main() -> None:
    """Convert one trace."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trace", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--start", type=datetime.fromisoformat, required=True, help="UTC time of the trace's zero"
    )
    parser.add_argument("--blocks", type=int, default=None, help="blocks that the cache holds; default: all")
    given = parser.parse_args()
    with given.trace.open(encoding="utf-8") as trace, given.out.open("w", encoding="utf-8") as out:
        for request in build_requests(trace, given.start, given.blocks):
            out.write(f"{json.dumps(request)}\n")


if __name__ == "__main__":
    main()
