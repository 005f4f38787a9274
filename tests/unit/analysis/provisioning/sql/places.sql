WITH RECURSIVE climb AS (
  SELECT canvas_account_id AS id, canvas_account_id AS above, [canvas_account_id] AS line FROM one_accounts
  UNION ALL
  SELECT climb.id, a.canvas_parent_id, list_prepend(a.canvas_parent_id, line)
  FROM climb JOIN one_accounts a ON a.canvas_account_id = climb.above
  WHERE a.canvas_parent_id IS NOT NULL AND NOT list_contains(line, a.canvas_parent_id)
), lines AS (
  SELECT id, arg_max(line, len(line)) AS line FROM climb GROUP BY id
), steps AS (
  SELECT id, generate_subscripts(line, 1) - 1 AS depth, unnest(line) AS up FROM lines
), placed AS (
  SELECT steps.id, string_agg(nullif(a.name, ''), ' / ' ORDER BY depth) AS path,
         list(a.name ORDER BY depth) FILTER (depth > 0) AS names
  FROM steps LEFT JOIN one_accounts a ON a.canvas_account_id = up GROUP BY steps.id
)
SELECT canvas_course_id, canvas_account_id, path AS account_path, names[1] AS college,
       names[least(2, len(names))] AS department
FROM one_courses LEFT JOIN placed ON placed.id = canvas_account_id ORDER BY one_courses.nr
