WITH classes AS (
    SELECT s.canvas_section_id, CASE
        WHEN s.canvas_course_id IN (SELECT canvas_xlist_course_id FROM xlist WHERE status = 'active')
        THEN 'course ' || s.canvas_course_id ELSE 'section ' || s.canvas_section_id END AS class
    FROM one_sections s WHERE s.status <> 'deleted'
), sizes AS (
    SELECT class, count(DISTINCT canvas_user_id) AS size
    FROM classes LEFT JOIN (
        SELECT canvas_section_id, canvas_user_id FROM enrollments
        WHERE base_role_type = 'StudentEnrollment' AND status = 'active'
    ) USING (canvas_section_id)
    GROUP BY class
), banded AS (
    SELECT list_count(list_filter([2, 10, 20, 30, 40, 50, 100], lambda start: size >= start)) AS place FROM sizes
)
SELECT ['excluded', '2-9', '10-19', '20-29', '30-39', '40-49', '50-99', '100+'][place + 1] AS band, count(*) AS sections
FROM banded GROUP BY place ORDER BY place
