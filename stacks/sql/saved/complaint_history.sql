-- What was one complaint answered, when and by which model? Athena asks for the id, in single quotes. The last 400 days.
SELECT predicted_at, run_id, model_version, label, round(confidence, 4) AS confidence, needs_review, alternatives, top_terms,
  entities, language, received_at, source_file, text
FROM predictions
WHERE complaint_id = ? AND run_date >= current_date - INTERVAL '400' DAY
ORDER BY predicted_at DESC, run_id DESC
