-- Rows that break output_throughput * duration = total_output_tokens by more than $pct percent; with what the product may be instead.
SELECT file, line, output_throughput * duration AS product, tokens_out, tokens_in FROM rows
WHERE tokens_out IS NOT NULL AND abs(output_throughput * duration - tokens_out) > $pct / 100.0 * greatest(tokens_out, 1)
ORDER BY leg, ord, repeat;
