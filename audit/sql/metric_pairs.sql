-- Each metric of candidate against reference: gain of the medians in percent, and whether the ranges are disjoint.
WITH sorted AS (
    SELECT metric, list_sort(list(value) FILTER (leg = 'ref')) AS r, list_sort(list(value) FILTER (leg = 'cand')) AS c,
           count(*) FILTER (leg = 'ref') AS rn, count(*) FILTER (leg = 'cand') AS cn
    FROM points WHERE leg IN ('ref', 'cand') GROUP BY metric HAVING rn > 0 AND cn > 0
), summed AS (
    SELECT *, (r[(rn + 1) // 2] + r[(rn + 2) // 2]) / 2 AS ref, (c[(cn + 1) // 2] + c[(cn + 2) // 2]) / 2 AS cand FROM sorted
)
SELECT metric, CASE WHEN ref > 0 THEN 100.0 * (cand - ref) / ref END AS delta_pct,
       CASE WHEN rn >= 2 AND cn >= 2 THEN c[1] > r[rn] OR c[cn] < r[1] END AS non_overlapping
FROM summed ORDER BY metric;
