-- Repeats that agree to the last digit in duration and every figure: one of them was copied.
SELECT a.file, a.line, b.file, b.line FROM rows a JOIN rows b ON a.fingerprint = b.fingerprint AND (a.leg, a.ord) < (b.leg, b.ord)
ORDER BY a.leg, a.ord, b.leg, b.ord;
