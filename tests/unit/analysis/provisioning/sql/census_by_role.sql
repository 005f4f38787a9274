SELECT c.canvas_term_id, e.role, e.status, t.term_id, t.name AS term,
    count(DISTINCT canvas_user_id) AS headcount,
    count(DISTINCT (canvas_user_id, canvas_course_id)) AS seats,
    count(DISTINCT (canvas_user_id, canvas_section_id)) AS section_seats,
    count(DISTINCT canvas_course_id) AS courses,
    count(DISTINCT canvas_section_id) AS sections,
    CAST(NULL AS DOUBLE) AS credit_hours, CAST(NULL AS DOUBLE) AS fte, CAST(NULL AS BIGINT) AS seats_without_credits
FROM enrollments e
LEFT JOIN one_courses c USING (canvas_course_id)
LEFT JOIN one_terms t ON t.canvas_term_id = c.canvas_term_id
GROUP BY ALL
ORDER BY c.canvas_term_id NULLS LAST, e.role NULLS LAST, e.status NULLS LAST
