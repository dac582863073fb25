-- The tables that intake fills. Text keys are positions in the evidence: leg role, launch directory, repeat index.
CREATE TABLE launches (leg VARCHAR, launch VARCHAR, pair BIGINT, position BIGINT, started DOUBLE, stopped DOUBLE);
CREATE TABLE rows (leg VARCHAR, launch VARCHAR, ord BIGINT, pair BIGINT, repeat BIGINT, file VARCHAR, line BIGINT, duration DOUBLE,
                   completed BIGINT, tokens_in BIGINT, tokens_out BIGINT, output_throughput DOUBLE, requested BIGINT, failed BIGINT,
                   usage_in BIGINT, usage_out BIGINT, start_unix DOUBLE, end_unix DOUBLE, prompts_sha256 VARCHAR,
                   in_flight DOUBLE, latency_mean_ms DOUBLE, in_flight_limit DOUBLE, recounted BIGINT, fingerprint VARCHAR,
                   request_throughput DOUBLE, input_throughput DOUBLE, total_throughput DOUBLE,
                   ttft_ms DOUBLE, tpot_ms DOUBLE, e2e_latency_ms DOUBLE);
CREATE TABLE details (leg VARCHAR, ord BIGINT, idx BIGINT, tokens_in BIGINT, tokens_out BIGINT, ttft_ms DOUBLE, tpot_ms DOUBLE, e2e_ms DOUBLE,
                      gaps_ms DOUBLE[], failed BOOLEAN);
CREATE TABLE points (leg VARCHAR, launch VARCHAR, ord BIGINT, repeat BIGINT, metric VARCHAR, better VARCHAR, value DOUBLE);
CREATE TABLE config (leg VARCHAR, launch VARCHAR, record BIGINT, key VARCHAR, value VARCHAR, file VARCHAR, line BIGINT);
CREATE TABLE requests (leg VARCHAR, launch VARCHAR, pair BIGINT, repeat BIGINT, idx BIGINT, sent DOUBLE, first_token DOUBLE, done DOUBLE,
                       tokens_in BIGINT, tokens_out BIGINT, usage_in BIGINT, usage_out BIGINT, stop_reason VARCHAR, failed BOOLEAN,
                       answer VARCHAR, expected VARCHAR, prompt VARCHAR);
CREATE TABLE samples (leg VARCHAR, launch VARCHAR, t_unix DOUBLE, foreign_cores DOUBLE, steal_cores DOUBLE, mhz DOUBLE,
                      top_name VARCHAR, top_pid BIGINT, top_cores DOUBLE);
