-- Rows that break request_throughput * duration = completed by more than $pct percent.
SELECT r.file, r.line, p.value * r.duration AS product, r.completed
FROM rows r JOIN points p ON p.leg = r.leg AND p.ord = r.ord AND p.metric = 'request_throughput'
WHERE abs(p.value * r.duration - r.completed) > $pct / 100.0 * r.completed ORDER BY r.leg, r.ord, r.repeat;
