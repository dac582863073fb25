-- Rows where the client's token count and the server's own differ by more than $pct percent.
SELECT file, line, tokens_in, usage_in, tokens_out, usage_out FROM rows
WHERE abs(tokens_in - usage_in) > $pct / 100.0 * greatest(tokens_in, 1) OR abs(tokens_out - usage_out) > $pct / 100.0 * greatest(tokens_out, 1)
ORDER BY leg, ord, repeat;
