WITH logins AS (
  SELECT * FROM users
  QUALIFY row_number() OVER (
    PARTITION BY canvas_user_id, login_id, authentication_provider_id, user_id, status ORDER BY nr
  ) = 1
), counted AS (
  SELECT canvas_user_id, count(*) AS logins,
         count(*) FILTER (status = 'active') AS active_logins,
         count(*) FILTER (status = 'suspended') AS suspended_logins,
         count(DISTINCT user_id) AS sis_ids
  FROM logins GROUP BY canvas_user_id
), shown AS (
  SELECT * FROM logins
  QUALIFY row_number() OVER (
    PARTITION BY canvas_user_id
    ORDER BY list_position(['active', 'suspended', 'deleted'], status) NULLS LAST,
             user_id NULLS LAST, login_id NULLS LAST, authentication_provider_id NULLS LAST, nr
  ) = 1
)
SELECT shown.* EXCLUDE nr, logins, active_logins, suspended_logins, sis_ids
FROM shown JOIN counted USING (canvas_user_id) ORDER BY canvas_user_id
