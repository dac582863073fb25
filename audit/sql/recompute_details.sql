-- Rows that kept per-request arrays, computed again from them: requests, tokens, and medians over the requests that were answered.
WITH per AS (
    SELECT leg, ord, count(*) AS requested, count(*) FILTER (NOT failed) AS completed,
           sum(tokens_in) FILTER (NOT failed) AS tokens_in, sum(tokens_out) FILTER (NOT failed) AS tokens_out,
           median(ttft_ms) FILTER (NOT failed) AS ttft_ms, median(tpot_ms) FILTER (NOT failed AND tokens_out > 1) AS tpot_ms,
           median(e2e_ms) FILTER (NOT failed) AS e2e_ms
    FROM details GROUP BY leg, ord
), pooled AS (
    SELECT leg, ord, median(gap) AS itl_ms
    FROM (SELECT leg, ord, unnest(gaps_ms) AS gap FROM details WHERE NOT failed) GROUP BY leg, ord
)
SELECT r.file, r.line, p.completed, r.completed, p.requested - p.completed, r.failed, p.tokens_in::DOUBLE, r.tokens_in, p.tokens_out::DOUBLE, r.tokens_out,
       p.ttft_ms, t.value, g.itl_ms, i.value, p.tpot_ms, o.value, p.e2e_ms, e.value
FROM rows r JOIN per p ON p.leg = r.leg AND p.ord = r.ord
LEFT JOIN pooled g ON g.leg = r.leg AND g.ord = r.ord
LEFT JOIN points t ON t.leg = r.leg AND t.ord = r.ord AND t.metric = 'ttft_ms'
LEFT JOIN points i ON i.leg = r.leg AND i.ord = r.ord AND i.metric = 'itl_ms'
LEFT JOIN points o ON o.leg = r.leg AND o.ord = r.ord AND o.metric = 'tpot_ms'
LEFT JOIN points e ON e.leg = r.leg AND e.ord = r.ord AND e.metric = 'e2e_latency_ms'
ORDER BY r.leg, r.ord, r.repeat;
