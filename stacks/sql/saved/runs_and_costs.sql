-- What ran, how did it end, how long did it take and what did it cost (an estimate)? The last 30 days.
SELECT run_id, status, "rows".read AS rows_read, "rows".accepted, "rows".rejected, "rows".duplicates, scored, needs_review, trained,
  promotion.decision AS promotion, model.version AS model_version, seconds, cost_usd, error.state AS failed_in,
  error.message AS failed_because
FROM runs
WHERE run_date >= current_date - INTERVAL '30' DAY
ORDER BY run_id DESC
