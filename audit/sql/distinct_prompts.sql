-- Different prompts among the requests of each timed repeat, and how often the most frequent one was sent.
SELECT leg, launch, repeat, count(*) AS requests, count(DISTINCT prompt) AS prompts, arg_max(prompt, (times, prompt)) AS most, max(times) AS times
FROM (SELECT *, count(*) OVER (PARTITION BY leg, launch, repeat, prompt) AS times FROM requests WHERE leg IN ('ref', 'cand'))
GROUP BY leg, launch, repeat ORDER BY leg, launch, repeat;
