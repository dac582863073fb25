-- Output tokens as the client counted them, and counted again in the text of the answers.
SELECT leg, sum(tokens_out)::DOUBLE AS tokens, sum(recounted)::DOUBLE AS recounted, arg_min(file, ord) AS file, arg_min(line, ord) AS line
FROM rows WHERE recounted IS NOT NULL AND tokens_out > 0 AND leg IN ('ref', 'cand') GROUP BY leg ORDER BY leg;
