-- In which languages do people complain, and is the model as sure in each? The last 90 days.
SELECT
  language,
  count(*) AS complaints,
  round(1e2 * count(*) / sum(count(*)) OVER (), 1) AS percent_of_complaints,
  round(avg(confidence), 4) AS mean_confidence,
  round(1e2 * count_if(needs_review) / count(*), 1) AS percent_review
FROM predictions
WHERE run_date >= current_date - INTERVAL '90' DAY
GROUP BY language
ORDER BY complaints DESC, language
