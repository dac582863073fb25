-- Each metric of candidate against reference: gain of the medians in percent, and whether the ranges are disjoint.
WITH sorted AS (
    SELECT leg, metric, list_sort(list(value)) AS v, count(*) AS n FROM points WHERE leg IN ('ref', 'cand') GROUP BY leg, metric
), summed AS (
    SELECT leg, metric, n, (v[(n + 1) // 2] + v[(n + 2) // 2]) / 2 AS median, v[1] AS low, v[n] AS high FROM sorted
)
SELECT r.metric,
       CASE WHEN r.median > 0 THEN 100.0 * (c.median - r.median) / r.median END AS delta_pct,
       CASE WHEN r.n >= 2 AND c.n >= 2 THEN c.low > r.high OR c.high < r.low END AS non_overlapping
FROM summed r JOIN summed c ON r.metric = c.metric AND r.leg = 'ref' AND c.leg = 'cand' ORDER BY r.metric;
