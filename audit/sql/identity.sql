-- Rows that break output_throughput * duration = total_output_tokens by more than $pct percent.
SELECT file, line, output_throughput * duration AS product, tokens_out FROM rows
WHERE tokens_out IS NOT NULL AND abs(output_throughput * duration - tokens_out) > $pct / 100.0 * greatest(tokens_out, 1)
ORDER BY leg, ord, repeat;
