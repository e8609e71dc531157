-- How many complaints of each category came in each week, and their share of the week? Classified in the last 13 weeks,
-- by the week it was received in, or of its run if the file has no date; a complaint that was uploaded again counts once.
WITH latest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest,
    min(run_date) OVER (PARTITION BY complaint_id, group_id) AS first_run_date
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '91' DAY
),
weekly AS (
  SELECT date_trunc('week', coalesce(CAST(received_at AS date), first_run_date)) AS week, label, count(*) AS complaints
  FROM latest
  WHERE newest = 1
  GROUP BY 1, 2
)
SELECT week, label, complaints, round(1e2 * complaints / sum(complaints) OVER (PARTITION BY week), 1) AS percent_of_week
FROM weekly
ORDER BY week DESC, complaints DESC, label
