/*
description: >
    Each charge split exactly over the UTC days it covers, in integers of 1e-12, so that the days of a charge sum to the
    charge to the last digit: by seconds; inference of more than a day by what the logs hold of its model and token class
    on each day, at list price. Purchases that do not recur, tax, credits and one-time charges stand on their start day.
grain: [charge_id, cell_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.charges: overlap
    core.daily_usage: {days_before: 35, days_after: 35}
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
    covered_seconds: null
    stated_seconds: the day's part of the line's
    before_day_weight: null
    until_day_weight: null
    all_days_weight: null
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

daily_usage as (select * from core.daily_usage),

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

/* Lines of inference that are longer than a day: those of one model, class and period are spread alike. */
long_lines as (
    select
        lengths.provider,
        lengths.model,
        lengths.token_class,
        lengths.spread_start_date,
        lengths.start_second,
        lengths.spread_end_date,
        lengths.total_seconds
    from lengths
    where lengths.spread_kind = 'seconds'
        and lengths.total_seconds > 86400
        and date_diff('day', lengths.spread_start_date, lengths.spread_end_date) <= 35
        and lengths.cost_driver = 'inference'
        and lengths.charge_category = 'Usage'
        and coalesce(lower(lengths.charge_frequency), '') <> 'recurring'
        and lengths.model is not null
        and lengths.counted_use is null
        and coalesce(lengths.service_tier, '') <> 'provisioned'
    group by
        lengths.provider,
        lengths.model,
        lengths.token_class,
        lengths.spread_start_date,
        lengths.start_second,
        lengths.spread_end_date,
        lengths.total_seconds
),

/* The first and the last day count as far as the line covers them; cost counts in millionths. */
used_days as (
    select
        long_lines.provider,
        long_lines.model,
        long_lines.token_class,
        long_lines.spread_start_date,
        long_lines.start_second,
        long_lines.total_seconds,
        daily_usage.charge_date,
        cast(
            least(
                (date_diff('day', long_lines.spread_start_date, daily_usage.charge_date) + 1) * 86400
                - long_lines.start_second,
                long_lines.total_seconds
            ) - greatest(
                date_diff('day', long_lines.spread_start_date, daily_usage.charge_date) * 86400
                - long_lines.start_second,
                0
            ) as decimal(15, 0)
        ) as covered_seconds,
        count(daily_usage.list_cost) = count(*) as is_priced,
        cast(sum(daily_usage.quantity_tokens) as decimal(15, 0)) as tokens,
        cast(
            floor(cast(sum(daily_usage.list_cost) as decimal(24, 12)) * cast(1000000 as decimal(7, 0)))
            as decimal(15, 0)
        ) as cost_millionths
    from long_lines
    inner join daily_usage
        on long_lines.provider = daily_usage.provider
        and long_lines.model = daily_usage.model
        and (long_lines.token_class is null or long_lines.token_class = daily_usage.token_class)
        and long_lines.spread_start_date <= daily_usage.charge_date
        and long_lines.spread_end_date > daily_usage.charge_date
    group by
        long_lines.provider,
        long_lines.model,
        long_lines.token_class,
        long_lines.spread_start_date,
        long_lines.start_second,
        long_lines.total_seconds,
        daily_usage.charge_date
),

measured_days as (
    select
        used_days.*,
        min(case when used_days.is_priced then 1 else 0 end) over (
            partition by
                used_days.provider,
                used_days.model,
                used_days.token_class,
                used_days.spread_start_date,
                used_days.start_second,
                used_days.total_seconds
        ) as are_all_priced,
        sum(used_days.cost_millionths) over (
            partition by
                used_days.provider,
                used_days.model,
                used_days.token_class,
                used_days.spread_start_date,
                used_days.start_second,
                used_days.total_seconds
        ) as all_millionths
    from used_days
),

weighted_days as (
    select
        measured_days.*,
        cast(
            idiv(
                case
                    when measured_days.are_all_priced = 1 and measured_days.all_millionths > 0
                        then measured_days.cost_millionths
                    else measured_days.tokens
                end * measured_days.covered_seconds,
                86400
            ) as decimal(15, 0)
        ) as weight
    from measured_days
),

