SELECT c.canvas_term_id, t.term_id, t.name AS term_name, e.role, e.status,
       count(*) AS enrollments,
       count(DISTINCT (e.canvas_user_id, e.canvas_course_id)) AS course_enrollments,
       count(DISTINCT e.canvas_user_id) AS people
FROM one_enrollments e
LEFT JOIN one_courses c ON c.canvas_course_id = e.canvas_course_id
LEFT JOIN one_terms t ON t.canvas_term_id = c.canvas_term_id
GROUP BY ALL
ORDER BY c.canvas_term_id NULLS LAST, e.role NULLS LAST, e.status NULLS LAST
