-- One row per classified complaint of the last 400 days, without its text. One that was uploaded again has its latest answer.
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
  run_date,
  run_id,
  label,
  confidence,
  IF(needs_review, 1, 0) AS needs_review,
  language,
  model_version
FROM latest
WHERE newest = 1
