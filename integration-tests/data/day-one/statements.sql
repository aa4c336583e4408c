-- What somebody types on the first day who comes from Flink's SQL client.
--
-- A line that begins with "-- # " begins a section. An entry is a title in a comment line and one or several
-- statements below it, and ends with a blank line; what it asks, its last statement asks.

-- # Filters and projections

-- Every row
SELECT * FROM orders;

-- Some columns, one of them renamed
SELECT order_id, amount AS price FROM orders;

-- Two conditions
SELECT order_id, product FROM orders WHERE amount > 20 AND currency = 'EUR';

-- One of a list
SELECT order_id FROM orders WHERE status IN ('shipped', 'open');

-- A range
SELECT order_id, amount FROM orders WHERE amount BETWEEN 10 AND 50;

-- A pattern
SELECT order_id, product FROM orders WHERE product LIKE 'R%';

-- A regular pattern of SQL
SELECT order_id FROM orders WHERE product SIMILAR TO '(Lamp|Saw)';

-- What has no value
SELECT order_id FROM orders WHERE status IS NULL;

-- Each value once
SELECT DISTINCT currency FROM orders;

-- An expression without a name
SELECT order_id, amount * quantity FROM orders;

-- A star beside a column
SELECT o.*, o.amount * 2 AS twice FROM orders AS o;

-- A table's full name
SELECT order_id FROM `default_catalog`.`default_database`.`orders`;

-- A number as text, compared with a number
SELECT order_id FROM orders WHERE order_id = '3';

-- A word that Flink reserves as a name
SELECT amount AS value FROM orders;

-- No table at all
SELECT 1 + 1 AS two;

-- A greeting
SELECT 'Hello World';

-- # Text

-- Case and length
SELECT UPPER(product) AS u, LOWER(product) AS l, CHAR_LENGTH(product) AS n FROM orders;

-- Texts one after another
SELECT name || ' from ' || city AS who FROM customers;

-- CONCAT
SELECT CONCAT(name, ', ', city) AS who FROM customers;

-- CONCAT_WS
SELECT CONCAT_WS('/', name, city, email) AS who FROM customers;

-- CONCAT of a text and a number
SELECT CONCAT('order ', order_id) AS label FROM orders;

-- SUBSTRING
SELECT SUBSTRING(product FROM 1 FOR 3) AS a, SUBSTR(product, 2) AS b FROM orders;

-- TRIM, LPAD and REPLACE
SELECT TRIM(BOTH ' ' FROM product) AS a, LPAD(currency, 5, '*') AS b, REPLACE(product, 'duck', 'goose') AS c FROM orders;

-- POSITION and LOCATE
SELECT POSITION('a' IN product) AS a, LOCATE('a', product) AS b FROM orders;

-- A part of a text
SELECT SPLIT_INDEX(email, '@', 1) AS host FROM customers;

-- REGEXP_EXTRACT
SELECT REGEXP_EXTRACT(email, '([a-z]+)@([a-z.]+)', 2) AS host FROM customers;

-- REGEXP_REPLACE and REGEXP
SELECT REGEXP_REPLACE(product, '[0-9]+', '#') AS a, REGEXP(product, '[0-9]') AS b FROM orders;

-- INITCAP, REVERSE and REPEAT
SELECT INITCAP(product) AS a, REVERSE(currency) AS b, REPEAT(currency, 2) AS c FROM orders;

-- A hash
SELECT MD5(email) AS a, SHA256(email) AS b FROM customers;

-- Base 64
SELECT TO_BASE64(name) AS a FROM customers;

-- A part of an address
SELECT PARSE_URL('https://example.org/a?b=c', 'QUERY', 'b') AS b;

-- A new id
SELECT UUID() AS id, order_id FROM orders;

-- # Numbers

-- Arithmetic
SELECT order_id, amount * quantity AS total, amount / quantity AS each_one, -amount AS negative FROM orders;

-- A remainder
SELECT order_id, MOD(order_id, 3) AS a, order_id % 3 AS b FROM orders;

-- ROUND, FLOOR and CEIL
SELECT ROUND(amount, 1) AS r, FLOOR(amount) AS f, CEIL(amount) AS c FROM orders;

