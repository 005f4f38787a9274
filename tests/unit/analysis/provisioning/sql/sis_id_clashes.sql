WITH ids AS (
  SELECT DISTINCT place, "table", sis_id,
         coalesce(nullif(ltrim(lower(sis_id), '0'), ''), '0') AS folded
  FROM sql_all_records WHERE sis_id IS NOT NULL
), pairs AS (
  SELECT a."table", a.folded, a.sis_id,
         (SELECT count(*) FROM ids b WHERE b."table" = a."table" AND b.folded = a.folded) AS ids,
         EXISTS (FROM ids b, ids c WHERE b."table" = a."table" AND b.folded = a.folded
                 AND c."table" = a."table" AND c.folded = a.folded
                 AND lower(b.sis_id) <> lower(c.sis_id)) AS by_zeros,
         EXISTS (FROM ids b, ids c WHERE b."table" = a."table" AND b.folded = a.folded
                 AND c."table" = a."table" AND c.folded = a.folded
                 AND ltrim(b.sis_id, '0') <> ltrim(c.sis_id, '0')) AS by_case
  FROM ids a
)
SELECT r."table", folded, r.sis_id, r.canvas_id, r.name, r.status, ids,
       CASE WHEN by_case AND by_zeros THEN 'case and leading zeros'
            WHEN by_case THEN 'case' ELSE 'leading zeros' END AS differ_in
FROM (FROM sql_all_records
      QUALIFY row_number() OVER (PARTITION BY "table", sis_id, canvas_id ORDER BY nr) = 1) r
JOIN pairs ON pairs."table" = r."table" AND pairs.sis_id = r.sis_id
WHERE ids > 1 ORDER BY r.place, folded, r.sis_id, r.canvas_id
