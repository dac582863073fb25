-- Each metric of each leg over its timed repeats. The median is the plain one: middle value, or mean of the two middle values.
WITH sorted AS (
    SELECT leg, metric, list_sort(list(value)) AS v, count(*) AS n FROM points GROUP BY leg, metric
), summed AS (
    SELECT leg, metric, n, (v[(n + 1) // 2] + v[(n + 2) // 2]) / 2 AS median, v[1] AS low, v[n] AS high FROM sorted
)
SELECT leg, metric, n, median, low, high, CASE WHEN n >= 2 AND median > 0 THEN 100.0 * (high - low) / median END AS spread_pct
FROM summed ORDER BY metric, leg;