-- ABS, SIGN, SQRT and POWER
SELECT ABS(amount - 50) AS a, SIGN(amount - 50) AS s, SQRT(quantity) AS q, POWER(quantity, 2) AS p FROM orders;

-- Logarithms
SELECT LN(quantity) AS a, LOG10(quantity) AS b, LOG2(quantity) AS c FROM orders;

-- Sines
SELECT SIN(quantity) AS a, PI() AS b FROM orders;

-- CAST
SELECT CAST(amount AS INT) AS a, CAST(order_id AS STRING) AS b, CAST('7' AS INT) AS c FROM orders;

-- TRY_CAST
SELECT TRY_CAST(product AS INT) AS a FROM orders;

-- GREATEST and LEAST
SELECT GREATEST(order_id, quantity) AS a, LEAST(order_id, quantity) AS b FROM orders;

-- TRUNCATE
SELECT TRUNCATE(amount, 1) AS a FROM orders;

-- A random number
SELECT order_id, RAND() AS r FROM orders;

-- # Dates and times

-- From a time on
SELECT order_id FROM orders WHERE order_time >= TIMESTAMP '2026-03-03 00:00:00';

-- EXTRACT
SELECT EXTRACT(HOUR FROM order_time) AS h, EXTRACT(DAY FROM order_time) AS d FROM orders;

-- YEAR, MONTH and DAYOFWEEK
SELECT YEAR(since) AS y, MONTH(since) AS m, DAYOFWEEK(since) AS d FROM customers;

-- DATE_FORMAT
SELECT DATE_FORMAT(order_time, 'yyyy-MM-dd HH:mm') AS t FROM orders;

-- The day of a time
SELECT CAST(order_time AS DATE) AS d FROM orders;

-- The hour of a time
SELECT FLOOR(order_time TO HOUR) AS h FROM orders;

-- A day later
SELECT order_time + INTERVAL '1' DAY AS later FROM orders;

-- The time between two times
SELECT o.order_id, TIMESTAMPDIFF(MINUTE, o.order_time, s.ship_time) AS minutes FROM orders AS o JOIN shipments AS s ON o.order_id = s.order_id;

-- TIMESTAMPADD
SELECT TIMESTAMPADD(HOUR, 2, order_time) AS t FROM orders;

-- Text as a time
SELECT TO_TIMESTAMP('2026-03-02 09:00:00') AS t, TO_DATE('2026-03-02') AS d;

-- Milliseconds as a time
SELECT TO_TIMESTAMP_LTZ(1772442000000, 3) AS t;

-- Seconds since 1970
SELECT UNIX_TIMESTAMP('2026-03-02 09:00:00') AS s, FROM_UNIXTIME(1772442000) AS t;

-- Now
SELECT CURRENT_TIMESTAMP AS t;

-- Today
SELECT order_id FROM orders WHERE CAST(order_time AS DATE) <= CURRENT_DATE;

-- The last hour
SELECT order_id FROM orders WHERE order_time > NOW() - INTERVAL '1' HOUR;

-- Processing time
SELECT order_id, PROCTIME() AS p FROM orders;

-- The watermark
SELECT order_id, CURRENT_WATERMARK(order_time) AS w FROM orders;

-- # NULLs and conditions

-- COALESCE, IFNULL and NULLIF
SELECT COALESCE(status, 'none') AS a, IFNULL(status, 'none') AS b, NULLIF(status, 'open') AS c FROM orders;

-- CASE
SELECT order_id, CASE WHEN amount < 20 THEN 'small' WHEN amount < 100 THEN 'middle' ELSE 'large' END AS size FROM orders;

-- CASE of a value
SELECT order_id, CASE currency WHEN 'EUR' THEN 1 WHEN 'USD' THEN 2 ELSE 0 END AS n FROM orders;

-- IF
SELECT order_id, IF(amount > 50, 'large', 'small') AS size FROM orders;

-- A condition as a column
SELECT order_id, amount > 50 AS expensive FROM orders;

-- IS DISTINCT FROM
SELECT order_id FROM orders WHERE status IS DISTINCT FROM 'open';

-- # Aggregates

-- COUNT of everything
SELECT COUNT(*) AS n FROM orders;

-- SUM, AVG, MIN and MAX
SELECT SUM(amount) AS s, AVG(amount) AS a, MIN(amount) AS mi, MAX(amount) AS ma FROM orders;

