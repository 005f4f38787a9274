SELECT names."table", count(nr) AS records, count(nr) FILTER (created_by_sis) AS by_sis,
       count(nr) FILTER (NOT created_by_sis) AS by_hand,
       CASE WHEN names."table" = 'enrollments' THEN NULL
            ELSE count(nr) FILTER (sis_id IS NULL) END AS without_sis_id
FROM (VALUES (1, 'users'), (2, 'accounts'), (3, 'terms'), (4, 'courses'), (5, 'sections'), (6, 'groups'),
             (7, 'enrollments')) names(p, "table")
LEFT JOIN sql_all_records r ON r."table" = names."table"
GROUP BY names.p, names."table" ORDER BY names.p
