-- Which amounts do complaints of each category speak of? By currency, never added up across currencies; the last 90 days.
SELECT
  label,
  amount.currency,
  count(DISTINCT complaint_id) AS complaints,
  count(*) AS mentions,
  approx_percentile(CAST(amount.value AS double), 0.5) AS median,
  max(amount.value) AS largest,
  sum(amount.value) AS total
FROM predictions
CROSS JOIN UNNEST(facts.amounts) AS amount (value, currency)
WHERE run_date >= current_date - INTERVAL '90' DAY
GROUP BY label, amount.currency
ORDER BY mentions DESC, label, currency
