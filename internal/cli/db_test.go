package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/cli"
	"github.com/stdbgo/spacetime/internal/server"
)

// filledDataDir makes a data directory with a server that has stopped, and tells
// what the tools say while it runs.
func filledDataDir(t *testing.T, u *user, name string, while func(dir string)) (dir string) {
	return configuredDataDir(t, u, "", name, while)
}

// configuredDataDir is filledDataDir with a text for config.toml.
func configuredDataDir(t *testing.T, u *user, config, name string, while func(dir string)) (dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server and compiles modules; not in -short")
	}
	dir = filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := server.Start(context.Background(), server.RunOptions{
		DataDir: dir, KeyDir: filepath.Join(t.TempDir(), "keys"), ListenAddr: "127.0.0.1:0",
		Version: cli.CompatVersion, ExeName: "spacetime", ExePath: "spacetime", NonInteractive: true, NoDiskLogging: true,
		Stdin: strings.NewReader(""), Stdout: io.Discard, Engines: engines,
	})
	if err != nil {
		t.Fatal(err)
	}
	u.setConfig("http://"+s.Addr().String(), "")
	u.ok("publish", "-y", "-b", modulePath(t, "kitchen"), name)
	u.ok("call", name, "fill")
	u.ok("sql", name, "insert into item (id, name, kind, rank) values (0, 'plate', 3, 1)")
	u.ok("sql", name, "insert into item (id, name, kind, rank) values (0, 'grün \"cup\"', 4, -1)")
	while(dir)
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// snapshotOf is every file of a directory.
func snapshotOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOfflineTools(t *testing.T) {
	u := newUser(t)
	var rows string
	dir := filledDataDir(t, u, "kitchen", func(dir string) {
		for _, verb := range []string{"check", "stats", "dump"} {
			want(t, u.fails(1, "db", verb, "--data-dir", dir), "a server is running on "+dir)
		}
		rows = u.ok("sql", "--format", "json", "kitchen", "select * from item")
	})
	before := snapshotOf(t, dir)

	out := u.ok("db", "check", "--data-dir", dir)
	want(t, out, ": kitchen, c200", "log: transactions 0 to ", "| item ", "  OK\n")
	out = u.ok("db", "stats", "--data-dir", dir, "kitchen")
	want(t, out, "| st_table", "| item ", "item_id_idx_btree", "program ", "(WebAssembly)")
	out = u.ok("db", "dump", "--data-dir", dir, "-t", "item")
	var answer []struct{ Rows []json.RawMessage }
	if err := json.Unmarshal([]byte(rows), &answer); err != nil || len(answer) != 1 || len(answer[0].Rows) == 0 {
		t.Fatalf("%v: %s", err, rows)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(answer[0].Rows) {
		t.Errorf("%d lines for %d rows:\n%s", len(lines), len(answer[0].Rows), out)
	}
	for _, line := range lines {
		var l struct {
			Table string
			Row   struct {
				ID   *uint64
				Name *string
			}
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Table != "item" || l.Row.ID == nil || l.Row.Name == nil {
			t.Errorf("line %s: %v", line, err)
		}
	}
	all := u.ok("db", "dump", "--data-dir", dir)
	if strings.Contains(all, `"st_`) || !strings.Contains(all, `{"table":"compound","row":{`) {
		t.Errorf("a dump of everything: %.300s", all)
	}
	want(t, u.ok("db", "dump", "--data-dir", dir, "--system"), `{"table":"st_table","row":{`)
	wantEqual(t, u.ok("db", "dump", "--data-dir", dir, "--before", "1", "-t", "item"), "")
	file := filepath.Join(t.TempDir(), "rows.jsonl")
	wantEqual(t, u.ok("db", "dump", "--data-dir", dir, "-o", file), "")
	if b, err := os.ReadFile(file); err != nil || string(b) != all {
		t.Errorf("dump to a file: %d bytes, %v; want %d", len(b), err, len(all))
	}
	want(t, u.fails(1, "db", "dump", "--data-dir", dir, "-o", file), "the output cannot be written")
	want(t, u.fails(1, "db", "dump", "--data-dir", dir, "-t", "nope"), "there is no table nope")
	want(t, u.fails(1, "db", "stats", "--data-dir", dir, "nope"), "there is no database nope in "+dir)
	want(t, u.fails(1, "db", "check", "--data-dir", t.TempDir()), "holds no databases")
	want(t, u.fails(2, "db", "dump", "--data-dir", dir, "--before", "soon"), "it is not the number of a transaction")
	for _, verb := range []string{"", "check", "stats", "dump"} {
		want(t, u.ok(strings.Fields("db "+verb+" --help")...), "Usage:", "--help")
	}
	if after := snapshotOf(t, dir); !mapsEqual(before, after) {
		t.Errorf("the tools changed the directory: %d files, were %d", len(after), len(before))
	}

	// Damage is named with file and byte, by a code of its own.
	segment, err := filepath.Glob(filepath.Join(dir, "replicas", "*", "clog", "*.stdb.log"))
	if err != nil || len(segment) != 1 {
		t.Fatal(segment, err)
	}
	b, err := os.ReadFile(segment[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(segment[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	r := u.run("db", "check", "--data-dir", dir)
	if r.code != 3 {
		t.Errorf("check of a damaged log: %s", r)
	}
	want(t, r.stdout, "DAMAGED: "+segment[0]+", byte 10: ")
	r = u.run("db", "dump", "--data-dir", dir)
	if r.code != 3 || !strings.Contains(r.stderr, segment[0]+", byte 10: ") {
		t.Errorf("dump of a damaged log: %s", r)
	}
	if err := os.RemoveAll(filepath.Join(dir, "program-bytes")); err != nil {
		t.Fatal(err)
	}
	want(t, u.run("db", "check", "--data-dir", dir).stdout, "DAMAGED: control: program ")

	// So are missing replicas and a damaged control database.
	if err := os.Rename(filepath.Join(dir, "replicas"), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	r = u.run("db", "check", "--data-dir", dir)
	wantMatch(t, r.stdout, `^DAMAGED: database c200[0-9a-f]{60} has replica (\d+), and replicas/\d+ is not there `)
	if r.code != 3 {
		t.Errorf("check without replicas: %s", r)
	}
	if err := os.Rename(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "replicas")); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "control-db", "control.db")
	if err := os.WriteFile(db, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = u.run("db", "check", "--data-dir", dir)
	if want(t, r.stdout, "DAMAGED: control: "+db+" is damaged"); r.code != 3 {
		t.Errorf("check of a damaged control database: %s", r)
	}
}

// Whatever check calls damage neither stats nor dump pass over: a backup by dump must
// not seem to have worked.
func TestOfflineToolsAgreeOnDamage(t *testing.T) {
	u := newUser(t)
	only := func(pattern string) string {
		t.Helper()
		all, err := filepath.Glob(pattern)
		if err != nil || len(all) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		return all[len(all)-1]
	}
	config := "[commitlog]\ncheckpoint-transactions = 1\nkeep-checkpoints = 1\n"
	dir := configuredDataDir(t, u, config, "kitchen", func(dir string) {
		for i, end := 0, time.Now().Add(patience); time.Now().Before(end); i++ { // until the log does not begin at the first transaction any more
			u.ok("sql", "kitchen", fmt.Sprintf("insert into item (id, name, kind, rank) values (0, 'fork %d', 3, 1)", i))
			if all, _ := filepath.Glob(filepath.Join(dir, "replicas", "*", "clog", "*.stdb.log")); len(all) > 0 && filepath.Base(all[0]) != "00000000000000000000.stdb.log" {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Error("no part of the log was removed")
	})
	replica := only(filepath.Join(dir, "replicas", "*"))
	agree := func(what string, code int, text string) {
		t.Helper()
		for _, verb := range []string{"check", "stats", "dump"} {
			r := u.run("db", verb, "--data-dir", dir)
			if r.code != code || !strings.Contains(r.stdout+r.stderr, text) {
				t.Errorf("%s with %s; want code %d and %q: %s", verb, what, code, text, r)
			}
		}
	}
	agree("nothing damaged", 0, "")
	r := u.run("db", "dump", "--data-dir", dir, "--before", "0")
	if r.code != 1 || !strings.Contains(r.stderr, "that is further back than log and checkpoints reach") {
		t.Errorf("dump of what is not kept: %s", r)
	}

	checkpoint := only(filepath.Join(replica, "checkpoints", "*.checkpoint"))
	whole, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	broken := slices.Clone(whole)
	broken[len(broken)/2] ^= 1
	for _, b := range [][]byte{broken, whole} {
		if err := os.WriteFile(checkpoint, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if &b[0] == &broken[0] {
			agree("a damaged checkpoint", 3, checkpoint+", byte ")
		}
	}
	away := filepath.Join(t.TempDir(), "away")
	for _, part := range []struct{ path, text string }{
		{filepath.Join(replica, "checkpoints"), "no checkpoint leads to transaction"},
		{filepath.Join(replica, "clog"), "ahead of the log"},
	} {
		if err := os.Rename(part.path, away); err != nil {
			t.Fatal(err)
		}
		agree("no "+filepath.Base(part.path), 3, part.text)
		if err := os.Rename(away, part.path); err != nil {
			t.Fatal(err)
		}
	}
	agree("nothing damaged any more", 0, "")
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// The tools read what the original server has written: a log, and no control
// database of ours.
func TestOfflineToolsOnTheOriginal(t *testing.T) {
	u := newUser(t)
	vectors := filepath.Join("..", "..", "testdata", "vectors", "commitlog", "2.8.3")
	log, err := os.ReadFile(filepath.Join(vectors, "00000000000000000000.stdb.log"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	clog := filepath.Join(dir, "replicas", "4", "clog")
	if err := os.MkdirAll(clog, 0o700); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(clog, "00000000000000000000.stdb.log")
	put := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(segment, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(log)
	want(t, u.ok("db", "check", "--data-dir", dir), "replica 4\n", "| accounts | ", "  OK\n")
	stats := u.ok("db", "stats", "--data-dir", dir, "4")
	identity := wantMatch(t, stats, `identity (c200[0-9a-f]{60}), owner c200`)[1]
	wantEqual(t, u.ok("db", "stats", "--data-dir", dir, identity), stats)

	var expected map[string][]any
	text, err := os.ReadFile(filepath.Join(vectors, "expected.json"))
	if err == nil {
		err = json.Unmarshal(text, &expected)
	}
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted []string
	for _, line := range strings.Split(strings.TrimSpace(u.ok("db", "dump", "--data-dir", dir, "-t", "message")), "\n") {
		var l struct{ Row struct{ Text string } }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		got = append(got, l.Row.Text)
	}
	for _, row := range expected["message"] {
		wanted = append(wanted, fmt.Sprint(row.([]any)[0]))
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("messages %q; want %q", got, wanted)
	}

	put(log[:len(log)-3]) // as after a power cut
	want(t, u.ok("db", "check", "--data-dir", dir), "The last commit is unfinished", segment+", byte ", "  OK\n")
	put(bytes.Replace(log, []byte("accounts"), []byte("accountz"), 1))
	if r := u.run("db", "check", "--data-dir", dir); r.code != 3 || !strings.Contains(r.stdout, "DAMAGED: "+segment+", byte ") {
		t.Errorf("check of a damaged log: %s", r)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the tools left files behind: %v, %v", left, err)
	}
}
