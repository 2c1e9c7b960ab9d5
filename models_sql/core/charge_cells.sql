/*
description: >
    Each charge split exactly over the UTC days it covers: by seconds, in integers of 1e-12, so that the days of
    a charge sum to the charge to the last digit. Purchases that do not recur, tax, credits and one-time charges stand on
    their start day.
grain: [charge_id, cell_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.charges: overlap
    reference.calendar: all
columns:
    charge_date: null
    charge_id: null
    cell_id: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billing_currency: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    billed_quantity: to a millionth of a token
    before_seconds: null
    until_seconds: null
    total_seconds: null
checks:
    - name: line_equals_its_cells
      severity: fail
      description: The days of a charge sum to the charge, in every measure, to the last digit.
      sql: >
        select c.charge_id, c.billed_cost, x.billed_cost as cells_cost
        from core.charges as c
        left join (
            select charge_id, sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,
                sum(list_cost) as list_cost, sum(billed_cost_reporting) as billed_cost_reporting,
                sum(effective_cost_reporting) as effective_cost_reporting,
                sum(list_cost_reporting) as list_cost_reporting
            from core.charge_cells group by charge_id
        ) as x on c.charge_id = x.charge_id
        where x.charge_id is null
            or c.billed_cost is distinct from x.billed_cost
            or c.effective_cost is distinct from x.effective_cost
            or c.list_cost is distinct from x.list_cost
            or c.billed_cost_reporting is distinct from x.billed_cost_reporting
            or c.effective_cost_reporting is distinct from x.effective_cost_reporting
            or c.list_cost_reporting is distinct from x.list_cost_reporting
*/
with

charges as (
    select *
    from core.charges
    where spread_start_date < $end and spread_end_date > $start
),

calendar as (
    select calendar_date
    from reference.calendar
    where calendar_date >= $start and calendar_date < $end
),

timed as (
    select
        charges.*,
        cast(
            extract(hour from charges.spread_start_at) * 3600
            + extract(minute from charges.spread_start_at) * 60
            + floor(extract(second from charges.spread_start_at)) as bigint
        ) as start_second,
        cast(
            extract(hour from charges.spread_end_at) * 3600
            + extract(minute from charges.spread_end_at) * 60
            + floor(extract(second from charges.spread_end_at)) as bigint
        ) as end_second
    from charges
),

lengths as (
    select
        timed.*,
        greatest(
            date_diff('day', cast(timed.spread_start_at as date), cast(timed.spread_end_at as date)) * 86400
            + timed.end_second - timed.start_second,
            1
        ) as total_seconds
    from timed
),

days as (
    select
        lengths.*,
        calendar.calendar_date as charge_date,
        date_diff('day', lengths.spread_start_date, calendar.calendar_date) * 86400
        - lengths.start_second as seconds_to_day_start
    from lengths
    inner join calendar
        on lengths.spread_start_date <= calendar.calendar_date
        and lengths.spread_end_date > calendar.calendar_date
),

shares as (
    select
        days.*,
        case
            when days.spread_kind = 'start_day' then cast(0 as decimal(15, 0))
            else cast(least(greatest(days.seconds_to_day_start, 0), days.total_seconds) as decimal(15, 0))
        end as before_weight,
        case
            when days.spread_kind = 'start_day' then cast(days.total_seconds as decimal(15, 0))
            else cast(least(days.seconds_to_day_start + 86400, days.total_seconds) as decimal(15, 0))
        end as until_weight,
        cast(days.total_seconds as decimal(15, 0)) as total_weight
    from days
),

units as (
    select
        shares.charge_date,
        shares.charge_id,
        shares.cell_key,
        shares.billing_currency,
        shares.before_weight,
        shares.until_weight,
        shares.total_weight,
        cast(
            cast(shares.billed_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_units,
        cast(
            cast(shares.effective_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_units,
        cast(
            cast(shares.list_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_units,
        cast(
            cast(shares.billed_cost_reporting as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_reporting_units,
        cast(
            cast(shares.effective_cost_reporting as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as effective_reporting_units,
        cast(
            cast(shares.list_cost_reporting as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_reporting_units,
        cast(
            cast(shares.billed_quantity as decimal(28, 6)) * cast(1000000 as decimal(7, 0))
            as decimal(22, 0)
        ) as quantity_units
    from shares
),

split as (
    select
        units.*,
        idiv(units.billed_units * units.until_weight, units.total_weight)
        - idiv(units.billed_units * units.before_weight, units.total_weight) as billed_part,
        idiv(units.effective_units * units.until_weight, units.total_weight)
        - idiv(units.effective_units * units.before_weight, units.total_weight) as effective_part,
        idiv(units.list_units * units.until_weight, units.total_weight)
        - idiv(units.list_units * units.before_weight, units.total_weight) as list_part,
        idiv(units.billed_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.billed_reporting_units * units.before_weight, units.total_weight)
            as billed_reporting_part,
        idiv(units.effective_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.effective_reporting_units * units.before_weight, units.total_weight)
            as effective_reporting_part,
        idiv(units.list_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.list_reporting_units * units.before_weight, units.total_weight)
            as list_reporting_part,
        idiv(units.quantity_units * units.until_weight, units.total_weight)
        - idiv(units.quantity_units * units.before_weight, units.total_weight) as quantity_part
    from units
)

select
    split.charge_date,
    split.charge_id,
    md5(split.cell_key || chr(31) || cast(split.charge_date as varchar)) as cell_id,
    cast(
        cast(split.billed_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost,
    cast(
        cast(split.effective_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        cast(split.list_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost,
    split.billing_currency,
    cast(
        cast(split.billed_reporting_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost_reporting,
    cast(
        cast(split.effective_reporting_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting,
    cast(
        cast(split.list_reporting_part as decimal(24, 0)) * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost_reporting,
    cast(
        cast(split.quantity_part as decimal(24, 0)) * cast(0.000001 as decimal(7, 6))
        as decimal(38, 12)
    ) as billed_quantity,
    cast(split.before_weight as bigint) as before_seconds,
    cast(split.until_weight as bigint) as until_seconds,
    cast(split.total_weight as bigint) as total_seconds
from split
