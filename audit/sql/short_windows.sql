-- Timed repeats shorter than $min_s seconds: ramp and drain weigh too much.
SELECT leg, launch, repeat, file, line, duration FROM rows WHERE duration < $min_s ORDER BY leg, ord, repeat;
