-- Which amounts do complaints of each category speak of? By currency, never added up across currencies; the last 90 days.
WITH latest AS (
  SELECT *, row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '90' DAY
)
SELECT
  label,
  amount.currency,
  count(DISTINCT complaint_id) AS complaints,
  count(*) AS mentions,
  approx_percentile(CAST(amount.value AS double), 0.5) AS median,
  max(amount.value) AS largest,
  sum(amount.value) AS total
FROM latest
CROSS JOIN UNNEST(entities.amounts) AS amount (value, currency)
WHERE newest = 1
GROUP BY label, amount.currency
ORDER BY mentions DESC, label, currency
