-- One query per line, each compared with DuckDB.
SELECT t.id, u.d FROM t JOIN u ON t.a = u.k;
SELECT t.a, u.k FROM t, u WHERE t.b = u.x;
SELECT t.id, u.d FROM t LEFT JOIN u ON t.a = u.k;
SELECT t.id, u.d FROM t RIGHT JOIN u ON t.b = u.x AND t.a = u.k;
SELECT t.id, u.d FROM t FULL JOIN u ON t.b = u.x;
SELECT t1.id, t2.id AS id2 FROM t t1 JOIN t t2 ON t1.a = t2.a AND t1.id < t2.id;
SELECT a, x FROM t JOIN (SELECT k AS a, x FROM u) w USING (a);
SELECT * FROM t NATURAL JOIN (SELECT k AS a, x FROM u) w;
SELECT id FROM t SEMI JOIN u ON t.a = u.k;
SELECT id FROM t ANTI JOIN u ON t.a = u.k;
SELECT t.id, u.k, u.d FROM t LEFT JOIN u ON t.a = u.k AND u.x > 7 WHERE u.d IS NULL;
SELECT t.s, u.x FROM t LEFT JOIN u ON t.b = u.x LEFT JOIN t t3 ON t3.id = u.k;
SELECT t.id, u.x FROM t LEFT JOIN u ON EXISTS (SELECT 1 FROM u w WHERE t.id = t.a);
SELECT t.id, u.x FROM t JOIN u ON t.id IS NULL;
