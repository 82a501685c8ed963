package cli

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestIgnoreFile(t *testing.T) {
	f := parseIgnore(strings.Join([]string{
		"# a comment", "*.log", "!keep.log", "/only-here", "anywhere/", "a/**/z", "deep/**", "file?", "[xy]z", "[!q]w", `\#hash`, `trailing\ `, "[open", "**/up",
	}, "\n"), "/p")
	for path, wanted := range map[string]bool{
		"x.log": true, "d/x.log": true, "keep.log": false, "d/keep.log": false, "only-here": true, "d/only-here": false,
		"anywhere/": true, "d/anywhere/": true, "anywhere": false, "a/z": true, "a/b/c/z": true, "b/a/z": false, "deep/x": true,
		"file1": true, "file": false, "file/": false, "xz": true, "zz": false, "aw": true, "qw": false, "#hash": true, "trailing ": true,
		"d/up": true, "up": true, "other": false,
	} {
		name, dir := strings.CutSuffix(path, "/")
		if ignored, _ := f.verdict("/p/"+name, dir); ignored != wanted {
			t.Errorf("%s: %v", path, ignored)
		}
	}
	if _, said := f.verdict("/elsewhere/x.log", false); said {
		t.Error("a file judges what lies outside")
	}
}

func TestIgnorer(t *testing.T) {
	ig := &ignorer{root: "/p", files: []*ignoreFile{parseIgnore("*.bak\ngen/\n.env.local\n", "/p"), parseIgnore("!good.bak\n!gen/x\nspacetime.local.json\n", "/p/m")}}
	for path, wanted := range map[string]bool{
		"/p/m/a.bak": true, "/p/m/good.bak": false, "/p/m/gen/x": true, "/p/m/src/lib.rs": false, "/p/m/target/a": true, "/p/m/src/node_modules/a": true,
		"/p/m/.env.local": false, "/p/m/spacetime.local.json": true, "/p/m/spacetime.dev.local.json": false, "/p/m": false,
	} {
		if got := ig.ignored("/p/m", path, false); got != wanted {
			t.Errorf("%s: %v", path, got)
		}
	}
	// the project itself may lie below such a name
	if (&ignorer{root: "/build/p"}).ignored("/build/p", "/build/p/src/x", false) {
		t.Error("a project below build is ignored")
	}
}

func TestSetMember(t *testing.T) {
	for _, c := range []struct {
		text   string
		path   []string
		wanted string
	}{
		{`{}`, []string{"a"}, "{\n  \"a\": \"v\"\n}"},
		{`{"b": 1}`, []string{"a"}, "{\"b\": 1,\n  \"a\": \"v\"\n}"},
		{"{\n    b: 1, // why\n}\n", []string{"a"}, "{\n    b: 1, // why\n    \"a\": \"v\"\n}\n"},
		{"{\n    b: 1 // why\n}\n", []string{"a"}, "{\n    b: 1, // why\n    \"a\": \"v\"\n}\n"},
		{"// top\n{ a: 'old', b: 2 }", []string{"a"}, "// top\n{ a: \"v\", b: 2 }"},
		{"{module_path: 'x'}", []string{"module-path"}, "{module_path: \"v\"}"},
		{"{\n  dev: { /* none */ }\n}", []string{"dev", "run"}, "{\n  dev: { /* none */\n    \"run\": \"v\"\n  }\n}"},
		{"{\n  dev: {run: 'x', },\n}", []string{"dev", "run"}, "{\n  dev: {run: \"v\", },\n}"},
		{"{\n\tb: 1\n}", []string{"dev", "run"}, "{\n\tb: 1,\n\t\"dev\": {\n\t  \"run\": \"v\"\n\t}\n}"},
	} {
		got, err := setMember(c.text, c.path, "v")
		if err != nil || got != c.wanted {
			t.Errorf("%q: %q, %v", c.text, got, err)
		}
	}
	for _, text := range []string{"", "[]", "{", "{a:", "{a:1", "{a 1}", "{1", "{'a"} {
		if got, err := setMember(text, []string{"b"}, "v"); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// Whatever object a file holds, it has the member afterwards, and all others as
// before.
func TestSetMemberKeepsTheRest(t *testing.T) {
	piece := rapid.SampledFrom([]string{`"k": 1`, "k2: 'text'", "dev: {run: 'x'}", "dev: {\n}", "l: [1, {a: 2}]", "n: null", "dev: 5"})
	space := rapid.SampledFrom([]string{"", " ", "\n  ", " // note\n", "/* x */", "\t"})
	rapid.Check(t, func(t *rapid.T) {
		text := space.Draw(t, "before") + "{" + space.Draw(t, "open")
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			text += piece.Draw(t, "member") + space.Draw(t, "s") + "," + space.Draw(t, "s")
		}
		if rapid.Bool().Draw(t, "cut") {
			text = strings.TrimRight(text, ", \n\t")
		}
		text += space.Draw(t, "close") + "}" + space.Draw(t, "after")
		before, err := parseJSON5(text)
		if err != nil {
			t.Skip("no object")
		}
		edited, err := setMember(text, []string{"dev", "run"}, "v")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		after, err := parseJSON5(edited)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, edited, err)
		}
		got, wanted := after.(map[string]any), before.(map[string]any)
		if dev, ok := got["dev"].(map[string]any); !ok || dev["run"] != "v" {
			// of several members of one name the first is edited, the last counts
			if strings.Count(text, "dev:") < 2 {
				t.Fatalf("%q became %q", text, edited)
			}
		}
		delete(got, "dev")
		delete(wanted, "dev")
		if !reflect.DeepEqual(got, wanted) {
			t.Fatalf("%q became %q", text, edited)
		}
	})
}