-- COUNT of each value once
SELECT COUNT(DISTINCT customer_id) AS n FROM orders;

-- An aggregate of some rows
SELECT COUNT(*) FILTER (WHERE status = 'open') AS open_ones, COUNT(*) AS n FROM orders;

-- Deviation
SELECT STDDEV_POP(quantity) AS a, VAR_SAMP(quantity) AS b FROM orders;

-- LISTAGG
SELECT currency, LISTAGG(product, ', ') AS products FROM orders GROUP BY currency;

-- COLLECT
SELECT currency, COLLECT(product) AS products FROM orders GROUP BY currency;

-- ARRAY_AGG
SELECT currency, ARRAY_AGG(order_id) AS ids FROM orders GROUP BY currency;

-- FIRST_VALUE and LAST_VALUE
SELECT currency, FIRST_VALUE(product) AS a, LAST_VALUE(product) AS b FROM orders GROUP BY currency;

-- APPROX_COUNT_DISTINCT
SELECT APPROX_COUNT_DISTINCT(customer_id) AS n FROM orders;

-- # GROUP BY

-- By a column
SELECT currency, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY currency;

-- By two columns
SELECT category, currency, SUM(quantity) AS n FROM orders GROUP BY category, currency;

-- HAVING
SELECT customer_id, COUNT(*) AS n FROM orders GROUP BY customer_id HAVING COUNT(*) > 2;

-- By an expression
SELECT CAST(order_time AS DATE) AS d, COUNT(*) AS n FROM orders GROUP BY CAST(order_time AS DATE);

-- By a position
SELECT currency, COUNT(*) AS n FROM orders GROUP BY 1;

-- By an alias
SELECT UPPER(category) AS kind, COUNT(*) AS n FROM orders GROUP BY kind;

-- A column that is not grouped
SELECT currency, product, COUNT(*) AS n FROM orders GROUP BY currency;

-- ROLLUP
SELECT category, currency, SUM(amount) AS total FROM orders GROUP BY ROLLUP (category, currency);

-- CUBE
SELECT category, currency, COUNT(*) AS n FROM orders GROUP BY CUBE (category, currency);

-- GROUPING SETS
SELECT category, currency, COUNT(*) AS n, GROUPING(category) AS g FROM orders GROUP BY GROUPING SETS ((category), (currency), ());

-- # Windows

-- TUMBLE
SELECT window_start, window_end, SUM(price) AS total
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;

-- TUMBLE without TABLE( )
SELECT window_start, window_end, SUM(price) AS total
FROM TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES)
GROUP BY window_start, window_end;

-- TUMBLE with names of arguments
SELECT window_start, window_end, SUM(price) AS total
FROM TABLE(TUMBLE(DATA => TABLE bids, TIMECOL => DESCRIPTOR(bidtime), SIZE => INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;

-- TUMBLE by a key
SELECT window_start, supplier, COUNT(*) AS n, MAX(price) AS highest
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '10' MINUTE))
GROUP BY window_start, window_end, supplier;

-- TUMBLE with an offset
SELECT window_start, SUM(price) AS total
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES, INTERVAL '5' MINUTES))
GROUP BY window_start, window_end;

-- The rows of windows
SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES));

-- HOP
SELECT window_start, window_end, SUM(price) AS total
FROM TABLE(HOP(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES, INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;

-- CUMULATE
SELECT window_start, window_end, SUM(price) AS total
FROM TABLE(CUMULATE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;

-- SESSION
SELECT window_start, window_end, supplier, SUM(price) AS total
FROM TABLE(SESSION(TABLE bids PARTITION BY supplier, DESCRIPTOR(bidtime), INTERVAL '2' MINUTES))
GROUP BY window_start, window_end, supplier;

-- The older form of TUMBLE
SELECT TUMBLE_START(bidtime, INTERVAL '10' MINUTE) AS w, SUM(price) AS total
FROM bids GROUP BY TUMBLE(bidtime, INTERVAL '10' MINUTE);

-- Windows and ROLLUP
SELECT window_start, window_end, supplier, SUM(price) AS total
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES))
GROUP BY window_start, window_end, ROLLUP (supplier);

-- Windows of windows
CREATE TEMPORARY VIEW fives AS SELECT window_time AS rowtime, SUM(price) AS part
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, window_time;
SELECT window_start, window_end, SUM(part) AS total
FROM TABLE(TUMBLE(TABLE fives, DESCRIPTOR(rowtime), INTERVAL '10' MINUTES))
GROUP BY window_start, window_end;

-- The highest bid of each window
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) AS rownum
  FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES)))
