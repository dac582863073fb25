-- Why answers ended, as a share of the answered requests of each leg.
SELECT leg, coalesce(stop_reason, '(none)') AS reason, count(*) / (sum(count(*)) OVER (PARTITION BY leg)) AS share
FROM requests WHERE leg IN ('ref', 'cand') AND NOT failed GROUP BY leg, reason ORDER BY leg, reason;
