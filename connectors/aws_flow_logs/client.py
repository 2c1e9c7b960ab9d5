"""Landing VPC flow logs: text and Parquet files, each of them a scope, summed to hours.

What belongs here: reading the two forms, refusing records, telling what is lost. What must not: what fields mean
(`schema.py`).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from datetime import UTC

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from connectors.aws_flow_logs import schema
from connectors.aws_flow_logs.settings import Settings
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import TRANSFERS
from connectors.common.file_listing import check_stored_files
from connectors.common.flows.addresses import AddressBook
from connectors.common.flows.sums import FlowSums
from connectors.common.landing import FileDelivery
from connectors.common.logs.blocks import read_line_blocks
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.stored_landing import land_stored_files

SUFFIXES = (".log.gz", ".log", ".parquet", ".log.parquet", ".gz", ".txt")
_BATCH_ROWS = 100_000


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all flow log files that are new; nothing of them is kept but sums between addresses of our own."""
    book = AddressBook(settings.own_networks)
    now = int(context.now.replace(tzinfo=UTC).timestamp() * 1_000_000)

    def read(file: SourceFile, delivery: FileDelivery) -> None:
        _FileReader(file, delivery, settings, book, now).read()

    typing = {
        "schema": schema.SCHEMA_VERSION,
        "own_networks": sorted(settings.own_networks),
        "nat_addresses": sorted(settings.nat_addresses),
    }
    return land_stored_files(settings, context, (TRANSFERS,), read, typing=typing, suffixes=SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


class _FileReader:
    """One file: its records in batches, what of them is refused, and what the log itself says it lost."""

    def __init__(
        self, file: SourceFile, delivery: FileDelivery, settings: Settings, book: AddressBook, now: int
    ) -> None:
        self._file = file
        self._delivery = delivery
        self._nat_addresses = list(settings.nat_addresses)
        self._book = book
        self._now = now
        self._sums = FlowSums(delivery, "aws")
        self._account, self._flow_log = schema.find_flow_log(file.relative)
        self._fields: frozenset[str] = frozenset()
        self._counts: Counter[str] = Counter()

    def read(self) -> None:
        """Read the whole file. Raises FileFault for one that is no flow log or cannot be read to its end."""
        batches = self._read_parquet() if self._is_parquet() else self._read_text()
        for batch in batches:
            self._take(batch)
        self._sums.finish()
        self._tell()

    def _is_parquet(self) -> bool:
        with self._file.path.open("rb") as stream:
            return stream.read(4) == b"PAR1"

    def _note_fields(self, names: list[str]) -> None:
        self._fields = frozenset(names)
        known = [name for name in names if name in schema.READ]
        missing = [name for name in schema.REQUIRED if name not in self._fields]
        if missing:
            message = (
                f"lacks the fields {', '.join(missing)}; create the flow log with the format in "
                "connectors/aws_flow_logs/README.md, delivered to S3, where files begin with a header"
            )
            raise FileFault("missing_column", message, line=1, column=missing[0])
        self._delivery.note_schema(known)

    def _read_text(self) -> Iterator[pl.DataFrame]:
        names: list[str] | None = None
        for number, lines in read_line_blocks(self._file.path, self._delivery.quarantine):
            if names is None:
                names = _read_header(lines[0])
                self._note_fields(names)
                lines, number = lines[1:], number + 1
            yield self._build_frame(names, number, lines)
        if names is None:
            self._delivery.add("header_only", "is empty: it says nothing of traffic", Severity.INFO)

    def _build_frame(self, names: list[str], number: int, lines: list[bytes]) -> pl.DataFrame:
        texts = pa.array(lines, pa.binary())
        separators = pc.count_substring(texts, pattern=b" ").to_numpy()
        lengths = pc.binary_length(texts).to_numpy()
        is_whole = separators == len(names) - 1
        for position in ((separators != len(names) - 1) & (lengths > 0)).nonzero()[0].tolist():
            self._delivery.quarantine(number + position, "not as many fields as the header names")
        positions = is_whole.nonzero()[0]
        content = b"\n".join(lines if is_whole.all() else [lines[position] for position in positions])
        if not len(positions):
            return pl.DataFrame(schema={"line": pl.Int64} | dict.fromkeys(schema.READ, pl.String))
        frame = pl.DataFrame(_parse_fields(content, names))
        return frame.with_columns(pl.Series("line", positions + number, pl.Int64))

    def _read_parquet(self) -> Iterator[pl.DataFrame]:
        try:
            with pq.ParquetFile(self._file.path) as content:
                names = {name: name.replace("_", "-") for name in content.schema_arrow.names}
                self._note_fields(list(names.values()))
                wanted = [name for name, own in names.items() if own in schema.READ]
                first = 1
                for batch in content.iter_batches(_BATCH_ROWS, columns=wanted):
                    frame = pl.DataFrame(pa.Table.from_batches([batch])).rename(names, strict=False)
                    texts = frame.select(pl.all().cast(pl.String).replace("-", None))
                    yield texts.with_row_index("line", first).with_columns(pl.col("line").cast(pl.Int64))
                    first += batch.num_rows
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
            message = f"is no readable Parquet ({type(error).__name__}); deliver it again"
            raise FileFault("unreadable_file", message) from error

    def _take(self, batch: pl.DataFrame) -> None:
        counted = self._set_aside(batch)
        typed = schema.type_records(counted, self._book)
        judged = typed.with_columns(schema.find_faults(typed, self._now).alias("fault"))
        for line, fault in judged.filter(pl.col("fault").is_not_null()).select("line", "fault").iter_rows():
            self._delivery.quarantine(line, fault)
        sound = judged.filter(pl.col("fault").is_null())
        if self._nat_addresses:
            sound = sound.filter(~_passes(self._nat_addresses))
        flows = schema.build_flows(sound, self._account, self._flow_log, "instance-id" in self._fields)
        self._sums.add(flows)

    def _set_aside(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Count what is no traffic: nothing seen, records lost, and what was rejected."""
        status = pl.col("log-status") if "log-status" in batch.columns else pl.lit(None, pl.String)
        action = pl.col("action") if "action" in batch.columns else pl.lit(None, pl.String)
        kind = (
            pl.when(status == "NODATA")
            .then(pl.lit("nodata"))
            .when(status == "SKIPDATA")
            .then(pl.lit("skipdata"))
            .when(action == "REJECT")
            .then(pl.lit("reject"))
            .otherwise(pl.lit("flow"))
        )
        marked = batch.with_columns(kind.alias("kind"))
        for name, count in marked.group_by("kind").len().iter_rows():
            self._counts[name] += count
        return marked.filter(pl.col("kind") == "flow").drop("kind")

    def _tell(self) -> None:
        if self._counts["skipdata"]:
            message = (
                f"{self._counts['skipdata']} records say SKIPDATA: AWS lost flows of these windows, so that weights of "
                "busy interfaces are too low; a shorter aggregation interval loses less"
            )
            self._delivery.add("lost_records", message, Severity.WARN, count=self._counts["skipdata"])
        absent = [name for name in schema.RECOMMENDED if name not in self._fields]
        if absent and self._fields:
            message = (
                f"lacks the fields {', '.join(absent)}: gateways, zones or the direction are told apart worse; create "
                "the flow log with the format in connectors/aws_flow_logs/README.md"
            )
            self._delivery.add("coarse_flow_log", message, Severity.INFO)


def _read_header(line: bytes) -> list[str]:
    names = line.decode("utf-8", "replace").strip().removeprefix("\ufeff").split(" ")
    if "srcaddr" not in names and "bytes" not in names:
        message = (
            "begins with no header of field names: it is no flow log that AWS delivered to S3; take it out of the "
            "folder, or narrow `pattern`"
        )
        raise FileFault("unknown_format", message, line=1)
    known = {name: names.index(name) for name in schema.READ if name in names}
    return [name if known.get(name) == n else f"field {n}" for n, name in enumerate(names)]


def _parse_fields(content: bytes, names: list[str]) -> pa.Table:
    """Return the known fields of whole lines as text, `-` as null."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        content = content.decode("utf-8", "replace").encode("utf-8")
    wanted = [name for name in names if name in schema.READ]
    return csv.read_csv(
        io.BytesIO(content),
        csv.ReadOptions(column_names=names, block_size=2 * _BATCH_ROWS * 100),
        csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.string()),
            null_values=["-"],
            strings_can_be_null=True,
        ),
    )


def _passes(addresses: list[str]) -> pl.Expr:
    """Records of a NAT gateway on its outer side, where the log cannot tell who sent."""
    is_out = pl.col("srcaddr").is_in(addresses) & pl.col("pkt-dstaddr").is_null()
    is_back = pl.col("dstaddr").is_in(addresses) & pl.col("pkt-srcaddr").is_null()
    return (is_out | is_back).fill_null(False)
