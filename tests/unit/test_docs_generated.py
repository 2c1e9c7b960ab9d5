"""Pages say what headers, dictionary, schemas and code say, and every relative link leads somewhere."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from connectors.billing_period_files.schema import FORMAT as BILLING_PERIOD
from connectors.focus_files.schema import COLUMNS, KNOWN_NOT_KEPT
from connectors.invoice_files.schema import FORMAT as INVOICE_DETAIL
from pipelines import focus_given, focus_mapping
from pipelines.results import ExitCode
from pipelines.warehouse import table_docs
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.publish import KEPT_RELEASES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "models_sql" / "README.md"])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def models() -> ModelSet:
    """The models of the repository."""
    return table_docs.read_models()


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["docs/tables.md", "models_sql/README.md"])
def test_table_pages_are_as_generated(models: ModelSet, name: str) -> None:
    page = _read(name)
    assert page == table_docs.render_page(page, models), (
        f"run: python -m pipelines.warehouse.table_docs {name}"
    )


def test_focus_mapping_names_the_columns_of_both_datasets_beside_the_bill() -> None:
    page = _read("docs/focus_mapping.md")
    for plain in (INVOICE_DETAIL, BILLING_PERIOD):
        for column in plain.columns:
            focus = [f"`{alias}`" for alias in column.aliases if alias[0].isupper()]
            assert f"| `{column.name}` | {', '.join(focus)} |" in page


def test_focus_mapping_is_as_generated(models: ModelSet) -> None:
    page = _read("docs/focus_mapping.md")
    assert page == focus_mapping.render_page(page, models), (
        "run: python -m pipelines.focus_mapping docs/focus_mapping.md"
    )


def test_every_model_and_column_is_on_the_page_of_tables(models: ModelSet) -> None:
    sections = dict(
        part.split("\n", 1) for part in re.split(r"^### ", _read("docs/tables.md"), flags=re.MULTILINE)[1:]
    )
    assert set(sections) == set(models.order)
    for name, text in sections.items():
        assert [column for column in models[name].columns if f"`{column}`" not in text] == [], name


def test_a_changed_page_is_seen(models: ModelSet) -> None:
    page = _read("docs/tables.md")
    changed = page.replace("### marts.cost_daily", "### marts.cost_dayly")
    assert changed != page
    assert table_docs.render_page(changed, models) == page


def test_a_page_without_markers_is_refused(models: ModelSet) -> None:
    with pytest.raises(ValueError, match="lacks the line"):
        table_docs.render_page("# no markers", models)


def test_every_focus_column_has_one_version_and_one_place() -> None:
    dated = [column for names in focus_mapping.ADDED.values() for column in names]
    known = {*COLUMNS, *KNOWN_NOT_KEPT}
    assert len(dated) == len(set(dated))
    assert set(dated) <= known
    assert set(focus_mapping.REMOVED) <= known
    assert not set(COLUMNS) & KNOWN_NOT_KEPT


def test_columns_of_focus_1_0_are_those_of_the_official_sample(shared_data: Path) -> None:
    with (shared_data / "focus_1_0_sample.csv").open(encoding="utf-8-sig", newline="") as stream:
        head = set(next(csv.reader(stream)))
    row_number = {"Id"}  # of the sample's file, not of FOCUS
    assert focus_mapping.columns_of("1.0") == head - row_number


def test_columns_of_focus_1_3_are_those_of_the_official_rules(shared_data: Path) -> None:
    rules = json.loads((shared_data / "focus_model" / "model-1.3.json").read_text(encoding="utf-8"))
    found = {
        rule["Reference"]
        for name, rule in rules["ModelRules"].items()
        if name.startswith("CAU-") and rule.get("EntityType") == "Column"
    }
    assert focus_mapping.columns_of("1.3") == found


def test_focus_1_4_lost_what_it_removed() -> None:
    lost = focus_mapping.columns_of("1.3") - focus_mapping.columns_of("1.4")
    assert lost == {"ProviderName", "PublisherName"}
    assert len(focus_mapping.columns_of("1.4")) == 65


def test_the_mapping_tells_every_column_that_is_not_given_back_as_it_came(models: ModelSet) -> None:
    tree = sqlglot.parse_one(models["core.charge_parts"].sql, read="duckdb")
    conforming = next(cte.this for cte in tree.find_all(exp.CTE) if cte.alias == "conforming")
    made = {
        item.alias for select in (tree, conforming) for item in select.expressions if item.find(exp.Alias)
    }
    sources: dict[str, str] = {}
    for version in focus_mapping.EXPORTED:
        sources |= focus_mapping.exported_columns(models, version)
        assert set(sources) >= set(focus_mapping.columns_of(version))
    renamed = {"ProviderName", "Tags"}  # another name; configured keys only
    focus = {column for column in sources if not column.startswith("x_")}
    assert {column for column in focus if sources[column] in made} | renamed == set(focus_given.NOTES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_of_operations_names_what_there_is() -> None:
    page = _read("docs/operations.md")
    folders = ("models_sql/core", "models_sql/marts")
    places = (("connectors", "*.py"), ("pipelines/night", "*.py"), *((name, "*.sql") for name in folders))
    files = sorted(path for folder, pattern in places for path in (ROOT / folder).rglob(pattern))
    code = "\n".join(path.read_text(encoding="utf-8") for path in files).replace("'", '"')
    codes = re.findall(r"^\| (\d) \|", page, re.MULTILINE)
    assert [int(code) for code in codes] == list(ExitCode)
    assert f"The {KEPT_RELEASES} newest releases are kept" in page
    faults = page.partition("## Faults")[2].partition("\n## ")[0]
    usage = page.partition("## Findings of usage")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (`.*?) \|", faults + usage, re.MULTILINE)
    kinds = [kind.strip("`") for line in lines for kind in line.split(", ")]
    assert len(kinds) >= 50
    assert [kind for kind in kinds if f'"{kind}"' not in code] == []


def test_the_page_of_architecture_states_the_contracts() -> None:
    page = _read("docs/architecture.md")
    contracts = tomllib.loads(_read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    assert contracts
    assert [contract["name"] for contract in contracts if f"- {contract['name']}\n" not in page] == []


def test_paths_that_pages_name_exist() -> None:
    folders = "connectors|models_sql|pipelines|reports|simulator|benchmarks|tests|docs"
    pages = [_read(name) for name in ("docs/operations.md", "docs/architecture.md", "docs/attribution.md")]
    paths = {path for page in pages for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", page)}
    assert len(paths) > 20
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []
