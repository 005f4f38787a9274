WITH taught AS (
  SELECT canvas_course_id, canvas_user_id, min(course_id) AS course_id FROM one_enrollments
  WHERE base_role_type = 'TeacherEnrollment' AND status = 'active' AND canvas_course_id IS NOT NULL
    AND canvas_user_id IS NOT NULL
  GROUP BY canvas_course_id, canvas_user_id
), known AS (
  SELECT canvas_course_id, canvas_user_id, taught.course_id, nullif(trim(email), '') AS email,
         coalesce(nullif(trim(full_name), ''), nullif(trim(sortable_name), ''), login_id) AS name,
         coalesce(nullif(trim(sortable_name), ''), nullif(trim(full_name), ''), login_id) AS sorted
  FROM taught LEFT JOIN sql_people USING (canvas_user_id)
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY canvas_course_id ORDER BY sorted NULLS LAST, canvas_user_id) AS place,
         row_number() OVER (PARTITION BY canvas_course_id, lower(email)
                            ORDER BY sorted NULLS LAST, canvas_user_id) AS again
  FROM known
)
SELECT canvas_course_id, min(course_id) AS course_id, count(*) AS contacts, string_agg(name, '; ' ORDER BY place) AS names,
       string_agg(email, '; ' ORDER BY place) FILTER (again = 1) AS emails,
       max(name) FILTER (place = 1) AS first_name, max(email) FILTER (place = 1) AS first_email
FROM ranked GROUP BY canvas_course_id ORDER BY canvas_course_id