running_days as (
    select
        weighted_days.*,
        cast(
            sum(weighted_days.weight) over (
                partition by
                    weighted_days.provider,
                    weighted_days.model,
                    weighted_days.token_class,
                    weighted_days.spread_start_date,
                    weighted_days.start_second,
                    weighted_days.total_seconds
                order by weighted_days.charge_date
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_weight,
        cast(
            sum(weighted_days.weight) over (
                partition by
                    weighted_days.provider,
                    weighted_days.model,
                    weighted_days.token_class,
                    weighted_days.spread_start_date,
                    weighted_days.start_second,
                    weighted_days.total_seconds
            ) as decimal(15, 0)
        ) as total_weight
    from weighted_days
),

used_lines as (
    select
        running_days.provider,
        running_days.model,
        running_days.token_class,
        running_days.spread_start_date,
        running_days.start_second,
        running_days.total_seconds
    from running_days
    where running_days.total_weight > 0
    group by
        running_days.provider,
        running_days.model,
        running_days.token_class,
        running_days.spread_start_date,
        running_days.start_second,
        running_days.total_seconds
),

/* A line's weights; a day on which nothing was used has none. Null is a line that is spread by seconds. */
spread_lines as (
    select
        lengths.*,
        used_lines.total_seconds is not null as is_by_use
    from lengths
    left join used_lines
        on lengths.cost_driver = 'inference'
        and lengths.spread_kind = 'seconds'
        and lengths.charge_category = 'Usage'
        and coalesce(lower(lengths.charge_frequency), '') <> 'recurring'
        and lengths.counted_use is null
        and coalesce(lengths.service_tier, '') <> 'provisioned'
        and lengths.provider = used_lines.provider
        and lengths.model = used_lines.model
        and coalesce(lengths.token_class, chr(30)) = coalesce(used_lines.token_class, chr(30))
        and lengths.spread_start_date = used_lines.spread_start_date
        and lengths.start_second = used_lines.start_second
        and lengths.total_seconds = used_lines.total_seconds
),

days as (
    select
        lengths.*,
        calendar.calendar_date as charge_date,
        date_diff('day', lengths.spread_start_date, calendar.calendar_date) * 86400
        - lengths.start_second as seconds_to_day_start
    from spread_lines as lengths
    inner join calendar
        on lengths.spread_start_date <= calendar.calendar_date
        and lengths.spread_end_date > calendar.calendar_date
),

shares as (
    select
        days.*,
        case
            when days.spread_kind = 'start_day' then days.total_seconds
            else
                least(days.seconds_to_day_start + 86400, days.total_seconds)
                - greatest(days.seconds_to_day_start, 0)
        end as covered_seconds,
        case
            when days.is_by_use then running_days.until_weight - running_days.weight
            when days.spread_kind = 'start_day' then cast(0 as decimal(15, 0))
            else cast(least(greatest(days.seconds_to_day_start, 0), days.total_seconds) as decimal(15, 0))
        end as before_weight,
        case
            when days.is_by_use then running_days.until_weight
            when days.spread_kind = 'start_day' then cast(days.total_seconds as decimal(15, 0))
            else cast(least(days.seconds_to_day_start + 86400, days.total_seconds) as decimal(15, 0))
        end as until_weight,
        case
            when days.is_by_use then running_days.total_weight
            else cast(days.total_seconds as decimal(15, 0))
        end as total_weight
    from days
    left join running_days
        on days.is_by_use
        and days.charge_date = running_days.charge_date
        and days.provider = running_days.provider
        and days.model = running_days.model
        and coalesce(days.token_class, chr(30)) = coalesce(running_days.token_class, chr(30))
        and days.spread_start_date = running_days.spread_start_date
        and days.start_second = running_days.start_second
        and days.total_seconds = running_days.total_seconds
    where not days.is_by_use or running_days.weight > 0
),

units as (
    select
        shares.charge_date,
        shares.charge_id,
        shares.cell_key,
        shares.billing_currency,
        shares.covered_seconds,
        cast(shares.stated_seconds as decimal(22, 0)) as stated_seconds,
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
        - idiv(units.quantity_units * units.before_weight, units.total_weight) as quantity_part,
        idiv(units.stated_seconds * units.until_weight, units.total_weight)
        - idiv(units.stated_seconds * units.before_weight, units.total_weight) as stated_part
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
    cast(split.covered_seconds as bigint) as covered_seconds,
    cast(split.stated_part as bigint) as stated_seconds,
    cast(split.before_weight as bigint) as before_day_weight,
    cast(split.until_weight as bigint) as until_day_weight,
    cast(split.total_weight as bigint) as all_days_weight
from split
