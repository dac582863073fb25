-- Work done by each leg: repeats, requests, failures, and tokens per completed request.
SELECT leg, count(*) AS repeats, sum(completed)::BIGINT AS completed, sum(requested)::BIGINT AS requested, sum(failed)::BIGINT AS failed,
       sum(completed) / count(*) AS completed_each,
       sum(tokens_in)::DOUBLE / sum(completed) AS isl, sum(tokens_out)::DOUBLE / sum(completed) AS osl
FROM rows WHERE leg IN ('ref', 'cand') GROUP BY leg ORDER BY leg;
