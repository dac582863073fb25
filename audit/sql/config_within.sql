-- Keys whose effective value is not the same in every record (launch or row) of one leg; a key that some records lack counts.
-- Numbers are ordered as numbers, so that low and top are the furthest apart.
WITH sizes AS (SELECT leg, count(DISTINCT record) AS records FROM config GROUP BY leg),
     ordered AS (SELECT *, coalesce(try_cast(value AS DOUBLE), 0.0) AS number FROM config)
SELECT c.leg, c.key, arg_max(c.value, (c.number, c.value, -c.record)) AS top_value,
       arg_min(c.value, (c.number, c.value, c.record)) AS low_value,
       arg_min(c.file, (c.number, c.value, c.record)) AS low_file, arg_min(c.line, (c.number, c.value, c.record)) AS low_line,
       arg_max(c.file, (c.number, c.value, -c.record)) AS top_file, arg_max(c.line, (c.number, c.value, -c.record)) AS top_line
FROM ordered c JOIN sizes s ON c.leg = s.leg
GROUP BY c.leg, c.key, s.records HAVING count(DISTINCT c.value) > 1 OR count(DISTINCT c.record) < s.records ORDER BY c.leg, c.key;
