-- Timed repeats of one leg that overlap in time: one client cannot have measured both.
SELECT a.file, a.line, b.file, b.line FROM rows a JOIN rows b
  ON a.leg = b.leg AND a.ord < b.ord AND a.start_unix < b.end_unix AND b.start_unix < a.end_unix
ORDER BY a.ord, b.ord;
