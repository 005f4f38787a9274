SELECT 1 AS place, nr, 'users' AS "table", canvas_user_id AS canvas_id, user_id AS sis_id, full_name AS name,
       status, created_by_sis
FROM (FROM users QUALIFY row_number() OVER (
  PARTITION BY canvas_user_id, login_id, authentication_provider_id, user_id, status ORDER BY nr) = 1)
UNION ALL
SELECT 2, nr, 'accounts', canvas_account_id, account_id, name, status, created_by_sis FROM one_accounts
UNION ALL
SELECT 3, nr, 'terms', canvas_term_id, term_id, name, status, created_by_sis FROM one_terms
UNION ALL
SELECT 4, nr, 'courses', canvas_course_id, course_id, long_name, status, created_by_sis FROM one_courses
UNION ALL
SELECT 5, nr, 'sections', canvas_section_id, section_id, name, status, created_by_sis FROM one_sections
UNION ALL
SELECT 6, nr, 'groups', canvas_group_id, group_id, name, status, created_by_sis FROM one_groups
UNION ALL
SELECT 7, nr, 'enrollments', canvas_enrollment_id, NULL, NULL, status, created_by_sis FROM one_enrollments
