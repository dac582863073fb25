-- Rows that break request_throughput * duration = completed by more than $pct percent.
SELECT file, line, request_throughput * duration AS product, completed
FROM rows WHERE abs(request_throughput * duration - completed) > $pct / 100.0 * completed ORDER BY leg, ord, repeat;
