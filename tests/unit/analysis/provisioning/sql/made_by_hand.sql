SELECT "table", canvas_id, sis_id, name, status FROM sql_all_records WHERE NOT created_by_sis ORDER BY place, nr
