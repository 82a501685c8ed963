// Package pg tests the PostgreSQL front end with the driver pgx, as test/pg/run sets
// it up: PG_OWNER and PG_STRANGER are connection strings of two identities for a
// database with the module of the recorded suite.
package pg

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

var ctx = context.Background()

func connect(t *testing.T, env string, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(os.Getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(ctx) })
	return c
}

// modes are those of pgx; the first is its default. All but the last use the extended
// protocol.
var modes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

func TestModes(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			c := connect(t, "PG_OWNER", mode)
			var id int64
			var text string
			if err := c.QueryRow(ctx, "SELECT id, text FROM scalar WHERE id = $1", 1).Scan(&id, &text); err != nil {
				t.Fatal(err)
			}
			if id != 1 || text != "grün \"quoted\" \\ tab\t" {
				t.Errorf("%d %q", id, text)
			}
			name := "it's " + mode.String()
			insert, args := "INSERT INTO item (id, name, kind, rank) VALUES (0, $1, $2, $3)", []any{name, 3, -7}
			if mode == pgx.QueryExecModeSimpleProtocol { // writes numbers as strings, which SQL does not take for numbers
				insert, args = "INSERT INTO item (id, name, kind, rank) VALUES (0, $1, 3, -7)", args[:1]
			}
			tag, err := c.Exec(ctx, insert, args...)
			if err != nil {
				t.Fatal(err)
			}
			if simple := mode == pgx.QueryExecModeSimpleProtocol; !simple && tag.String() != "INSERT 0 1" || simple && !strings.HasPrefix(tag.String(), "inserted: 1, server: ") {
				t.Errorf("tag %q", tag)
			}
			var rank int
			for range 3 { // the second time a statement that is prepared
				if err := c.QueryRow(ctx, "SELECT rank FROM item WHERE name = $1 AND kind >= $2", name, 3).Scan(&rank); err != nil || rank != -7 {
					t.Fatal(rank, err)
				}
			}
			tag, err = c.Exec(ctx, "DELETE FROM item WHERE name = $1", name)
			if err != nil || mode != pgx.QueryExecModeSimpleProtocol && tag.RowsAffected() != 1 {
				t.Errorf("%s, %v", tag, err)
			}
			if err := c.QueryRow(ctx, "SELECT rank FROM item WHERE name = $1", name).Scan(&rank); !errors.Is(err, pgx.ErrNoRows) {
				t.Error(err)
			}
		})
	}
}

