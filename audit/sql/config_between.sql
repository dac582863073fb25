-- Keys whose effective value differs between the legs; a key that only one leg has counts, with null on the other side.
WITH ref AS (SELECT key, min(value) AS value, arg_min(file, (launch, line)) AS file, arg_min(line, (launch, line)) AS line
             FROM config WHERE leg = 'ref' GROUP BY key),
     cand AS (SELECT key, min(value) AS value, arg_min(file, (launch, line)) AS file, arg_min(line, (launch, line)) AS line
              FROM config WHERE leg = 'cand' GROUP BY key)
SELECT coalesce(r.key, c.key) AS key, r.value, c.value, r.file, r.line, c.file, c.line
FROM ref r FULL OUTER JOIN cand c ON r.key = c.key WHERE r.value IS DISTINCT FROM c.value ORDER BY 1;
