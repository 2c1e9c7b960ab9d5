"""Parquet in batches of bounded size, whatever its values are coded as."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.common import parquet_batches
from connectors.common.parquet_batches import iterate_batches
from connectors.common.source_files import FileFault

TEXT = "p" * 100_000


@pytest.mark.parametrize("is_coded", [True, False], ids=["coded", "plain"])
@pytest.mark.parametrize("group_rows", [1, 100, 5000])
def test_long_values_come_a_few_rows_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_coded: bool, group_rows: int
) -> None:
    monkeypatch.setattr(parquet_batches, "BATCH_BYTES", 10_000_000)
    texts = pa.array([TEXT] * 5000)
    if is_coded:
        texts = texts.dictionary_encode()
    path = tmp_path / "a.parquet"
    table = pa.table({"n": range(5000), "text": texts, "other": ["x"] * 5000})
    pq.write_table(table, path, row_group_size=group_rows)
    seen: list[int] = []
    with pq.ParquetFile(path) as content:
        for batch in iterate_batches(content, ["n", "text"], 5000, path.stat().st_size):
            assert batch.num_rows <= 100
            assert batch.schema.names == ["n", "text"]
            seen += batch.column("n").to_pylist()
    assert seen == list(range(5000))


def test_short_values_come_in_whole_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": range(5000)}), path, row_group_size=1000)
    with pq.ParquetFile(path) as content:
        sizes = [batch.num_rows for batch in iterate_batches(content, ["n"], 2000, 10_000)]
    assert sizes == [2000, 2000, 1000]


def test_a_file_without_rows_has_no_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": pa.array([], pa.int64())}), path)
    with pq.ParquetFile(path) as content:
        assert [
            batch.num_rows for batch in iterate_batches(content, ["n"], 2000, 10_000) if batch.num_rows
        ] == []


def test_a_small_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_batches, "PLAIN_BYTES", 50_000_000)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([TEXT] * 5000).dictionary_encode()}), path, compression="zstd")
    assert path.stat().st_size < 20_000
    with pq.ParquetFile(path) as content, pytest.raises(FileFault, match="500 times its size"):
        for _ in iterate_batches(content, ["text"], 5000, path.stat().st_size):
            pass
