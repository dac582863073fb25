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
       p.ttft_ms, r.ttft_ms, p.tpot_ms, r.tpot_ms, p.e2e_ms, r.e2e_latency_ms, p.tokens_out / r.duration, r.output_throughput,
       p.completed / r.duration, r.request_throughput, p.last_s, r.duration, p.indices, p.prompts_sha256 = r.prompts_sha256
FROM rows r
LEFT JOIN per p ON r.leg = p.leg AND r.launch = p.launch AND r.repeat = p.repeat
WHERE r.usage_in IS NOT NULL ORDER BY r.leg, r.ord, r.repeat;
