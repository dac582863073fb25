-- Distribution of input and output tokens over the answered requests of each leg.
SELECT leg, count(*) AS n, avg(tokens_in) AS in_mean, quantile_disc(tokens_in, 0.1) AS in_p10, quantile_disc(tokens_in, 0.9) AS in_p90,
       avg(tokens_out) AS out_mean, quantile_disc(tokens_out, 0.1) AS out_p10, quantile_disc(tokens_out, 0.9) AS out_p90
FROM requests WHERE leg IN ('ref', 'cand') AND NOT failed GROUP BY leg ORDER BY leg;
