"""Runs the checks of a model: those of its header, and that its grain is unique and not null.

What belongs here: when a check must run again, over which partitions, and its result. What must not: deciding
what a failed check means for the run (`publish` refuses, the edge reports).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.warehouse.engine import Engine, quote, quote_relation, render_order
from pipelines.warehouse.manifest import CheckResult, ReleaseManifest
from pipelines.warehouse.models import WINDOW_PARAMETERS, Check, Model
from pipelines.warehouse.periods import ALL, convert_key
from pipelines.warehouse.relations import DataFile, Relation, digest_of
from pipelines.warehouse.selection import Selection
from pipelines.warehouse.writer import Writer

SAMPLE_ROWS = 5


class Checker:
    """Checks one model after its partitions were written.

    A check by partition ($start, $end, or `by: partition`) runs for the partitions that were rebuilt or of which other
    tables that it reads changed, unless it is new, changed or had violations; any other runs over the whole table when
    something that it reads changed. Else the last result stands.
    Views have the checks of their header only: their grain is not scanned.
    """

    def __init__(
        self, engine: Engine, selection: Selection, writer: Writer, previous: ReleaseManifest | None = None
    ) -> None:
        self._engine = engine
        self._selection = selection
        self._writer = writer
        self._before = {} if previous is None else previous.relations

    def run(
        self, model: Model, rebuilt: Sequence[str], previous: Sequence[CheckResult]
    ) -> tuple[CheckResult, ...]:
        """Results of all checks of the model, in the header's order after the automatic ones."""
        last = {check.name: check for check in previous}
        results = [] if model.is_view else self._check_grain(model, rebuilt, last)
        for check in model.checks:
            known = last.get(check.name)
            run = self._run_by_partition if check.is_by_partition else self._run_whole
            results.append(run(model, check, rebuilt, known))
        return tuple(results)

    def _run_by_partition(
        self, model: Model, check: Check, rebuilt: Sequence[str], known: CheckResult | None
    ) -> CheckResult:
        others = sorted(set(check.statement.refs) - {model.name, *model.refs})
        parted = [ref for ref in others if self._selection.relation(ref, model.name).unit is not None]
        fingerprint = self._fingerprint(model, check, [ref for ref in others if ref not in parted])
        touched = {key for ref in parted for key in self._changed_keys(ref, model.unit or "")}
        keys = sorted({*rebuilt, *touched})
        if known is None or known.fingerprint != fingerprint or (keys and not known.passed):
            held = {key for ref in parted for key in self._keys(self._selection.keys(ref), model.unit or "")}
            keys = sorted({*self._selection.fingerprints[model.name], *held})
        elif not keys:
            return replace(known, description=check.description, severity=check.severity)
        rows: list[dict[str, str | None]] = []
        violations = 0
        for window in self._writer.windows(model, keys):
            if self._finds_nothing(model, check, window):
                continue
            self._writer.register(model, [ref for ref in check.statement.refs if ref != model.name], window)
            self._register_self(model, window)
            parameters = self._writer.parameters(f"check {model.name}.{check.name}", check.statement, window)
            found, sample = self._violations(check.sql, parameters)
            violations += found
            rows += sample
        return _result(check, violations, rows, fingerprint)

    def _changed_keys(self, ref: str, unit: str) -> set[str]:
        """Partitions of a model by `unit` whose part of another table is not what the last release read."""
        now = self._contents(ref, self._selection.relations[ref])
        record = self._before.get(ref)
        before = {} if record is None else self._contents(ref, record.relation, record.fingerprints)
        return self._keys((key for key in {*now, *before} if now.get(key) != before.get(key)), unit)

    def _contents(
        self, ref: str, relation: Relation, fingerprints: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        if self._selection.is_view(ref):
            return {**(self._selection.fingerprints[ref] if fingerprints is None else fingerprints)}
        return {key: [file.digest for file in files] for key, files in relation.files.items() if files}

    @staticmethod
    def _keys(keys: Iterable[str], unit: str) -> set[str]:
        return {own for key in keys for own in convert_key(key, unit)}

    def _run_whole(
        self, model: Model, check: Check, rebuilt: Sequence[str], known: CheckResult | None
    ) -> CheckResult:
        fingerprint = self._fingerprint(model, check, list(check.statement.refs))
        if known is not None and known.fingerprint == fingerprint:
            return replace(known, description=check.description, severity=check.severity)
        needed = self._selection.expand_whole(check.statement.refs)
        if self._writer.gives_no_rows(check.statement, needed):
            return _result(check, 0, [], fingerprint)
        self._writer.register_files(needed)
        parameters = self._writer.parameters(f"check {model.name}.{check.name}", check.statement, [ALL])
        return _result(check, *self._violations(check.sql, parameters), fingerprint)

    def _finds_nothing(self, model: Model, check: Check, keys: Sequence[str]) -> bool:
        """True where a check of these partitions reads too little to find a violation."""
        refs = {*check.statement.refs} - {model.name}
        if model.is_view:
            refs |= {*model.refs}
        needed = self._selection.expand(model, sorted(refs), keys)
        if not model.is_view:
            needed[model.name] = self._own_files(model, keys)
        return self._writer.gives_no_rows(check.statement, needed)

    def _fingerprint(self, model: Model, check: Check, whole: Sequence[str]) -> str:
        reader = f"check {model.name}.{check.name}"
        for ref in whole:
            self._selection.relation(ref, reader)
        names = sorted(check.statement.parameters - WINDOW_PARAMETERS)
        values = [(name, str(self._selection.parameter(name, reader))) for name in names]
        return digest_of((check.sql, values, [self._selection.whole(ref).digest for ref in whole]))

    def _register_self(self, model: Model, keys: Sequence[str]) -> None:
        if model.is_view:
            self._writer.register(model, model.refs, keys)
            self._engine.register_view(model.name, model.sql, model.columns)
            return
        self._engine.register(self._selection.relations[model.name], self._own_files(model, keys))

    def _own_files(self, model: Model, keys: Sequence[str]) -> tuple[DataFile, ...]:
        files = self._selection.relations[model.name].files
        return tuple(file for key in keys for file in files.get(key, ()))

    def _violations(self, sql: str, parameters: Mapping[str, Any]) -> tuple[int, list[dict[str, str | None]]]:
        query = f"from (\n{sql}\n) as violations"
        cursor = self._engine.run(f"select * {query} limit {SAMPLE_ROWS}", parameters)
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        sample = [{n: None if v is None else str(v) for n, v in zip(names, row, strict=True)} for row in rows]
        if len(rows) < SAMPLE_ROWS:
            return len(rows), sample
        return self._engine.execute(f"select count(*) {query}", parameters)[0][0], sample

    def _check_grain(
        self, model: Model, rebuilt: Sequence[str], last: Mapping[str, CheckResult]
    ) -> list[CheckResult]:
        """Grain unique and not null; over rebuilt partitions when the grain holds the partition column."""
        grain, partition = model.header.grain, model.header.partition_by
        if not grain:
            return []
        is_local = partition is None or partition.column in grain
        unique, filled = last.get("grain_is_unique"), last.get("grain_is_not_null")
        if unique and filled and not rebuilt:
            return [unique, filled]
        is_known = unique is not None and unique.passed and filled is not None and filled.passed
        keys = rebuilt if is_local and is_known else sorted(self._selection.fingerprints[model.name])
        if not self._own_files(model, keys):
            return self._grain_results(model, None, None)
        self._register_self(model, keys)
        table, columns = quote_relation(model.name), render_order(grain)
        some_null = " or ".join(f"{quote(column)} is null" for column in grain)
        # Equal keys have equal hashes: as many hashes as rows proves the grain; only otherwise is it counted.
        measured = f"count(*), count(distinct hash({columns})), count(*) filter (where {some_null})"
        rows, hashes, nulls = self._engine.execute(f"select {measured} from {table}")[0]
        doubles = (
            f"select {columns}, count(*) as rows_count from {table} group by {columns} having count(*) > 1"
        )
        holes = f"select {columns} from {table} where {some_null}"
        return self._grain_results(model, None if rows == hashes else doubles, holes if nulls else None)

    def _grain_results(self, model: Model, doubles: str | None, holes: str | None) -> list[CheckResult]:
        """Both results, counting the rows of the SELECTs that are given: none stands for no violation."""
        names = ", ".join(model.header.grain)
        return [
            self._grain_result("grain_is_unique", f"one row per {names}", doubles),
            self._grain_result("grain_is_not_null", f"no null in {names}", holes),
        ]

    def _grain_result(self, name: str, description: str, sql: str | None) -> CheckResult:
        violations, sample = self._violations(sql, {}) if sql else (0, [])
        return CheckResult(name, "fail", not violations, violations, tuple(sample), description)


def _result(
    check: Check, violations: int, rows: Sequence[Mapping[str, str | None]], fingerprint: str
) -> CheckResult:
    sample = tuple(rows[:SAMPLE_ROWS])
    return CheckResult(
        check.name, check.severity, not violations, violations, sample, check.description, fingerprint
    )
