-- Repeats of a pair of launches whose prompt sets or request counts differ; both legs of a pair must get the same.
SELECT r.pair, r.repeat, r.prompts_sha256 <> c.prompts_sha256 AS other_prompts, r.requested, c.requested, r.completed, c.completed,
       r.file, r.line, c.file, c.line
FROM rows r JOIN rows c ON r.pair = c.pair AND r.repeat = c.repeat AND r.leg = 'ref' AND c.leg = 'cand'
WHERE r.prompts_sha256 <> c.prompts_sha256 OR r.requested <> c.requested OR r.completed <> c.completed ORDER BY r.pair, r.repeat;