func TestTypes(t *testing.T) {
	c := connect(t, "PG_OWNER", pgx.QueryExecModeCacheStatement)
	var id int64
	var flag bool
	var i8, i16, i32, i64, u8, u16, u32 int64
	var u64, u128, u256, i128, i256 pgtype.Numeric
	var f32 float32
	var f64 float64
	err := c.QueryRow(ctx, "SELECT id, flag, a_8, a_16, a_32, a_64, a_128, a_256, i_8, i_16, i_32, i_64, i_128, i_256, f_32, f_64 FROM scalar WHERE id = 1").
		Scan(&id, &flag, &u8, &u16, &u32, &u64, &u128, &u256, &i8, &i16, &i32, &i64, &i128, &i256, &f32, &f64)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(flag, u8, u16, u32, i8, i16, i32, i64, f32, f64); got != "true 8 1600 3200000 -8 -1600 -3200000 -9007199254740993 0.1 -1234.5678" {
		t.Error(got)
	}
	for _, n := range []struct {
		got  pgtype.Numeric
		want string
	}{{u64, "9007199254740993"}, {u128, "12800000000000000000000"}, {u256, "256"}, {i128, "-12800000000000000000000"}, {i256, "-256"}} {
		whole := new(big.Int).Mul(n.got.Int, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n.got.Exp)), nil))
		if whole.String() != n.want {
			t.Errorf("%v, want %s", n.got, n.want)
		}
	}

	var who, conn []byte
	var at time.Time
	var span pgtype.Interval
	var due string
	var key pgtype.UUID
	err = c.QueryRow(ctx, "SELECT who, conn, at, span, due, key FROM special WHERE id = 1").Scan(&who, &conn, &at, &span, &due, &key)
	if err != nil {
		t.Fatal(err)
	}
	if len(who) != 32 || who[0] != 0xc2 || fmt.Sprintf("%x", conn) != "0123456789abcdef0011223344556677" || span.Microseconds != 90061000001 || key.String() != "00112233-4455-4677-8899-aabbccddeeff" {
		t.Errorf("%x %x %v %s", who, conn, span, key)
	}
	if want := time.Date(2021, 6, 1, 11, 10, 0, 123456000, time.UTC); !at.Equal(want) {
		t.Errorf("%v, want %v", at, want)
	}
	if !strings.HasPrefix(due, `{"Time": `) {
		t.Error(due)
	}
	// The same values as parameters find the row.
	err = c.QueryRow(ctx, "SELECT id FROM special WHERE who = $1 AND conn = $2 AND at = $3 AND span = $4 AND key = $5", who, conn, at, span, key).Scan(&id)
	if err != nil || id != 1 {
		t.Errorf("%d, %v", id, err)
	}
	err = c.QueryRow(ctx, "SELECT id FROM scalar WHERE flag = $1 AND a_64 = $2 AND a_256 = $3 AND i_16 = $4 AND f_32 = $5 AND f_64 = $6", true, uint64(9007199254740993), 256, int16(-1600), float32(0.1), -1234.5678).Scan(&id)
	if err != nil || id != 1 {
		t.Errorf("%d, %v", id, err)
	}

	var bools []bool
	var ints []int32
	var longs []pgtype.Numeric
	var texts []string
	var bytes []byte
	err = c.QueryRow(ctx, "SELECT bytes, bools, ints, longs, texts FROM lists WHERE id = 1").Scan(&bytes, &bools, &ints, &longs, &texts)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(bools, ints, len(longs)); got != "[true false] [1 -2 3] 2" || len(texts) == 0 {
		t.Error(got, texts)
	}
	err = c.QueryRow(ctx, "SELECT id FROM lists WHERE bools = $1 AND ints = $2 AND texts = $3 AND bytes = $4", bools, ints, texts, bytes).Scan(&id)
	if err != nil || id != 1 {
		t.Errorf("%d, %v", id, err)
	}

	var color string
	var shape struct{ Named struct{ N int } }
	err = c.QueryRow(ctx, "SELECT color, shape FROM compound WHERE color = $1", "blue").Scan(&color, &shape)
	if err != nil || color != "blue" || shape.Named.N != -7 {
		t.Errorf("%s %v %v", color, shape, err)
	}
	var sum *float64
	var count int
	if err := c.QueryRow(ctx, "SELECT SUM(f_64), COUNT(*) FROM scalar WHERE id > $1", 100).Scan(&sum, &count); err != nil || sum != nil || count != 0 {
		t.Error(sum, count, err)
	}
	var word string
	var number int32
	if err := c.QueryRow(ctx, "SELECT $1, $2::int, :sender AS me LIMIT $3", "héllo", 5, 1).Scan(&word, &number, &who); err != nil || word != "héllo" || number != 5 || len(who) != 32 {
		t.Error(word, number, who, err)
	}
	var likes int
	if err := c.QueryRow(ctx, "SELECT COUNT(*) AS n FROM scalar WHERE text LIKE $1", "gr%").Scan(&likes); err != nil || likes != 1 {
		t.Error(likes, err)
	}
	if err := c.QueryRow(ctx, "SELECT COUNT(*) AS n FROM compound WHERE opt_num = $1", nil).Scan(&likes); err != nil || likes != 0 {
		t.Error(likes, err)
	}
}

