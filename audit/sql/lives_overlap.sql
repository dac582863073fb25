-- Servers that were alive at the same time: they shared the machine, so neither was measured alone.
SELECT a.launch, b.launch, least(a.stopped, b.stopped) - b.started AS seconds
FROM launches a JOIN launches b ON a.launch < b.launch AND a.started < b.stopped AND b.started < a.stopped
ORDER BY a.launch, b.launch;
