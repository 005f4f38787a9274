WITH present AS (
  SELECT * FROM enrollments WHERE status IN ('active', 'invited')
), counted AS (
  SELECT c.nr, c.canvas_course_id, c.course_id, c.long_name, c.canvas_account_id, c.canvas_term_id, c.status,
         (SELECT count(DISTINCT canvas_user_id) FROM present e
          WHERE e.canvas_course_id = c.canvas_course_id AND base_role_type = 'StudentEnrollment') AS students,
         (SELECT count(DISTINCT canvas_user_id) FROM present e
          WHERE e.canvas_course_id = c.canvas_course_id AND base_role_type = 'TeacherEnrollment') AS teachers
  FROM one_courses c WHERE status NOT IN ('concluded', 'deleted')
)
SELECT * EXCLUDE nr, students = 0 AS empty, teachers = 0 AS teacherless
FROM counted WHERE students = 0 OR teachers = 0 ORDER BY nr
