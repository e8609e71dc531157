-- How many complaints of each category came in each week, and their share of the week? What was classified in the last 13 weeks,
-- by the week it was received in, or of its run where the file has no date.
WITH weekly AS (
  SELECT date_trunc('week', coalesce(CAST(received_at AS date), run_date)) AS week, label, count(*) AS complaints
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '91' DAY
  GROUP BY 1, 2
)
SELECT week, label, complaints, round(1e2 * complaints / sum(complaints) OVER (PARTITION BY week), 1) AS percent_of_week
FROM weekly
ORDER BY week DESC, complaints DESC, label