func TestDotEnv(t *testing.T) {
	text := "A=1\r\nSPACETIMEDB_HOST = \"old\" # why\n#PUBLIC_SPACETIMEDB_HOST=x\nexport EXPO_PUBLIC_SPACETIMEDB_DB_NAME=\nlast=2"
	got := updateDotEnv(text, "my db", "http://h:1")
	for _, part := range []string{"A=1\r\nSPACETIMEDB_HOST=http://h:1\n#PUBLIC_SPACETIMEDB_HOST=x\nexport EXPO_PUBLIC_SPACETIMEDB_DB_NAME=\"my db\"\nlast=2\n", "\nPUBLIC_SPACETIMEDB_HOST=http://h:1\n", "\nREACT_APP_SPACETIMEDB_DB_NAME=\"my db\"\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is missing in:\n%s", part, got)
		}
	}
	if again := updateDotEnv(got, "my db", "http://h:1"); again != got {
		t.Errorf("a second update changes it:\n%s", again)
	}
	path := filepath.Join(t.TempDir(), ".env.local")
	for i, wanted := range []bool{true, false} {
		if changed, err := writeDotEnv(path, "d", "http://h"); changed != wanted || err != nil {
			t.Errorf("write %d: %v, %v", i, changed, err)
		}
	}
}

// Files are looked at again and again where the system tells nothing.
func TestPoll(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &fileWatcher{changed: make(chan struct{}, 1), roots: []string{dir}, ignore: &ignorer{root: dir}}
	go w.poll(ctx, w.snapshot())
	for _, change := range []func() error{
		func() error { return os.WriteFile(filepath.Join(dir, "a"), nil, 0o644) },
		func() error { return os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o644) },
		func() error { return os.Remove(filepath.Join(dir, "a")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-w.changed:
		case <-time.After(time.Minute):
			t.Fatal("a change is not seen")
		}
	}
	cancel()
	if w.settled(ctx) {
		t.Error("settled after the end")
	}
}

func TestLineFeed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	client, toClient, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	f := newLineFeed(newLineReader(r), toClient)
	lines := newLineReader(client)
	if _, err := w.WriteString("for the client\n"); err != nil {
		t.Fatal(err)
	}
	if text, err := lines.next(); err != nil || text != "for the client" {
		t.Fatalf("%q, %v", text, err)
	}
	answer := make(chan string)
	go func() { text, _ := f.next(); answer <- text }()
	// Once the question waits, a line is its answer; before that the client gets it.
	for {
		if _, err := w.WriteString("yes\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case text := <-answer:
			if text != "yes" {
				t.Fatalf("%q", text)
			}
		case <-time.After(50 * time.Millisecond):
			continue
		}
		break
	}
	w.Close()
	if _, err := f.next(); err == nil {
		t.Error("an answer after the end")
	}
}

func TestSelection(t *testing.T) {
	for keys, wanted := range map[string]int{
		"\r": 0, "\x1b[B\r": 1, "\x1b[A\r": 3, "go\r": 2, "\t\t\r": 2, "zz\x7f\x7f\r": 0, "zz\r\x7f\x7fcs\r": 1, "\x1bOB\x1b[B\x1b[A\r": 1,
	} {
		s := &selection{title: "?", items: []string{"Rust", "C# cs", "Go", "TypeScript"}, most: 2, out: &strings.Builder{}}
		if got, err := s.run(newLineReader(strings.NewReader(keys)).r); err != nil || got != wanted {
			t.Errorf("%q: %d, %v", keys, got, err)
		}
	}
	for keys, wanted := range map[string]error{"\x03": errInterrupted, "": errInterrupted, "\x1b": errBack} {
		s := &selection{items: []string{"a"}, most: 2, out: &strings.Builder{}}
		if _, err := s.run(newLineReader(strings.NewReader(keys)).r); err != wanted {
			t.Errorf("%q: %v", keys, err)
		}
	}
}
