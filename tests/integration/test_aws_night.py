"""A whole night on an AWS export, as copied from its bucket: the bill reaches marts and exports to the last digit."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from tests.contract.aws_exports import ExportBucket
from tests.golden.aws.month import EFFECTIVE_TOTAL, INVOICE_TOTAL, MONTH
from tests.integration.mini_company import Company
from tests.property.test_aws_bills import Folder

README = Path(__file__).resolve().parents[2] / "connectors" / "aws_data_exports" / "README.md"
CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: aws_bill, connector: aws_data_exports, export: monthly-cur, location: company-bills/exports}
tags: {team: [team]}
"""


def test_a_month_and_its_restatement_reach_the_marts(tmp_path: Path) -> None:
    (tmp_path / "everycent.yml").write_text(CONFIG)
    company = Company(tmp_path)
    bucket = ExportBucket(Folder(tmp_path))
    lines = [golden.line for golden in MONTH]
    bucket.deliver("2026-10", [lines])
    first = company.night()
    assert [finding for finding in first.findings if finding.severity == "fault"] == []
    (total,) = first.query(
        "select sum(billed_cost) as billed, sum(effective_cost) as effective from marts.cost_daily"
    )
    assert total == {"billed": INVOICE_TOTAL, "effective": EFFECTIVE_TOTAL}
    residuals = first.query(
        "select sum(effective_cost) as cost from marts.cost_daily where residual_reason = 'unused_commitment'"
    )
    assert residuals == [{"cost": Decimal("1.43397260274")}]
    exported = first.query(
        'select sum("BilledCost") as billed, count(*) - count("ServiceCategory") as unknown from exports.focus_1_2'
    )
    assert exported == [{"billed": INVOICE_TOTAL, "unknown": 0}]
    called = first.query(
        "select distinct c.cost_driver, c.model from core.charges as c "
        "inner join staging.charges as s on c.charge_id = s.charge_id where s.x_principal_id is not null"
    )
    assert {row["cost_driver"] for row in called} == {"inference"} and len(called) == 2
    pods = first.query(
        "select sum(split_cost) as cost from staging.split_allocations where resource_id is not null"
    )
    assert pods == [{"cost": Decimal("1.7")}]
    documented = re.findall(r"```sql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (namespaces,) = [first.query(sql) for sql in documented]
    assert [(row["namespace"], row["used_cost"], row["unused_cost"]) for row in namespaces] == [
        ("search", Decimal("1.2"), Decimal("0.2")),
        ("chat", Decimal("0.5"), Decimal("0.1")),
    ]

    credit = next(golden.line for golden in MONTH if golden.name == "credit")
    bucket.deliver("2026-10", [[line for line in lines if line is not credit]])
    second = company.night()
    assert sum(second.billed().values()) == INVOICE_TOTAL + 3
    changes = second.query(
        "select sum(change_billed_cost) as change from marts.restatements where previous_snapshot_id is not null"
    )
    assert changes == [{"change": Decimal(3)}]