func TestErrors(t *testing.T) {
	c := connect(t, "PG_OWNER", pgx.QueryExecModeCacheStatement)
	fails := func(code, message, hint string, position int32, text string, args ...any) {
		t.Helper()
		rows, err := c.Query(ctx, text, args...)
		if err == nil {
			rows.Close()
			err = rows.Err()
		}
		var e *pgconn.PgError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", text, err)
			return
		}
		if e.Code != code || e.Message != message || e.Hint != hint || e.Position != position {
			t.Errorf("%s: %s %s, hint %q, position %d", text, e.Code, e.Message, e.Hint, e.Position)
		}
	}
	fails("XX000", "(Sql) no such table: `scalr`. If the table exists, it may be marked private.", "Did you mean `scalar`?", 18, "SELECT text FROM scalr")
	fails("XX000", "(Sql) `txt` is not in scope", "Did you mean `text`?", 19, "SELECT id,\n  'ü', txt FROM scalar WHERE id = $1", 1)
	fails("XX000", "(Sql) The literal expression `x` cannot be parsed as type `U32`", "It is a whole number from 0 to 4294967295.", 36, "SELECT text FROM scalar WHERE id = $1", pgx.QueryExecModeExec, "x")
	fails("XX000", "(Sql) Unsupported: BEGIN TRANSACTION", "Every statement is a transaction of its own. Have the driver commit automatically.", 1, "BEGIN")
	if _, err := c.Exec(ctx, "SELECT text FROM scalar WHERE id = $1"); err == nil {
		t.Error("a parameter may be missing")
	}
	if _, err := c.Exec(ctx, "INSERT INTO item (id, name, kind, rank) VALUES (0, $1, 1, 1)", nil); err == nil || !strings.Contains(err.Error(), "NULL") {
		t.Error(err)
	}
	var one int
	if err := c.QueryRow(ctx, "SELECT id FROM scalar WHERE id = 1").Scan(&one); err != nil || one != 1 {
		t.Errorf("afterwards: %d, %v", one, err)
	}
}

// Two identities on many connections at once are never taken for each other.
func TestIdentities(t *testing.T) {
	var wg sync.WaitGroup
	for _, env := range []string{"PG_OWNER", "PG_STRANGER"} {
		config, err := pgxpool.ParseConfig(os.Getenv(env))
		if err != nil {
			t.Fatal(err)
		}
		config.MaxConns = 5
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		var me []byte
		if err := pool.QueryRow(ctx, "SELECT :sender AS me").Scan(&me); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			wg.Go(func() {
				for range 20 {
					var who []byte
					if err := pool.QueryRow(ctx, "SELECT :sender AS me").Scan(&who); err != nil || string(who) != string(me) {
						t.Errorf("%s is %x, %v", env, who, err)
						return
					}
					_, err := pool.Exec(ctx, "SELECT id FROM secret WHERE id = $1", 1)
					if private := err != nil && strings.Contains(err.Error(), "no such table: `secret`"); private != (env == "PG_STRANGER") {
						t.Errorf("%s reads the private table: %v", env, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

// A large result comes while it is made, and one of which only the beginning is
// read ends.
func TestLarge(t *testing.T) {
	c := connect(t, "PG_OWNER", pgx.QueryExecModeCacheStatement)
	defer func() {
		_, _ = connect(t, "PG_OWNER", pgx.QueryExecModeExec).Exec(ctx, "DELETE FROM item WHERE kind = 9")
	}()
	for i := range 150 {
		if _, err := c.Exec(ctx, "INSERT INTO item (id, name, kind, rank) VALUES (0, $1, 9, $2)", fmt.Sprint("large ", i), i); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := c.Query(ctx, "SELECT a.id, b.name, c.rank FROM item a, item b, item c WHERE a.kind = 9 AND b.kind = 9 AND c.kind = 9 AND c.rank < $1", 50)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
	}
	if rows.Err() != nil || n != 150*150*50 {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
	impatient, cancel := context.WithCancel(ctx)
	rows, err = c.Query(impatient, "SELECT a.id, b.name, c.rank FROM item a, item b, item c, item d, item e")
	if err == nil {
		rows.Next()
		cancel()
		rows.Close()
	}
	cancel()
}
