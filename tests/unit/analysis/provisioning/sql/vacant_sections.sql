WITH present AS (
  SELECT * FROM enrollments WHERE status IN ('active', 'invited')
), counted AS (
  SELECT s.nr, s.canvas_section_id, s.section_id, s.name, c.canvas_course_id, c.course_id,
         c.long_name AS course_long_name, c.canvas_account_id, c.canvas_term_id, c.status AS course_status,
         (SELECT count(DISTINCT canvas_user_id) FROM present e
          WHERE e.canvas_section_id = s.canvas_section_id AND base_role_type = 'StudentEnrollment') AS students,
         (SELECT count(DISTINCT canvas_user_id) FROM present e
          WHERE e.canvas_section_id = s.canvas_section_id AND base_role_type = 'TeacherEnrollment') AS teachers,
         (SELECT count(DISTINCT canvas_user_id) FROM present e
          WHERE e.canvas_course_id = c.canvas_course_id AND base_role_type = 'TeacherEnrollment') AS course_teachers
  FROM one_sections s JOIN one_courses c ON c.canvas_course_id = s.canvas_course_id
  WHERE s.status <> 'deleted' AND c.status NOT IN ('concluded', 'deleted')
)
SELECT * EXCLUDE (nr, course_teachers), students = 0 AS empty, teachers = 0 AS teacherless, course_teachers
FROM counted WHERE students = 0 OR teachers = 0 ORDER BY nr
