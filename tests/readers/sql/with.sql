-- One query per line, each compared with DuckDB.
WITH c AS (SELECT a, COUNT(*) AS n FROM t GROUP BY a) SELECT t.id, c.n FROM t JOIN c ON t.a = c.a;
WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x + 1 FROM r WHERE x < 5) SELECT * FROM r;
WITH RECURSIVE r(x) AS (SELECT a FROM t UNION ALL SELECT x + 1 FROM r WHERE x < 4) SELECT * FROM r;
