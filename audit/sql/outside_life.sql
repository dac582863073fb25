-- Timed repeats outside the life of their server, or whose duration does not fit their timestamps within $clock_s seconds.
SELECT r.file, r.line, r.start_unix < l.started OR r.end_unix > l.stopped AS outside, r.end_unix - r.start_unix AS window_s, r.duration
FROM rows r JOIN launches l ON r.leg = l.leg AND r.launch = l.launch
WHERE r.start_unix < l.started OR r.end_unix > l.stopped OR abs(r.end_unix - r.start_unix - r.duration) > $clock_s
ORDER BY r.leg, r.ord, r.repeat;
