"""Writes FOCUS bills of a given size as files that a cloud could have delivered.

What belongs here: deterministic bills made by DuckDB, with hundreds of SKUs, thousands of tagged resources. What must
not: measuring.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

GENERATOR_VERSION = 1
"""Raise it when the generated lines change: kept files are then made anew."""

_SKUS = """
(values
    (0, 'Amazon Elastic Compute Cloud', 'AmazonEC2', 'Compute', 'Virtual Machines',
        'USE1-BoxUsage:m5.', 'RunInstances', 'Hours', 0.096),
    (1, 'Amazon Elastic Compute Cloud', 'AmazonEC2', 'Compute', 'Virtual Machines',
        'USE1-BoxUsage:p4d.', 'RunInstances', 'Hours', 32.77),
    (2, 'Amazon Elastic Compute Cloud', 'AmazonEC2', 'Networking', 'Network Connectivity',
        'USE1-DataTransfer-Regional-Bytes-', 'InterZone-Out', 'GB', 0.01),
    (3, 'Amazon Elastic Compute Cloud', 'AmazonEC2', 'Networking', 'Network Connectivity',
        'USE1-NatGateway-Bytes-', 'NatGateway', 'GB', 0.045),
    (4, 'Amazon Simple Storage Service', 'AmazonS3', 'Storage', 'Object Storage',
        'USE1-TimedStorage-ByteHrs-', 'StandardStorage', 'GB-Hours', 0.00003),
    (5, 'AmazonCloudWatch', 'AmazonCloudWatch', 'Management and Governance', 'Observability',
        'USE1-DataProcessing-Bytes-', 'PutLogEvents', 'GB', 0.5),
    (6, 'Amazon Bedrock', 'AmazonBedrock', 'AI and Machine Learning', 'Generative AI',
        'USE1-Claude4.5Sonnet-input-tokens-', 'InvokeModelInference', '1K tokens', 0.003),
    (7, 'Amazon Relational Database Service', 'AmazonRDS', 'Databases', 'Relational Databases',
        'USE1-InstanceUsage:db.r5.', 'CreateDBInstance', 'Hours', 0.25)
) as kinds (kind, service_name, service_code, service_category, service_subcategory, meter, operation, unit, price)
"""


@dataclass(frozen=True)
class BillShape:
    """One month of a bill: its lines, and a number that varies costs (a restatement has another one)."""

    month: str
    lines: int
    version: int = 0

    @property
    def name(self) -> str:
        """Name of the file, without suffix."""
        return f"focus-{self.month}-{self.lines}-v{self.version}-g{GENERATOR_VERSION}"


def write_bill(folder: Path, shape: BillShape, suffix: str = ".parquet") -> Path:
    """Return the bill's file below `folder`, written when it is not there yet (`.parquet` or `.csv.gz`)."""
    target = folder / f"{shape.name}{suffix}"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"_tmp-{target.name}"
        form = (
            "format parquet, compression zstd"
            if suffix == ".parquet"
            else "format csv, header, compression gzip"
        )
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set enable_progress_bar = false")
            connection.execute(f"copy ({_lines_sql(shape)}) to '{temporary}' ({form})")
        temporary.rename(target)
    return target


def _lines_sql(shape: BillShape) -> str:
    """One line a SKU, resource and hour: 50 columns of FOCUS 1.2, and two that AWS adds."""
    start = f"timestamp '{shape.month}-01'"
    return f"""
        with drawn as (
            select
                range as line,
                hash(range, '{shape.month}') as draw,
                hash(range, '{shape.month}') % 4000 as resource,
                (hash(range, '{shape.month}') % 4000) % 8 as kind,
                (hash(range, '{shape.month}') % 4000) % 400 as sku,
                {start} + to_hours(cast(range % 672 as integer)) as starts_at,
                cast(1 + hash(range, {shape.version}) % 100000 as decimal(18, 0)) as amount
            from range({shape.lines})
        ),
        priced as (
            select drawn.*, kinds.*, cast(amount * 0.0001 as decimal(20, 4)) as quantity,
                cast(price as decimal(18, 8)) as unit_price
            from drawn join {_SKUS} on drawn.kind = kinds.kind
        )
        select
            'use1-az' || (resource % 6) as "AvailabilityZone",
            cast(quantity * unit_price * 0.9 as decimal(24, 10)) as "BilledCost",
            '614205530871' as "BillingAccountId",
            'Example Payer' as "BillingAccountName",
            'Organization' as "BillingAccountType",
            'USD' as "BillingCurrency",
            {start} + interval 1 month as "BillingPeriodEnd",
            {start} as "BillingPeriodStart",
            null::varchar as "CapacityReservationId",
            null::varchar as "CapacityReservationStatus",
            'Usage' as "ChargeCategory",
            null::varchar as "ChargeClass",
            '$' || unit_price || ' per ' || unit || ' of ' || meter || sku as "ChargeDescription",
            'Usage-Based' as "ChargeFrequency",
            starts_at + interval 1 hour as "ChargePeriodEnd",
            starts_at as "ChargePeriodStart",
            null::varchar as "CommitmentDiscountCategory",
            null::varchar as "CommitmentDiscountId",
            null::varchar as "CommitmentDiscountName",
            null::decimal(24, 10) as "CommitmentDiscountQuantity",
            null::varchar as "CommitmentDiscountStatus",
            null::varchar as "CommitmentDiscountType",
            null::varchar as "CommitmentDiscountUnit",
            quantity as "ConsumedQuantity",
            unit as "ConsumedUnit",
            cast(quantity * unit_price * 0.9 as decimal(24, 10)) as "ContractedCost",
            cast(unit_price * 0.9 as decimal(24, 10)) as "ContractedUnitPrice",
            cast(quantity * unit_price * 0.9 as decimal(24, 10)) as "EffectiveCost",
            'INV-{shape.month}' as "InvoiceId",
            'Amazon Web Services, Inc.' as "InvoiceIssuerName",
            cast(quantity * unit_price as decimal(24, 10)) as "ListCost",
            cast(unit_price as decimal(24, 10)) as "ListUnitPrice",
            'Standard' as "PricingCategory",
            'USD' as "PricingCurrency",
            quantity as "PricingQuantity",
            unit as "PricingUnit",
            'AWS' as "ProviderName",
            'AWS' as "PublisherName",
            'us-east-1' as "RegionId",
            'US East (N. Virginia)' as "RegionName",
            'arn:aws:' || service_code || ':us-east-1:' || (480917223000 + resource % 40) || ':r/'
                || md5('r' || resource) as "ResourceId",
            service_code || '-' || resource as "ResourceName",
            service_code || ' resource' as "ResourceType",
            service_category as "ServiceCategory",
            service_name as "ServiceName",
            service_subcategory as "ServiceSubcategory",
            'SKU' || sku as "SkuId",
            meter || sku as "SkuMeter",
            '{{"x_UsageType": "' || meter || sku || '"}}' as "SkuPriceDetails",
            'SKU' || sku || '.JRTCKXETXF' as "SkuPriceId",
            cast(480917223000 + resource % 40 as varchar) as "SubAccountId",
            'Account ' || (resource % 40) as "SubAccountName",
            '{{"team": "team-' || (resource % 25) || '", "feature": "feature-' || (resource % 120) || '", "Name": "n-'
                || resource || '"}}' as "Tags",
            operation as "x_Operation",
            service_code as "x_ServiceCode"
        from priced
    """
