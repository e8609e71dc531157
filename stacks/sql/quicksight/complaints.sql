-- A row a classified complaint of the last 400 days, without its text.
SELECT
  complaint_id,
  coalesce(CAST(received_at AS date), run_date) AS complaint_date,
  run_date,
  run_id,
  label,
  confidence,
  IF(needs_review, 1, 0) AS needs_review,
  language,
  model_version
FROM {database}.predictions
WHERE run_date >= current_date - INTERVAL '400' DAY
