-- Median output throughput of each launch, tok/s, in the order of the launches.
WITH sorted AS (
    SELECT leg, launch, min(pair) AS pair, min(ord) AS first, list_sort(list(output_throughput)) AS v, count(*) AS n
    FROM rows GROUP BY leg, launch
)
SELECT leg, launch, pair, n, (v[(n + 1) // 2] + v[(n + 2) // 2]) / 2 AS median FROM sorted ORDER BY leg, first;