WHERE rownum <= 1;

-- # OVER

-- The two largest orders of a currency
SELECT order_id, currency, amount FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY currency ORDER BY amount DESC) AS rownum FROM orders)
WHERE rownum <= 2;

-- The latest row of a key
SELECT currency, rate FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY currency ORDER BY valid_from DESC) AS rownum FROM rates)
WHERE rownum = 1;

-- RANK and DENSE_RANK
SELECT product, RANK() OVER (ORDER BY quantity) AS r, DENSE_RANK() OVER (ORDER BY quantity) AS d FROM orders;

-- LAG and LEAD
SELECT order_id, LAG(amount) OVER (ORDER BY order_time) AS before_it, LEAD(amount) OVER (ORDER BY order_time) AS after_it FROM orders;

-- A sum so far
SELECT order_id, SUM(quantity) OVER (PARTITION BY currency ORDER BY order_time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS n FROM orders;

-- The last three rows
SELECT order_id, AVG(quantity) OVER (ORDER BY order_time ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS a FROM orders;

-- The last hour before each row
SELECT order_id, COUNT(*) OVER (PARTITION BY currency ORDER BY order_time RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) AS n FROM orders;

-- A named window
SELECT order_id, SUM(quantity) OVER w AS n FROM orders WINDOW w AS (PARTITION BY category ORDER BY order_time);

-- NTILE
SELECT order_id, NTILE(3) OVER (ORDER BY amount) AS third FROM orders;

-- A share of a whole
SELECT order_id, amount / SUM(amount) OVER (PARTITION BY currency) AS share FROM orders;

-- # Joins

-- INNER JOIN
SELECT o.order_id, c.name FROM orders AS o JOIN customers AS c ON o.customer_id = c.customer_id;

-- LEFT JOIN
SELECT o.order_id, c.name FROM orders AS o LEFT JOIN customers AS c ON o.customer_id = c.customer_id;

-- RIGHT JOIN
SELECT o.order_id, c.name FROM orders AS o RIGHT JOIN customers AS c ON o.customer_id = c.customer_id;

-- FULL OUTER JOIN
SELECT o.order_id, c.name FROM orders AS o FULL OUTER JOIN customers AS c ON o.customer_id = c.customer_id;

-- USING
SELECT order_id, name FROM orders JOIN customers USING (customer_id);

-- NATURAL JOIN
SELECT order_id, name FROM orders NATURAL JOIN customers;

-- CROSS JOIN
SELECT c.name, r.currency FROM customers AS c CROSS JOIN rates AS r;

-- Tables with a comma between them
SELECT o.order_id, c.name FROM orders o, customers c WHERE o.customer_id = c.customer_id;

-- Three tables
SELECT c.name, o.product, s.carrier FROM customers AS c
JOIN orders AS o ON o.customer_id = c.customer_id
JOIN shipments AS s ON s.order_id = o.order_id;

-- A join and its sums
SELECT c.city, SUM(o.amount) AS total FROM orders AS o JOIN customers AS c ON o.customer_id = c.customer_id GROUP BY c.city;

-- A table with itself
SELECT a.order_id, b.order_id AS other FROM orders AS a JOIN orders AS b ON a.product = b.product AND a.order_id < b.order_id;

-- Columns of the same name
SELECT * FROM orders AS o JOIN customers AS c ON o.customer_id = c.customer_id;

-- An inequality alone
SELECT a.order_id, b.order_id AS other FROM orders AS a JOIN orders AS b ON a.amount > b.amount;

-- IN a query
SELECT name FROM customers WHERE customer_id IN (SELECT customer_id FROM orders);

-- EXISTS
SELECT name FROM customers AS c WHERE EXISTS (SELECT 1 FROM orders AS o WHERE o.customer_id = c.customer_id);

-- NOT EXISTS
SELECT name FROM customers AS c WHERE NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.customer_id = c.customer_id);

-- NOT IN a query
SELECT name FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders);

