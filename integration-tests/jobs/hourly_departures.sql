-- Departures by scheduled hour and origin, with delays and distances.
INSERT INTO hourly_departures
SELECT
    window_start,
    window_end,
    origin,
    COUNT(*) AS departures,
    COUNT(dep_delay) AS with_delay,
    AVG(dep_delay) AS avg_delay,
    MAX(dep_delay) AS max_delay,
    SUM(distance) AS total_distance,
    AVG(distance) AS avg_distance
FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, origin
