SELECT e.* EXCLUDE nr,
       p.login_id, p.full_name, p.sortable_name, p.email, p.status AS login_status, p.logins,
       s.name AS section_name, s.status AS section_status,
       c.short_name AS course_short_name, c.long_name AS course_long_name, c.status AS course_status,
       c.canvas_account_id, c.account_id, c.canvas_term_id, c.term_id,
       t.name AS term_name, t.start_date AS term_start_date, t.end_date AS term_end_date
FROM one_enrollments e
LEFT JOIN sql_people p ON p.canvas_user_id = e.canvas_user_id
LEFT JOIN one_sections s ON s.canvas_section_id = e.canvas_section_id
LEFT JOIN one_courses c ON c.canvas_course_id = e.canvas_course_id
LEFT JOIN one_terms t ON t.canvas_term_id = c.canvas_term_id
ORDER BY e.nr
