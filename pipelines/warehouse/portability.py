"""Keeps the models portable: checks them against the house subset and renders them for Spark.

What belongs here: SELECT text in, findings or Spark SQL out. What must not: connecting to an engine.

    python -m pipelines.warehouse.portability                 print violations, exit 1 if any
    python -m pipelines.warehouse.portability --write-golden  write tests/golden/spark/ anew

Rules are in `portability_rules`; what may break one stands in models_sql/portability_exceptions.yml with a
reason.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import ErrorLevel, exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError
from sqlglot.generators.spark import SparkGenerator
from sqlglot.tokenizer_core import Token, TokenType

from pipelines.warehouse.errors import ModelError
from pipelines.warehouse.portability_rules import HOUSE_MACROS, RULES

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = REPOSITORY / "models_sql"
GOLDEN = REPOSITORY / "tests" / "golden" / "spark"
EXCEPTIONS_FILE = "portability_exceptions.yml"
WIDE_INTEGERS = frozenset({exp.DType.INT128, exp.DType.UINT128, exp.DType.INT256})


@dataclass(frozen=True)
class PortabilityFinding:
    """One violation of the portable subset: which model, which rule, what stands there and what to write."""

    model: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.model}: [{self.rule}] {self.message}"


@dataclass(frozen=True)
class PortabilityException:
    """A rule that one model may break where the message contains `contains`, and why."""

    model: str
    rule: str
    contains: str
    reason: str

    def covers(self, finding: PortabilityFinding) -> bool:
        """True when this exception speaks of the finding."""
        is_same = (self.model, self.rule) == (finding.model, finding.rule)
        return is_same and self.contains in finding.message


def check_portability(sql: str, name: str) -> list[PortabilityFinding]:
    """Every violation of the portable subset in the SELECT of model `name`, exceptions not applied."""
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
        tree = _parse(sql, name)
    except SqlglotError as error:
        return [PortabilityFinding(name, "syntax", f"cannot be parsed: {error}")]
    findings = [
        PortabilityFinding(name, "syntax", f"`::` on line {token.line}; write cast(… as …)")
        for token in tokens
        if token.token_type is TokenType.DCOLON
    ]
    for rule, check in RULES.items():
        findings.extend(PortabilityFinding(name, rule, message) for message in dict.fromkeys(check(tree)))
    return findings


def read_exceptions(path: Path) -> tuple[PortabilityException, ...]:
    """The exceptions of models_sql/portability_exceptions.yml; each needs a model, a rule and a reason."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    return tuple(_build_exception(entry, path) for entry in entries)


def _build_exception(entry: Mapping[str, Any], path: Path) -> PortabilityException:
    keys = {"model", "rule", "contains", "reason"}
    if set(entry) != keys or not all(str(entry[key]).strip() for key in keys) or entry["rule"] not in RULES:
        raise ModelError(
            f"{path}: {dict(entry)} must state {sorted(keys)}, rule being one of {sorted(RULES)}"
        )
    return PortabilityException(**{key: str(entry[key]) for key in keys})


def check_models(models: Path, exceptions: Sequence[PortabilityException]) -> list[PortabilityFinding]:
    """Violations of all models below `models` that no exception covers, and exceptions that cover nothing."""
    found = [f for name, path in find_models(models).items() for f in check_portability(_read(path), name)]
    open_findings = [f for f in found if not any(e.covers(f) for e in exceptions)]
    unused = [e for e in exceptions if not any(e.covers(f) for f in found)]
    return open_findings + [
        PortabilityFinding(e.model, e.rule, f"the exception for `{e.contains}` covers nothing; delete it")
        for e in unused
    ]


def find_models(models: Path) -> dict[str, Path]:
    """Model name → file, for every models_sql/<layer>/<name>.sql."""
    return {f"{path.parent.name}.{path.stem}": path for path in sorted(models.glob("*/*.sql"))}


def render_spark(sql: str) -> str:
    """The SELECT as Spark runs it, with named parameters (`:start`).

    Raises ModelError when Spark has no exact equivalent: the result would silently be an approximation, or
    sqlglot does not support the construct.
    """
    tree = _parse(sql, "model").transform(_expand_macro)
    for data_type in tree.find_all(exp.DataType):
        if data_type.this in WIDE_INTEGERS:
            data_type.replace(exp.DataType.build("decimal(38, 0)"))
    try:
        text = _ExactSparkGenerator(
            dialect=Spark, pretty=True, comments=False, unsupported_level=ErrorLevel.RAISE
        ).generate(tree)
    except SqlglotError as error:
        raise ModelError(f"Spark cannot run this model: {error}; write it in the portable subset") from error
    guesses = {t.text for t in sqlglot.tokenize(text, read=Spark) if _is_approximate(t)}
    if guesses:
        raise ModelError(
            f"Spark would approximate this model ({', '.join(sorted(guesses))}); rank and count instead"
        )
    return f"{text}\n"


def _is_approximate(token: Token) -> bool:
    return token.token_type is not TokenType.STRING and "APPROX" in token.text.upper()


class _ExactSparkGenerator(SparkGenerator):
    """sqlglot's writer without its silent rewrite of exact percentiles into PERCENTILE_APPROX."""

    TRANSFORMS = {  # noqa: RUF012 (sqlglot's own class attribute)
        kind: write
        for kind, write in SparkGenerator.TRANSFORMS.items()
        if kind not in (exp.WithinGroup, exp.PercentileDisc, exp.PercentileCont)
    }


def _parse(sql: str, name: str) -> exp.Expr:
    statements = [s for s in sqlglot.parse(sql, read="duckdb") if s is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ModelError(f"{name}: a model is one SELECT; found {len(statements)} statements")
    return statements[0]


def _expand_macro(node: exp.Expr) -> exp.Expr:
    """`idiv(a, b)` written out: exact integer division, truncating toward zero."""
    if not isinstance(node, exp.Anonymous) or node.name.lower() not in HOUSE_MACROS:
        return node
    dividend, divisor = (exp.paren(argument.copy()) for argument in node.expressions)
    rest = exp.paren(dividend.copy() - exp.Mod(this=dividend.copy(), expression=divisor.copy()))
    return exp.cast(exp.Div(this=rest, expression=divisor, typed=False, safe=False), "decimal(38, 0)")


def write_golden(models: Path, golden: Path) -> Iterable[Path]:
    """Write the Spark rendering of every model to `golden` and remove those of models that are gone."""
    golden.mkdir(parents=True, exist_ok=True)
    rendered = {
        golden / f"{name}.sql": render_spark(_read(path)) for name, path in find_models(models).items()
    }
    for stale in set(golden.glob("*.sql")) - set(rendered):
        stale.unlink()
    for path, text in rendered.items():
        path.write_text(text, encoding="utf-8")
    return sorted(rendered)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print violations or write the golden renderings; returns the exit code."""
    parser = argparse.ArgumentParser(description="Check that the models are portable SQL.")
    parser.add_argument("--write-golden", action="store_true", help="write the Spark renderings anew")
    if parser.parse_args(arguments).write_golden:
        sys.stdout.write(f"{len(list(write_golden(MODELS, GOLDEN)))} renderings in {GOLDEN}\n")
        return 0
    findings = check_models(MODELS, read_exceptions(MODELS / EXCEPTIONS_FILE))
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
