"""The generated parts of docs/tables.md and models_sql/README.md, made from headers and dictionary.

What belongs here: rendering what is known of the models as Markdown. Run it to write them anew:
`python -m pipelines.warehouse.table_docs docs/tables.md models_sql/README.md`. What must not: prose (it stands
in the pages themselves, around the markers), running a model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.warehouse.headers import Reading
from pipelines.warehouse.models import Model, ModelSet

MODELS_FOLDER = Path(__file__).resolve().parents[2] / "models_sql"
LAYERS = ("marts", "core", "staging")
"""In the order that a reader of the warehouse meets them; any other layer comes last."""

_END = "<!-- end -->"


def read_models() -> ModelSet:
    """The models of this repository."""
    return ModelSet.load(MODELS_FOLDER)


def render_tables(models: ModelSet) -> str:
    """One section a table: marts and core in full, staging in short."""
    parts = []
    for layer in _layers(models):
        parts.append(f"## {layer}")
        render = _render_short if layer == "staging" else _render_full
        parts += [render(models, model) for model in _models_of(models, layer)]
    return "\n\n".join(parts)


def render_index(models: ModelSet) -> str:
    """One table a layer: what each table is, its grain, how it is kept, what it reads."""
    parts = []
    for layer in reversed(_layers(models)):
        rows = [_index_row(model) for model in _models_of(models, layer)]
        head = _rows([("table", "what it is", "grain", "kept as", "reads")])
        parts.append("\n".join([f"### {layer}", "", *head, "|---|---|---|---|---|", *_rows(rows)]))
    return "\n\n".join(parts)


def replace_part(page: str, part: str, maker: str, text: str) -> str:
    """The page with the text between the markers of `part` made anew; raises ValueError where there are none."""
    begin = f"<!-- begin: {part}, made by {maker} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(_END)
    if not found or not closed:
        raise ValueError(
            f"the page lacks the line {begin!r}, or {_END!r} after it; write both where {part} go"
        )
    return f"{before}{begin}\n\n{text}\n\n{_END}{after}"


def render_page(page: str, models: ModelSet) -> str:
    """The page with those of its parts made anew that are ours: `tables` or `index`."""
    maker = "pipelines/warehouse/table_docs.py"
    part, text = ("index", render_index) if "begin: index," in page else ("tables", render_tables)
    return replace_part(page, part, maker, text(models))


def _layers(models: ModelSet) -> list[str]:
    known = {name.split(".")[0] for name in models.order}
    return [*(layer for layer in LAYERS if layer in known), *sorted(known - set(LAYERS))]


def _models_of(models: ModelSet, layer: str) -> list[Model]:
    return [models[name] for name in sorted(models.order) if name.startswith(f"{layer}.")]


def _render_full(models: ModelSet, model: Model) -> str:
    columns = [
        (
            f"`{name}`",
            kind,
            models.dictionary[name].unit or "",
            _join(models.dictionary[name].meaning, model.header.columns[name]),
        )
        for name, kind in model.columns.items()
    ]
    lines = [
        f"### {model.name}",
        "",
        model.header.description,
        "",
        *_facts(models, model),
        "",
        "| column | type | unit | meaning |",
        "|---|---|---|---|",
        *_rows(columns),
    ]
    if model.checks:
        checks = [(f"`{check.name}`", check.severity, check.description) for check in model.checks]
        lines += ["", "| check | severity | what it proves |", "|---|---|---|", *_rows(checks)]
    return "\n".join(lines)


def _render_short(models: ModelSet, model: Model) -> str:
    columns = "- columns: " + ", ".join(f"`{name}`" for name in model.columns)
    return "\n".join(
        [
            f"### {model.name}",
            "",
            model.header.description,
            "",
            *_facts(models, model),
            columns,
            *_notes(model),
        ]
    )


def _notes(model: Model) -> list[str]:
    return [f"- `{name}`: {note}" for name, note in model.header.columns.items() if note]


def _facts(models: ModelSet, model: Model) -> list[str]:
    header = model.header
    grain = _names(header.grain) or "none; rows are told apart by all their columns"
    split = (
        f"one partition a UTC {header.partition_by.unit} of `{header.partition_by.column}`"
        if header.partition_by
        else "one partition"
    )
    reads = ", ".join(_render_reading(ref, header.reads.get(ref)) for ref in model.refs)
    return [
        f"- grain: {grain}",
        f"- kept as: {header.materialized}, {split}",
        f"- reads: {reads}",
        f"- read by: {_names(_readers(models, model)) or 'nobody but people and reports'}",
    ]


def _render_reading(ref: str, reading: Reading | None) -> str:
    if reading is None or reading.mode == "same":
        return f"`{ref}`"
    if reading.mode == "days":
        return f"`{ref}` ({reading.days_before} days before to {reading.days_after} after)"
    return f"`{ref}` ({'all of it' if reading.mode == 'all' else 'what overlaps the day'})"


def _readers(models: ModelSet, model: Model) -> list[str]:
    return sorted(name for name, other in models.models.items() if model.name in other.refs)


def _index_row(model: Model) -> tuple[str, ...]:
    partition = model.header.partition_by
    kept = f"{model.header.materialized} by {partition.unit}" if partition else model.header.materialized
    name = f"[`{model.name}`]({model.name.replace('.', '/')}.sql)"
    return name, model.header.description, _names(model.header.grain) or "no key", kept, _names(model.refs)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _join(meaning: str, note: str | None) -> str:
    if not note:
        return meaning
    text = f"{note[0].upper()}{note[1:]}"
    return f"{meaning} {text}{'' if text.endswith('.') else '.'}"


def _rows(rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def main(arguments: Sequence[str]) -> None:
    """Write the parts into the pages named."""
    models = read_models()
    for page in map(Path, arguments):
        page.write_text(render_page(page.read_text(encoding="utf-8"), models), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
