-- The same known-answer request in both legs, by pair of launches, repeat and index: who got it right.
WITH judged AS (
    SELECT leg, pair, repeat, idx, prompt, NOT failed AND starts_with(coalesce(answer, ''), expected) AS ok
    FROM requests WHERE leg IN ('ref', 'cand') AND expected IS NOT NULL
)
SELECT count(*) AS paired, count(*) FILTER (r.ok AND NOT c.ok) AS lost, count(*) FILTER (c.ok AND NOT r.ok) AS won,
       count(*) FILTER (r.ok) AS ref_ok, count(*) FILTER (c.ok) AS cand_ok
FROM judged r JOIN judged c
  ON r.pair = c.pair AND r.repeat = c.repeat AND r.idx = c.idx AND r.prompt = c.prompt AND r.leg = 'ref' AND c.leg = 'cand';