-- An interval join
SELECT o.order_id, s.carrier FROM orders AS o, shipments AS s
WHERE o.order_id = s.order_id AND o.order_time BETWEEN s.ship_time - INTERVAL '4' HOUR AND s.ship_time;

-- A temporal join
SELECT o.order_id, o.amount * r.rate AS in_euro FROM orders AS o
LEFT JOIN rates FOR SYSTEM_TIME AS OF o.order_time AS r ON o.currency = r.currency;

-- A lookup join
SELECT o.order_id, c.name FROM orders AS o
JOIN customers FOR SYSTEM_TIME AS OF PROCTIME() AS c ON o.customer_id = c.customer_id;

-- A window join
SELECT l.order_id, r.shipment_id, l.window_start
FROM (SELECT * FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(order_time), INTERVAL '1' DAY))) AS l
JOIN (SELECT * FROM TABLE(TUMBLE(TABLE shipments, DESCRIPTOR(ship_time), INTERVAL '1' DAY))) AS r
ON l.order_id = r.order_id AND l.window_start = r.window_start AND l.window_end = r.window_end;

-- LATERAL
SELECT c.name, t.product FROM customers AS c,
LATERAL (SELECT product FROM orders AS o WHERE o.customer_id = c.customer_id ORDER BY amount DESC LIMIT 1) AS t;

-- # UNION, INTERSECT, EXCEPT

-- UNION ALL
SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM customers;

-- UNION
SELECT customer_id FROM orders UNION SELECT customer_id FROM customers;

-- INTERSECT
SELECT customer_id FROM orders INTERSECT SELECT customer_id FROM customers;

-- EXCEPT
SELECT customer_id FROM customers EXCEPT SELECT customer_id FROM orders;

-- EXCEPT ALL
SELECT customer_id FROM orders EXCEPT ALL SELECT customer_id FROM customers;

-- # Queries in queries

-- A query in FROM
SELECT kind, n FROM (SELECT category AS kind, COUNT(*) AS n FROM orders GROUP BY category) AS t WHERE n > 3;

-- WITH
WITH big AS (SELECT * FROM orders WHERE amount > 50) SELECT currency, COUNT(*) AS n FROM big GROUP BY currency;

-- A value of another query
SELECT order_id FROM orders WHERE amount > (SELECT AVG(amount) FROM orders);

-- A value for each row
SELECT name, (SELECT COUNT(*) FROM orders AS o WHERE o.customer_id = c.customer_id) AS n FROM customers AS c;

-- VALUES
VALUES (1, 'one'), (2, 'two');

-- VALUES as a table
SELECT n, word FROM (VALUES (1, 'one'), (2, 'two')) AS t (n, word) WHERE n > 1;

-- # Arrays, maps and rows

-- ARRAY
SELECT ARRAY[1, 2, 3] AS a;

-- An item, and how many there are
SELECT visit_id, tags[1] AS first_tag, CARDINALITY(tags) AS n FROM visits;

-- ARRAY_CONTAINS
SELECT visit_id FROM visits WHERE ARRAY_CONTAINS(tags, 'mobile');

-- ARRAY_JOIN
SELECT visit_id, ARRAY_JOIN(tags, ',') AS tags FROM visits;

-- UNNEST
SELECT v.visit_id, t.tag FROM visits AS v CROSS JOIN UNNEST(v.tags) AS t (tag);

-- UNNEST that keeps rows without items
SELECT v.visit_id, t.tag FROM visits AS v LEFT JOIN UNNEST(v.tags) AS t (tag) ON TRUE;

-- UNNEST with places
SELECT v.visit_id, t.tag, t.place FROM visits AS v CROSS JOIN UNNEST(v.tags) WITH ORDINALITY AS t (tag, place);

-- MAP
SELECT MAP['a', 1, 'b', 2] AS m, MAP['a', 1]['a'] AS one;

-- ROW
SELECT ROW(order_id, product) AS r FROM orders;

-- A field of a row
SELECT p.customer_id, p.address.city FROM profiles AS p;

-- Another column beside a row
SELECT customer_id FROM profiles;

