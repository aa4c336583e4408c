-- Departures of the year by origin, from what the stream committed by hour.
INSERT INTO departures_by_origin
SELECT origin, SUM(departures) AS departures, SUM(total_distance) AS total_distance, MAX(max_delay) AS max_delay
FROM hourly_departures
GROUP BY origin
