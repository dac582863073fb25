-- Known answers given inside the timed windows: asked, and given (the answer starts with the known text, byte for byte).
SELECT leg, count(*) AS asked, count(*) FILTER (NOT failed AND starts_with(coalesce(answer, ''), expected)) AS given,
       count(*) FILTER (failed) AS failed
FROM requests WHERE leg IN ('ref', 'cand') AND expected IS NOT NULL GROUP BY leg ORDER BY leg;
