-- How sure is the model, and how much is answered without a person? In tenths of confidence, with the share of complaints that
-- are at least so sure; the last 90 days.
WITH latest AS (
  SELECT *, row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '90' DAY
),
tenths AS (
  SELECT least(floor(confidence * 10), 9) / 10 AS confidence_from, count(*) AS complaints, count_if(needs_review) AS to_review
  FROM latest
  WHERE newest = 1
  GROUP BY 1
)
SELECT
  confidence_from,
  complaints,
  to_review,
  round(1e2 * complaints / sum(complaints) OVER (), 1) AS percent_of_complaints,
  round(1e2 * sum(complaints) OVER (ORDER BY confidence_from DESC) / sum(complaints) OVER (), 1) AS percent_at_least_so_sure
FROM tenths
ORDER BY confidence_from DESC
