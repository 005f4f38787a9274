SELECT canvas_user_id, user_id, login_id, full_name, email, logins, active_logins, suspended_logins,
       count(*) AS active_enrollments, count(DISTINCT canvas_course_id) AS active_courses,
       active_logins = 0 AS locked_out
FROM sql_people JOIN (SELECT canvas_user_id, canvas_course_id FROM one_enrollments WHERE status = 'active')
  USING (canvas_user_id)
WHERE EXISTS (FROM users WHERE users.canvas_user_id = sql_people.canvas_user_id AND status = 'suspended')
GROUP BY ALL ORDER BY canvas_user_id
