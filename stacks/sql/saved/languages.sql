-- In which languages do people complain, and is the model as sure in each? The last 90 days.
WITH latest AS (
  SELECT *, row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '90' DAY
)
SELECT
  language,
  count(*) AS complaints,
  round(1e2 * count(*) / sum(count(*)) OVER (), 1) AS percent_of_complaints,
  round(avg(confidence), 4) AS mean_confidence,
  round(1e2 * count_if(needs_review) / count(*), 1) AS percent_review
FROM latest
WHERE newest = 1
GROUP BY language
ORDER BY complaints DESC, language
