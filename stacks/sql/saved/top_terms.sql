-- Which words speak for each category? The 15 terms that most complaints of it were recognised by; the last 90 days.
WITH latest AS (
  SELECT *, row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '90' DAY
),
terms AS (
  SELECT
    label,
    found.term,
    count(*) AS complaints,
    round(avg(found.contribution), 4) AS mean_contribution,
    row_number() OVER (PARTITION BY label ORDER BY count(*) DESC, avg(found.contribution) DESC, found.term) AS place
  FROM latest
  CROSS JOIN UNNEST(top_terms) AS found (term, contribution)
  WHERE newest = 1
  GROUP BY label, found.term
)
SELECT label, place, term, complaints, mean_contribution
FROM terms
WHERE place <= 15
ORDER BY label, place
