WITH RECURSIVE ids AS (
  SELECT canvas_account_id AS id FROM one_accounts
  UNION SELECT canvas_parent_id FROM one_accounts WHERE canvas_parent_id IS NOT NULL
  UNION SELECT canvas_account_id FROM one_courses WHERE canvas_account_id IS NOT NULL
), climb AS (
  SELECT id, id AS above, [id] AS line FROM ids
  UNION ALL
  SELECT climb.id, a.canvas_parent_id, list_prepend(a.canvas_parent_id, line)
  FROM climb JOIN one_accounts a ON a.canvas_account_id = climb.above
  WHERE a.canvas_parent_id IS NOT NULL AND NOT list_contains(line, a.canvas_parent_id)
), lines AS (
  SELECT id, arg_max(line, len(line)) AS line FROM climb GROUP BY id
), steps AS (
  SELECT id, line, generate_subscripts(line, 1) AS step, unnest(line) AS up FROM lines
), placed AS (
  SELECT steps.id, any_value(len(line)) - 1 AS depth,
         string_agg(nullif(a.name, ''), ' / ' ORDER BY step) AS path,
         list({'name': coalesce(a.name, ''), 'id': up} ORDER BY step) AS place
  FROM steps LEFT JOIN one_accounts a ON a.canvas_account_id = up GROUP BY steps.id
), seats AS (
  SELECT climb.above AS id, e.canvas_user_id
  FROM one_enrollments e JOIN one_courses c ON c.canvas_course_id = e.canvas_course_id
  JOIN climb ON climb.id = c.canvas_account_id
)
SELECT placed.id AS canvas_account_id, a.account_id, a.canvas_parent_id, a.name, a.status, path, depth,
       (SELECT count(*) FROM one_courses c WHERE c.canvas_account_id = placed.id) AS own_courses,
       (SELECT count(*) FROM one_courses c JOIN climb ON climb.id = c.canvas_account_id
        WHERE climb.above = placed.id) AS courses,
       (SELECT count(*) FROM seats WHERE seats.id = placed.id) AS enrollments,
       (SELECT count(DISTINCT canvas_user_id) FROM seats WHERE seats.id = placed.id) AS people
FROM placed LEFT JOIN one_accounts a ON a.canvas_account_id = placed.id
ORDER BY place