-- A function that gives rows
SELECT v.visit_id, t.word FROM visits AS v, LATERAL TABLE(SPLIT(v.payload, ',')) AS t (word);

-- # JSON

-- JSON_VALUE
SELECT visit_id, JSON_VALUE(payload, '$.page') AS page FROM visits;

-- JSON_VALUE of a type
SELECT visit_id, JSON_VALUE(payload, '$.ms' RETURNING INTEGER) AS ms FROM visits;

-- JSON_QUERY
SELECT visit_id, JSON_QUERY(payload, '$.cart') AS cart FROM visits;

-- JSON_EXISTS
SELECT visit_id FROM visits WHERE JSON_EXISTS(payload, '$.cart');

-- IS JSON
SELECT visit_id, payload IS JSON AS ok FROM visits;

-- JSON_OBJECT
SELECT JSON_OBJECT('id' VALUE order_id, 'product' VALUE product) AS j FROM orders;

-- JSON_STRING
SELECT JSON_STRING(tags) AS j FROM visits;

-- # ORDER BY and LIMIT

-- ORDER BY
SELECT order_id, amount FROM orders ORDER BY amount DESC;

-- ORDER BY the event time
SELECT order_id, order_time FROM orders ORDER BY order_time;

-- Where NULLs stand
SELECT order_id, status FROM orders ORDER BY status NULLS LAST, order_id;

-- ORDER BY a position
SELECT product, amount FROM orders ORDER BY 2, 1;

-- Some rows
SELECT * FROM orders LIMIT 3;

-- The largest three
SELECT order_id, amount FROM orders ORDER BY amount DESC LIMIT 3;

-- The second page
SELECT order_id, amount FROM orders ORDER BY order_id, amount LIMIT 3 OFFSET 3;

-- FETCH FIRST
SELECT order_id FROM orders ORDER BY order_id FETCH FIRST 3 ROWS ONLY;

-- # INSERT

-- Into a table that does not exist yet
INSERT INTO large_orders SELECT order_id, amount FROM orders WHERE amount > 50;

-- Into one that exists, by position
INSERT INTO archive SELECT * FROM orders;

-- Into some columns
INSERT INTO notes (product, order_id) SELECT product, order_id FROM orders;

-- Rows by hand
INSERT INTO more_rates VALUES ('NOK', 0.0870), ('SEK', 0.0890);

-- Sums
INSERT INTO totals SELECT currency, SUM(amount) AS total FROM orders GROUP BY currency;

-- With WITH
INSERT INTO ducks WITH d AS (SELECT * FROM orders WHERE product LIKE '%duck%') SELECT order_id, quantity FROM d;

-- EXECUTE INSERT
EXECUTE INSERT INTO open_orders SELECT order_id FROM orders WHERE status = 'open';

-- A statement set
EXECUTE STATEMENT SET BEGIN
INSERT INTO in_euro SELECT order_id FROM orders WHERE currency = 'EUR';
INSERT INTO in_dollar SELECT order_id FROM orders WHERE currency = 'USD';
END;

-- INSERT OVERWRITE
INSERT OVERWRITE archive SELECT * FROM orders WHERE amount > 50;

-- Into a partition
INSERT INTO archive PARTITION (currency = 'EUR') SELECT order_id FROM orders;

-- CREATE TABLE AS
CREATE TABLE kept AS SELECT order_id, amount FROM orders;

-- UPDATE
UPDATE archive SET status = 'open' WHERE order_id = 4;

-- DELETE
DELETE FROM archive WHERE order_id = 4;

-- TRUNCATE TABLE
TRUNCATE TABLE archive;

-- # Tables, views and functions

-- A temporary view
CREATE TEMPORARY VIEW in_rome AS SELECT * FROM customers WHERE city = 'Rome';
SELECT name FROM in_rome;

-- A temporary view with columns, dropped
CREATE TEMPORARY VIEW v (id) AS SELECT order_id FROM orders;
DROP TEMPORARY VIEW v;

-- A view that stays
CREATE VIEW in_rome AS SELECT * FROM customers WHERE city = 'Rome';

-- A temporary view if there is none
CREATE TEMPORARY VIEW IF NOT EXISTS v AS SELECT order_id FROM orders;

-- DROP VIEW
DROP VIEW IF EXISTS in_rome;

