"""psycopg2 against the PostgreSQL front end. Arguments: port, database, token."""

import datetime
import sys

import psycopg2

port, database, token = sys.argv[1:4]
c = psycopg2.connect(host="127.0.0.1", port=port, user="any", dbname=database, password=token)
c.autocommit = True
cur = c.cursor()
cur.execute("SELECT id, text, flag, f_64, a_128 FROM scalar WHERE id = %s", (1,))
assert cur.fetchall() == [(1, 'grün "quoted" \\ tab\t', True, -1234.5678, 12800000000000000000000)]
cur.execute("SELECT at, key, who FROM special WHERE id = 1")
at, key, who = cur.fetchone()
assert at == datetime.datetime(2021, 6, 1, 11, 10, 0, 123456, datetime.timezone.utc), at
assert key == "00112233-4455-4677-8899-aabbccddeeff", key
assert bytes(who)[:2] == b"\xc2\x00", bytes(who)
cur.execute("SELECT shape, opt_num FROM compound WHERE id = 1")
assert cur.fetchone() == ({"named": {"n": -7, "label": 'say "hi"'}}, {"some": 5})
cur.execute("SELECT ints, bools, texts FROM lists WHERE id = 1")
assert cur.fetchone()[:2] == ([1, -2, 3], [True, False])
cur.execute("INSERT INTO item (id, name, kind, rank) VALUES (0, %s, %s, %s)", ("it's psycopg", 7, -1))
assert cur.statusmessage.startswith("inserted: 1, server: "), cur.statusmessage
cur.execute("SELECT rank FROM item WHERE name = %s", ("it's psycopg",))
assert cur.fetchone() == (-1,)
cur.execute("DELETE FROM item WHERE name = %s", ("it's psycopg",))
try:
    cur.execute("SELECT id\nFROM scalr")
    raise AssertionError("no error")
except psycopg2.Error as e:
    assert e.pgcode == "XX000" and "LINE 2: FROM scalr" in str(e) and "Did you mean `scalar`?" in str(e), e
cur.execute("SELECT 1 AS one")
assert cur.fetchone() == (1,)
c.close()
try:
    psycopg2.connect(host="127.0.0.1", port=port, user="any", dbname=database, password="x")
    raise AssertionError("logged in")
except psycopg2.OperationalError as e:
    assert "Invalid token" in str(e), e
print("psycopg2: all as expected")
