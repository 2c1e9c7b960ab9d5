WITH source AS (
  SELECT
    *
  FROM staging.ledger_estimates
)
SELECT
  source.run_id,
  source.nowcast_made_at,
  source.charge_date,
  source.age_days,
  source.bill_of_record,
  source.provider,
  source.cost_driver,
  source.model,
  source.billing_currency,
  source.estimated_effective_cost,
  source.billed_effective_cost,
  source.effective_per_list_ppm
FROM source
