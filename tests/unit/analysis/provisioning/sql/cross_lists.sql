SELECT x.canvas_section_id, x.section_id, s.name AS section_name, x.status,
       x.canvas_nonxlist_course_id AS home_canvas_course_id, home.course_id AS home_course_id,
       home.short_name AS home_short_name, home.long_name AS home_long_name,
       home.canvas_account_id AS home_canvas_account_id, home.canvas_term_id AS home_canvas_term_id,
       x.canvas_xlist_course_id AS host_canvas_course_id, host.course_id AS host_course_id,
       host.short_name AS host_short_name, host.long_name AS host_long_name,
       host.canvas_account_id AS host_canvas_account_id, host.canvas_term_id AS host_canvas_term_id,
       home.canvas_account_id = host.canvas_account_id AS same_account,
       home.canvas_term_id = host.canvas_term_id AS same_term
FROM one_xlist x
LEFT JOIN one_sections s ON s.canvas_section_id = x.canvas_section_id
LEFT JOIN one_courses home ON home.canvas_course_id = x.canvas_nonxlist_course_id
LEFT JOIN one_courses host ON host.canvas_course_id = x.canvas_xlist_course_id
ORDER BY x.nr
