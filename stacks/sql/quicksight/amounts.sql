-- A row an amount that a classified complaint of the last 400 days mentions.
SELECT
  complaint_id,
  coalesce(CAST(received_at AS date), run_date) AS complaint_date,
  label,
  amount.currency,
  CAST(amount.value AS double) AS amount
FROM {database}.predictions
CROSS JOIN UNNEST(facts.amounts) AS amount (value, currency)
WHERE run_date >= current_date - INTERVAL '400' DAY
