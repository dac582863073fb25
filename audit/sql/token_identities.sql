-- Rows that break input_throughput * duration = input tokens, or total throughput * duration = all tokens, by more than $pct percent.
WITH said AS (
    SELECT r.leg, r.ord, r.repeat, r.file, r.line, p.metric, p.value * r.duration AS product,
           CASE p.metric WHEN 'input_throughput' THEN r.tokens_in ELSE r.tokens_in + r.tokens_out END AS tokens
    FROM rows r JOIN points p ON p.leg = r.leg AND p.ord = r.ord AND p.metric IN ('input_throughput', 'total_throughput')
)
SELECT file, line, metric, product, tokens FROM said WHERE abs(product - tokens) > $pct / 100.0 * greatest(tokens, 1)
ORDER BY leg, ord, repeat, metric;
