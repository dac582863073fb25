-- Different prompts among the requests of each timed repeat, and how often the most frequent one was sent.
SELECT leg, launch, repeat, sum(times)::BIGINT AS requests, count(prompt) AS prompts, arg_max(prompt, (times, prompt)) AS most, max(times) AS times
FROM (SELECT leg, launch, repeat, prompt, count(*) AS times FROM requests WHERE leg IN ('ref', 'cand') GROUP BY leg, launch, repeat, prompt)
GROUP BY leg, launch, repeat ORDER BY leg, launch, repeat;
