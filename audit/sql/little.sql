-- Rows that break Little's law: mean requests in flight = requests per second x mean latency, by more than $pct percent.
SELECT r.file, r.line, r.in_flight, r.completed / r.duration * r.latency_mean_ms / 1000 AS product
FROM rows r WHERE r.in_flight > 0 AND r.latency_mean_ms > 0
  AND abs(r.in_flight - r.completed / r.duration * r.latency_mean_ms / 1000) > $pct / 100.0 * r.in_flight
ORDER BY r.leg, r.ord, r.repeat;
