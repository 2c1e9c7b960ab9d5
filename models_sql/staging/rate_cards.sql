/*
description: >
    Own or edge hardware: amortised cost per hour by kind. A card holds until the next one of the same resource and kind
    begins, so that no hour costs twice; a card that begins where another one does counts by name order, and is told.
materialized: view
columns:
    card_id: null
    x_source: null
    x_snapshot_id: null
    resource_id: null
    resource_kind: null
    site: null
    zone: null
    cost_kind: null
    cost_per_hour: null
    currency: null
    valid_from: null
    valid_to: as stated, or earlier where a newer card begins; null while it holds
checks:
    - name: rate_card_is_stated_once
      severity: warn
      description: Of two cards of one resource and kind that begin at the same moment only the last in name order counts.
      sql: >
        select resource_id, cost_kind, valid_from
        from lake.rate_cards
        group by resource_id, cost_kind, valid_from
        having count(*) > 1
*/
with

source as (
    select
        rate_cards.*,
        lead(rate_cards.valid_from) over (
            partition by rate_cards.resource_id, rate_cards.cost_kind
            order by
                rate_cards.valid_from,
                coalesce(rate_cards.currency, chr(30)),
                rate_cards.cost_per_hour,
                coalesce(rate_cards.valid_to, cast('9999-12-31' as timestamp)),
                coalesce(rate_cards.x_source, chr(30)),
                coalesce(rate_cards.x_snapshot_id, chr(30)),
                coalesce(rate_cards.resource_kind, chr(30)),
                coalesce(rate_cards.site, chr(30)),
                coalesce(rate_cards.zone, chr(30))
        ) as next_valid_from
    from lake.rate_cards as rate_cards
),

held as (
    select
        source.*,
        case
            when source.valid_to is null then source.next_valid_from
            when source.next_valid_from is null then source.valid_to
            else least(source.valid_to, source.next_valid_from)
        end as held_until
    from source
)

select
    md5(
        coalesce(held.resource_id, chr(30)) || chr(31) || coalesce(held.cost_kind, chr(30))
        || chr(31) || cast(held.valid_from as varchar)
    ) as card_id,
    held.x_source,
    held.x_snapshot_id,
    held.resource_id,
    held.resource_kind,
    held.site,
    held.zone,
    held.cost_kind,
    held.cost_per_hour,
    held.currency,
    held.valid_from,
    held.held_until as valid_to
from held
where held.held_until is null or held.held_until > held.valid_from
