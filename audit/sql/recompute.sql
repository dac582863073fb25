-- Each timed repeat computed again from its requests. Times in seconds since the repeat's start; latencies in ms.
WITH per AS (
    SELECT leg, launch, repeat, count(*) AS requested, count(*) FILTER (NOT failed) AS completed,
           sum(tokens_in) FILTER (NOT failed) AS tokens_in, sum(tokens_out) FILTER (NOT failed) AS tokens_out,
           sum(usage_in) FILTER (NOT failed) AS usage_in, sum(usage_out) FILTER (NOT failed) AS usage_out,
           median(1000 * (first_token - sent)) FILTER (NOT failed) AS ttft_ms,
           median(1000 * (done - first_token) / (tokens_out - 1)) FILTER (NOT failed AND tokens_out >= 2) AS tpot_ms,
           median(1000 * (done - sent)) FILTER (NOT failed) AS e2e_ms, max(done) FILTER (NOT failed) AS last_s,
           count(DISTINCT idx) AS indices, sha256(string_agg(prompt, chr(10) ORDER BY idx)) AS prompts_sha256
    FROM requests GROUP BY leg, launch, repeat
)
SELECT r.file, r.line, r.launch, r.repeat, p.requested, r.requested, p.completed, r.completed, p.requested - p.completed, r.failed,
       p.tokens_in::DOUBLE, r.tokens_in, p.tokens_out::DOUBLE, r.tokens_out, p.usage_in::DOUBLE, r.usage_in, p.usage_out::DOUBLE, r.usage_out,
       p.ttft_ms, t.value, p.tpot_ms, o.value, p.e2e_ms, e.value, p.tokens_out / r.duration, r.output_throughput,
       p.completed / r.duration, q.value, p.last_s, r.duration, p.indices, p.prompts_sha256 = r.prompts_sha256
FROM rows r
LEFT JOIN per p ON r.leg = p.leg AND r.launch = p.launch AND r.repeat = p.repeat
LEFT JOIN points t ON t.leg = r.leg AND t.launch = r.launch AND t.repeat = r.repeat AND t.metric = 'ttft_ms'
LEFT JOIN points o ON o.leg = r.leg AND o.launch = r.launch AND o.repeat = r.repeat AND o.metric = 'tpot_ms'
LEFT JOIN points e ON e.leg = r.leg AND e.launch = r.launch AND e.repeat = r.repeat AND e.metric = 'e2e_latency_ms'
LEFT JOIN points q ON q.leg = r.leg AND q.launch = r.launch AND q.repeat = r.repeat AND q.metric = 'request_throughput'
WHERE r.usage_in IS NOT NULL ORDER BY r.leg, r.ord, r.repeat;
