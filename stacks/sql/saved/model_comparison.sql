-- How do the models compare on what they answered? The last 180 days, with the macro-F1 that each had on held-out complaints.
WITH answers AS (
  SELECT
    model_version,
    count(*) AS complaints,
    round(avg(confidence), 4) AS mean_confidence,
    round(1e2 * count_if(needs_review) / count(*), 1) AS percent_review,
    min(run_date) AS first_day,
    max(run_date) AS last_day
  FROM predictions
  WHERE run_date >= current_date - INTERVAL '180' DAY
  GROUP BY model_version
),
held_out AS (
  SELECT CAST(model.version AS varchar) AS model_version, max_by(model.macro_f1, finished_at) AS macro_f1
  FROM runs
  WHERE run_date >= current_date - INTERVAL '180' DAY AND model.version IS NOT NULL
  GROUP BY 1
)
SELECT answers.*, held_out.macro_f1 AS held_out_macro_f1
FROM answers
LEFT JOIN held_out ON held_out.model_version = answers.model_version
ORDER BY answers.last_day DESC, answers.model_version DESC
