package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// A logLine is an entry of a module log.
type logLine struct {
	Level, Target, Filename, Function, Message string
	TS                                         int64
	Line                                       uint32 `json:"line_number"`
}

func logLines(t *testing.T, text string) (all []logLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || !strings.HasPrefix(line, `{"level":"`) || l.TS == 0 {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

// What calls from outside leave in the log of a real database, and who reads it.
func TestLogEntries(t *testing.T) {
	spec.Covers(t, "06.41")
	r := newRealRig(t)
	m := newDefinition().reducer("speak").reducer("refuse").reducer("take", sats.E("n", sats.U32))
	r.engine.on("speak", func(_ *abi.ReducerCall, s abi.Services) error {
		for level, text := range map[abi.LogLevel]string{abi.LogError: "an error", abi.LogInfo: "some news"} {
			s.Log(abi.LogRecord{Level: level, Time: s.Now(), Target: "shop", Filename: "lib.rs", Line: 7, HasLine: true, Function: "speak", Message: text})
		}
		return nil
	})
	r.engine.on("refuse", func(*abi.ReducerCall, abi.Services) error { return errors.New("no more salt") })
	r.must(m)
	path := "/v1/database/db/logs"
	for who, token := range map[string]string{"bob": r.bob, "nobody": ""} {
		if a := r.do("GET", path, token, ""); a.status != 403 || !strings.HasSuffix(a.body, fmt.Sprintf(" is not authorized to perform action on database %s: view module logs", r.id)) {
			t.Errorf("%s reads: %d %s", who, a.status, a.body)
		}
	}
	tail := func(n int) []logLine {
		a := r.do("GET", fmt.Sprintf("%s?num_lines=%d", path, n), r.alice, "")
		if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" || a.header.Get("Cache-Control") != "no-cache" {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
		return logLines(t, a.body)
	}
	call := func(reducer, args string, status int) {
		t.Helper()
		if a := r.do("POST", "/v1/database/db/call/"+reducer, r.bob, args, jsonHeader); a.status != status {
			t.Errorf("%s: %d %s, want %d", reducer, a.status, a.body, status)
		}
	}
	first := logLines(t, r.logs())
	if len(first) == 0 || first[len(first)-1].Message != "Database initialized" || first[0].Target != "__spacetimedb__" || first[0].Level != "Info" {
		t.Errorf("after the publish: %+v", first)
	}
	call("speak", "[]", 200)
	for _, l := range tail(2) {
		want := map[string]string{"Error": "an error", "Info": "some news"}[l.Level]
		if l.Message != want || l.Target != "shop" || l.Filename != "lib.rs" || l.Line != 7 || l.Function != "speak" {
			t.Errorf("%+v", l)
		}
	}
	ours := func(function, message string) logLine {
		return logLine{Level: "Error", Target: "__spacetimedb__", Filename: "__spacetimedb__", Function: function, Message: message}
	}
	for _, tt := range []struct {
		reducer, args string
		status        int
		want          []logLine
	}{
		{"refuse", "[]", 530, []logLine{ours("refuse", "no more salt")}},
		{"nothing", "[]", 404, []logLine{
			ours("nothing", `External attempt to call nonexistent reducer "nothing" failed. Have you run `+"`spacetime generate`"+` recently?`),
			ours("nothing", `External attempt to call nonexistent procedure "nothing" failed. Have you run `+"`spacetime generate`"+` recently?`),
		}},
		{"take", `["x"]`, 400, []logLine{ours("take", `External attempt to call reducer "take" failed, invalid arguments.`+
			"\nThis is likely due to a mismatched client schema, have you run `spacetime generate` recently?")}},
	} {
		before := len(logLines(t, r.logs()))
		call(tt.reducer, tt.args, tt.status)
		all := logLines(t, r.logs())
		got := all[before:]
		for i := range got {
			got[i].TS = 0
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.reducer, got, tt.want)
		}
	}
	if n := len(tail(1)); n != 1 {
		t.Errorf("num_lines=1: %d", n)
	}
	r.want(r.do("GET", path+"?num_lines=0", r.alice, ""), 200, "")
	r.want(r.do("GET", path+"?num_lines=-1", r.alice, ""), 400, "Failed to deserialize query string: invalid digit found in string")
	r.want(r.do("GET", path+"?follow=yes", r.alice, ""), 400, "Failed to deserialize query string: provided string was not `true` or `false`")
}

// The worked example of spec 06 §4.12.
func TestMigrationTokenVector(t *testing.T) {
	spec.Covers(t, "06.28")
	db, err := sats.ParseIdentity(someone)
	if err != nil {
		t.Fatal(err)
	}
	before, after := abi.HashProgram([]byte("old")), abi.HashProgram([]byte("new"))
	if before.String() != "f6832a2ac9bbf5bd0cf3f96fbc984efa35bbe86c03d1e1b7328a15c6c73e1395" || after.String() != "41e691fcbdc41a0c9c62caec68dbbdb99b245cbb72f06df6f40fa1bd1b4d97d9" {
		t.Errorf("hashes %s, %s", before, after)
	}
	token := schema.MigrationToken(db, before, after)
	const text = "0x14308e2e12090ce6007a2735f51a72c28b21dba6babdf9994a6d25b840f2c1da"
	if token.String() != "dac1f240b8256d4a99f9bdbaa6db218bc2721af535277a00e60c09122e8e3014" || token.JSON() != text {
		t.Errorf("token %s, %s", token, token.JSON())
	}
	// A publish reads it in that form.
	if got, found, err := parseQuery("token=" + text).hash("token"); err != nil || !found || got != token {
		t.Errorf("read: %s, %t, %v", got, found, err)
	}
}
