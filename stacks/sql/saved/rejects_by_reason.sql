-- Why were rows rejected, how many, and in how many runs? The last 90 days; the rows themselves are in rejected/run_id=…/. A run
-- that was stopped because of its rejects is not counted: "runs and costs" has its reasons.
SELECT
  reject.reason,
  sum(reject.rejected) AS rejected_rows,
  count(*) AS runs,
  max_by(run_id, finished_at) AS latest_run,
  round(1e2 * sum(reject.rejected) / max(period.rows_read), 2) AS percent_of_rows_read
FROM runs
CROSS JOIN UNNEST(rejects) AS reject (reason, rejected)
CROSS JOIN (SELECT sum("rows".read) AS rows_read FROM runs WHERE run_date >= current_date - INTERVAL '90' DAY) AS period
WHERE run_date >= current_date - INTERVAL '90' DAY
GROUP BY reject.reason
ORDER BY rejected_rows DESC, reason
