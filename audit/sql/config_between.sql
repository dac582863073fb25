-- Keys whose effective value differs between the legs; a key that only one leg has counts, with null on the other side.
SELECT key, min(value) FILTER (leg = 'ref') AS ref, min(value) FILTER (leg = 'cand') AS cand,
       arg_min(file, (launch, line)) FILTER (leg = 'ref') AS ref_file, arg_min(line, (launch, line)) FILTER (leg = 'ref') AS ref_line,
       arg_min(file, (launch, line)) FILTER (leg = 'cand') AS cand_file, arg_min(line, (launch, line)) FILTER (leg = 'cand') AS cand_line
FROM config WHERE leg IN ('ref', 'cand') GROUP BY key HAVING ref IS DISTINCT FROM cand ORDER BY key;
