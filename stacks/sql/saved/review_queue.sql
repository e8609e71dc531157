-- What should a person read next? The uncertain answers of the last 30 days, the least certain first; a complaint that was
-- uploaded again counts once, with its latest answer. What a person has answered since is not known here.
WITH latest AS (
  SELECT *, row_number() OVER (PARTITION BY complaint_id, group_id ORDER BY predicted_at DESC, run_id DESC) AS newest
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '30' DAY
)
SELECT
  complaint_id,
  label AS suggestion,
  round(confidence, 4) AS confidence,
  element_at(alternatives, 2).label AS second_choice,
  array_join(transform(top_terms, found -> found.term), '; ') AS top_terms,
  language,
  received_at,
  text,
  source_file,
  run_id
FROM latest
WHERE newest = 1 AND needs_review
ORDER BY confidence, complaint_id
LIMIT 1000
