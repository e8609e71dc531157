-- One row per amount in a classified complaint of the last 400 days.
WITH latest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest,
    min(run_date) OVER (PARTITION BY complaint_id, group_id) AS first_run_date
  FROM {database}.predictions
  WHERE run_date >= current_date - INTERVAL '400' DAY
)
SELECT
  complaint_id,
  coalesce(CAST(received_at AS date), first_run_date) AS complaint_date,
  label,
  amount.currency,
  CAST(amount.value AS double) AS amount
FROM latest
CROSS JOIN UNNEST(entities.amounts) AS amount (value, currency)
WHERE newest = 1
