"""Reading model files: what the header, the SQL and the graph must be, and how errors name the place.

What belongs here: parsing. What must not: running a model.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.warehouse.errors import ModelError
from pipelines.warehouse.models import ModelSet, column_lineage

DICTIONARY = """
charge_id: {type: VARCHAR, meaning: which line}
charge_date: {type: DATE, meaning: UTC day}
billed_cost: {type: "decimal(38, 12)", unit: billing currency, meaning: what was billed}
"""
CHARGES = """/*
description: Lines of the bill.
grain: [charge_id]
partition_by: {column: charge_date, unit: day}
reads: {lake.charges: {days_before: 2}}
columns:
    charge_id: null
    charge_date: when it counts
    billed_cost: null
checks:
    - name: known
      severity: warn
      description: every line is known
      sql: select c.charge_id from core.charges as c left join lake.known as k on k.charge_id = c.charge_id
*/
with source as (select * from lake.charges as c where c.charge_date >= $start and c.charge_date < $end)

select s.charge_id as charge_id, s.charge_date as charge_date, s.billed_cost as billed_cost from source as s;
"""
TOTAL = """/*
description: All.
grain: [charge_date]
columns: [charge_date, billed_cost]
*/
select c.charge_date as charge_date, sum(c.billed_cost) as billed_cost from core.charges as c group by 1
"""


def _load(root: Path, **files: str) -> ModelSet:
    (root / "core").mkdir(exist_ok=True)
    (root / "dictionary.yml").write_text(DICTIONARY)
    for name, text in files.items():
        (root / "core" / f"{name}.sql").write_text(text)
    return ModelSet.load(root, root / "cache")


def test_model_knows_what_it_reads_and_needs(tmp_path: Path) -> None:
    for _ in ("parsed", "from the cache"):
        models = _load(tmp_path, charges=CHARGES, a_total=TOTAL)
        assert models.order == ("core.charges", "core.a_total")
        assert models.input_names == ("lake.charges", "lake.known")
        model = models["core.charges"]
        assert model.refs == ("lake.charges",)
        assert model.dependencies == ("lake.charges", "lake.known")
        assert model.statement.parameters == {"start", "end"}
        assert model.columns == {
            "charge_id": "VARCHAR",
            "charge_date": "DATE",
            "billed_cost": "DECIMAL(38,12)",
        }
        assert model.meanings["charge_date"] == "UTC day when it counts"
        assert (model.unit, model.is_view, model.sql.endswith(";")) == ("day", False, False)


def test_lineage_leads_to_the_inputs(tmp_path: Path) -> None:
    models = _load(tmp_path, charges=CHARGES, a_total=TOTAL)
    assert column_lineage(models, "core.a_total")["billed_cost"] == (("core.charges", "billed_cost"),)
    assert column_lineage(models, "core.charges")["billed_cost"] == (("lake.charges", "*"),)
    known = {"lake.charges": dict(models["core.charges"].columns)}
    assert column_lineage(models, "core.charges", known)["billed_cost"] == (("lake.charges", "billed_cost"),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("grain:", "grian:", "unknown key 'grian'"),
        ("severity: warn", "severity: error", "severity fail or warn"),
        ("unit: day", "unit: week", "partition_by must be"),
        ("{days_before: 2}", "{days: 2}", r"reads: lake\.charges"),
        ("lake.charges: {", "lake.other: {", r"reads lake\.other, which the SELECT does not"),
        ("    billed_cost: null", "    bill: null", r"\['bill'\] are not in dictionary"),
        ("s.billed_cost as billed_cost", "s.billed_cost as cost", r"differ in \['billed_cost', 'cost'\]"),
        (
            "s.charge_id as charge_id, s.charge_date as charge_date",
            "s.charge_date as charge_date, s.charge_id as charge_id",
            "their order",
        ),
        ("grain: [charge_id]", "grain: [other]", "order_by column other"),
        ("column: charge_date", "column: other", "partition_by column other"),
        ("partition_by: {column: charge_date, unit: day}\n", "", "no partition_by"),
        (
            "grain: [charge_id]",
            "grain: [charge_id]\nmaterialized: view",
            "is a view and cannot use parameters",
        ),
        ("from source", "from sauce", r"\['sauce'\] are neither CTEs"),
        ("$start", "$begin", r"unknown parameters \['begin'\]"),
        ("from source as s;", "from source as s; select 1", "exactly one SELECT"),
        ("from lake.charges as c", "from core.charges as c", "reads itself"),
        ("/*", "", "begin the file with a"),
        ("grain: [charge_id]", "grain: [", "is not YAML"),
        ("select s.charge_id as", "select s.charge_id ass as", "cannot be parsed"),
    ],
)
def test_errors_name_file_and_fault(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in CHARGES
    with pytest.raises(ModelError, match=message) as caught:
        _load(tmp_path, charges=CHARGES.replace(old, new, 1))
    assert "charges.sql" in str(caught.value)


def test_circles_are_named(tmp_path: Path) -> None:
    other = TOTAL.replace("core.charges", "core.b")
    with pytest.raises(ModelError, match=r"circle: core\..* -> core\."):
        _load(tmp_path, a=other, b=TOTAL.replace("core.charges", "core.a"))


def test_dictionary_is_strict(tmp_path: Path) -> None:
    _load(tmp_path)
    for entry, message in (("x: {type: DATE}", "needs a type and a meaning"), ("x: {typ: DATE}", "unknown")):
        (tmp_path / "dictionary.yml").write_text(entry)
        with pytest.raises(ModelError, match=message):
            ModelSet.load(tmp_path)
