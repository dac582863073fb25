-- Rows that break input_throughput * duration = input tokens, or total throughput * duration = all tokens, by more than $pct percent.
WITH said AS (
    SELECT leg, ord, repeat, file, line, unnest(['input_throughput', 'total_throughput']) AS metric,
           unnest([input_throughput, total_throughput]) * duration AS product, unnest([tokens_in, tokens_in + tokens_out]) AS tokens
    FROM rows
)
SELECT file, line, metric, product, tokens FROM said WHERE abs(product - tokens) > $pct / 100.0 * greatest(tokens, 1)
ORDER BY leg, ord, repeat, metric;
