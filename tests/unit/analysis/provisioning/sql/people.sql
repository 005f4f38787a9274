WITH logins AS (
  -- Logins without a user id stay separate.
  SELECT *, CASE WHEN canvas_user_id IS NULL THEN nr END AS nobody FROM users
  QUALIFY row_number() OVER (
    PARTITION BY canvas_user_id, login_id, authentication_provider_id, user_id, status ORDER BY nr
  ) = 1
), counted AS (
  SELECT canvas_user_id, nobody, count(*) AS logins,
         count(*) FILTER (status = 'active') AS active_logins,
         count(*) FILTER (status = 'suspended') AS suspended_logins,
         count(DISTINCT user_id) AS sis_ids
  FROM logins GROUP BY canvas_user_id, nobody
), shown AS (
  SELECT * FROM logins
  QUALIFY row_number() OVER (
    PARTITION BY canvas_user_id, nobody
    ORDER BY list_position(['active', 'suspended', 'deleted'], status) NULLS LAST,
             user_id NULLS LAST, login_id NULLS LAST, authentication_provider_id NULLS LAST, nr
  ) = 1
)
SELECT shown.* EXCLUDE (nr, nobody), logins, active_logins, suspended_logins, sis_ids
FROM shown JOIN counted ON counted.canvas_user_id IS NOT DISTINCT FROM shown.canvas_user_id
  AND counted.nobody IS NOT DISTINCT FROM shown.nobody
ORDER BY canvas_user_id NULLS LAST, list_position(['active', 'suspended', 'deleted'], status) NULLS LAST,
         user_id NULLS LAST, login_id NULLS LAST, authentication_provider_id NULLS LAST, nr
