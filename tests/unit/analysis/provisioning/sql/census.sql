WITH seats AS (
    SELECT c.canvas_term_id AS term, e.*
    FROM enrollments e LEFT JOIN one_courses c USING (canvas_course_id)
    WHERE e.base_role_type = 'StudentEnrollment' AND e.status = 'active'
)
SELECT s.term AS canvas_term_id, t.term_id, t.name AS term,
    count(DISTINCT canvas_user_id) AS headcount,
    count(DISTINCT (canvas_user_id, canvas_course_id)) AS seats,
    count(DISTINCT (canvas_user_id, canvas_section_id)) AS section_seats,
    count(DISTINCT canvas_course_id) AS courses,
    count(DISTINCT canvas_section_id) AS sections,
    CAST(NULL AS DOUBLE) AS credit_hours, CAST(NULL AS DOUBLE) AS fte, CAST(NULL AS BIGINT) AS seats_without_credits
FROM seats s LEFT JOIN one_terms t ON t.canvas_term_id = s.term
GROUP BY ALL ORDER BY 1 NULLS LAST
