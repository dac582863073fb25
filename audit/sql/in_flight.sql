-- Mean requests in flight (stated, else requests per second x mean latency) against the most that the client allows itself.
SELECT leg, file, line, coalesce(in_flight, completed / duration * latency_mean_ms / 1000) AS mean, in_flight_limit,
       completed / in_flight_limit AS rounds
FROM rows WHERE in_flight_limit > 0 AND coalesce(in_flight, latency_mean_ms) IS NOT NULL ORDER BY leg, ord, repeat;
