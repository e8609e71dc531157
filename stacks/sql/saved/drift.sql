-- What changed? Each category's share in the latest week with runs, against the four weeks before it (weeks of runs, Monday on).
WITH latest AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest,
    min(run_date) OVER (PARTITION BY complaint_id, group_id) AS first_run_date
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '90' DAY
),
weekly AS (
  SELECT date_trunc('week', first_run_date) AS week, label, count(*) AS complaints
  FROM latest
  WHERE newest = 1
  GROUP BY 1, 2
),
compared AS (
  SELECT
    weekly.label,
    sum(IF(weekly.week = newest.week, weekly.complaints, 0)) AS this_week,
    sum(IF(weekly.week < newest.week, weekly.complaints, 0)) AS weeks_before
  FROM weekly
  CROSS JOIN (SELECT max(week) AS week FROM weekly) AS newest
  WHERE weekly.week >= newest.week - INTERVAL '28' DAY
  GROUP BY weekly.label
),
shares AS (
  SELECT
    label,
    this_week,
    weeks_before,
    1e2 * this_week / sum(this_week) OVER () AS percent_this_week,
    1e2 * weeks_before / nullif(sum(weeks_before) OVER (), 0) AS percent_before
  FROM compared
)
SELECT
  label,
  this_week,
  weeks_before,
  round(percent_this_week, 1) AS percent_this_week,
  round(percent_before, 1) AS percent_before,
  round(percent_this_week - percent_before, 1) AS change_in_points
FROM shares
ORDER BY abs(percent_this_week - percent_before) DESC NULLS LAST, label
