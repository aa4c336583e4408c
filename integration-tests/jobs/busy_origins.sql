-- The airports with more than 110,000 departures in the year.
INSERT INTO busy_origins
SELECT origin, departures
FROM departures_by_origin
WHERE departures > 110000