-- CREATE TABLE over a file
CREATE TABLE files (id BIGINT, name STRING) WITH ('connector' = 'filesystem', 'path' = '/tmp/files', 'format' = 'csv');

-- CREATE TABLE that makes rows
CREATE TABLE gen (id BIGINT, price DECIMAL(10, 2)) WITH ('connector' = 'datagen', 'rows-per-second' = '10');

-- CREATE TABLE with a watermark
CREATE TABLE kafka_orders (order_id BIGINT, order_time TIMESTAMP(3), WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'orders');

-- CREATE TABLE with a primary key
CREATE TABLE users (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'upsert-kafka');

-- CREATE TABLE LIKE
CREATE TABLE orders_too LIKE orders;

-- ALTER TABLE
ALTER TABLE archive RENAME TO attic;

-- DROP TABLE
DROP TABLE IF EXISTS nothing;

-- CREATE DATABASE
CREATE DATABASE shop;

-- CREATE CATALOG
CREATE CATALOG hive WITH ('type' = 'hive');

-- USE
USE default_database;

-- USE CATALOG
USE CATALOG default_catalog;

-- A function of one's own
CREATE TEMPORARY FUNCTION my_upper AS 'com.example.MyUpper' LANGUAGE JAVA;

-- A call of it
SELECT my_upper(product) AS p FROM orders;

-- ADD JAR
ADD JAR '/tmp/my.jar';

-- ANALYZE TABLE
ANALYZE TABLE orders COMPUTE STATISTICS;

-- # Looking around

-- SHOW TABLES
SHOW TABLES;

-- SHOW VIEWS
SHOW VIEWS;

-- SHOW TABLES of a pattern
SHOW TABLES LIKE 'o%';

-- SHOW CATALOGS
SHOW CATALOGS;

-- SHOW DATABASES
SHOW DATABASES;

-- SHOW CURRENT DATABASE
SHOW CURRENT DATABASE;

-- SHOW FUNCTIONS
SHOW FUNCTIONS;

-- SHOW COLUMNS
SHOW COLUMNS FROM orders;

-- SHOW CREATE TABLE
SHOW CREATE TABLE orders;

-- SHOW JOBS
SHOW JOBS;

-- SHOW JARS
SHOW JARS;

-- DESCRIBE
DESCRIBE orders;

-- DESC
DESC customers;

-- EXPLAIN
EXPLAIN SELECT currency, COUNT(*) AS n FROM orders GROUP BY currency;

-- EXPLAIN PLAN FOR
EXPLAIN PLAN FOR SELECT order_id FROM orders WHERE amount > 50;

-- EXPLAIN with details
EXPLAIN CHANGELOG_MODE SELECT order_id FROM orders;

-- HELP
HELP;

-- CLEAR
CLEAR;

-- QUIT
QUIT;

-- # Settings and hints

-- Every setting
SET;

-- Batch
SET 'execution.runtime-mode' = 'batch';

-- Streaming
SET 'execution.runtime-mode' = 'streaming';

-- Parallelism
SET 'parallelism.default' = '2';

-- Checkpoints
SET 'execution.checkpointing.interval' = '10s';

-- How results look
SET 'sql-client.execution.result-mode' = 'tableau';

-- A name for the job
SET 'pipeline.name' = 'my job';

-- A zone
SET 'table.local-time-zone' = 'Europe/Oslo';

-- How long state is kept
SET 'table.exec.state.ttl' = '1 h';

-- Back to what holds without it
RESET 'parallelism.default';

-- Options of a table
SELECT order_id FROM orders /*+ OPTIONS('scan.startup.mode' = 'earliest-offset') */;

-- A hint for a join
SELECT /*+ BROADCAST(c) */ o.order_id, c.name FROM orders AS o JOIN customers AS c ON o.customer_id = c.customer_id;

-- How long state is kept, as a hint
SELECT /*+ STATE_TTL('orders' = '1d') */ currency, COUNT(*) AS n FROM orders GROUP BY currency;

-- # Patterns of rows

-- MATCH_RECOGNIZE
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY supplier ORDER BY bidtime
  MEASURES A.price AS first_price, LAST(B.price) AS last_price
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B+) DEFINE B AS B.price > A.price) AS m;
