-- Foreign CPU and steal during each timed repeat, in cores, and the mean clock of the processor, MHz: samples weighted by the part of their second that lies in the window.
-- $sample_s: length of a sample in seconds.
WITH weighted AS (
    SELECT r.leg, r.launch, r.repeat, r.ord, r.end_unix - r.start_unix AS seconds, s.foreign_cores, s.steal_cores, s.mhz, s.top_name, s.top_pid,
           s.top_cores, greatest(0.0, least(s.t_unix, r.end_unix) - greatest(s.t_unix - $sample_s, r.start_unix)) AS weight
    FROM rows r LEFT JOIN samples s
      ON s.leg = r.leg AND s.launch = r.launch AND s.t_unix > r.start_unix AND s.t_unix - $sample_s < r.end_unix
    WHERE r.usage_in IS NOT NULL
)
SELECT leg, launch, repeat, sum(weight * foreign_cores) / nullif(sum(weight), 0) AS foreign_cores,
       sum(weight * steal_cores) / nullif(sum(weight), 0) AS steal_cores, coalesce(sum(weight), 0) / any_value(seconds) AS coverage,
       arg_max(top_name, (top_cores, top_pid)) AS name, arg_max(top_pid, (top_cores, top_pid)) AS pid,
       sum(weight * mhz) / nullif(sum(weight) FILTER (WHERE mhz IS NOT NULL), 0) AS mhz
FROM weighted GROUP BY leg, launch, repeat, ord ORDER BY leg, ord, repeat;
