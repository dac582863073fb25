-- Output throughput of every timed repeat, for citing rows and for trends.
SELECT leg, launch, repeat, file, line, output_throughput FROM rows WHERE leg IN ('ref', 'cand') ORDER BY leg, ord, repeat;
