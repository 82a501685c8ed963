package jshost

import (
	"encoding/base64"
	"fmt"
	"testing"
)

func TestComplexity(t *testing.T) {
	for _, c := range []struct {
		text            string
		postfix, commas int
	}{
		{"a.b.c", 2, 0}, {"f(g(1), [1, [2]])", 4, 2}, {"f(x)[1]`t`", 4, 0}, {"[[1],[2]]", 1, 1}, {"x=(1)", 0, 0}, {"({a:[1]})", 1, 0},
	} {
		if p, n := complexity([]byte(c.text)); p != c.postfix || n != c.commas {
			t.Errorf("complexity(%s) = %d, %d, want %d, %d", c.text, p, n, c.postfix, c.commas)
		}
	}
}

func TestSourceMap(t *testing.T) {
	m, err := parseMap([]byte(`{"version":3,"sourceRoot":"src/","sources":["a.ts","b.ts"],"names":["x"],"mappings":"AAAA,IAAM,IAAIA;;ACCV,E;AADC"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line, column int
		want         string
	}{
		{1, 1, "src/a.ts:1:1"}, {1, 4, "src/a.ts:1:1"}, {1, 5, "src/a.ts:1:7"}, {1, 9, "src/a.ts:1:11"}, {1, 900, "src/a.ts:1:11"},
		{2, 1, ""}, {3, 1, "src/b.ts:2:1"}, {3, 3, ""}, {4, 1, "src/b.ts:1:2"}, {5, 1, ""}, {0, 0, ""}, {-1, -1, ""},
	} {
		got := ""
		if p, ok := m.at(c.line, c.column); ok {
			got = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
		}
		if got != c.want {
			t.Errorf("%d:%d is from %q, want %q", c.line, c.column, got, c.want)
		}
	}
	for _, bad := range []string{`{`, `{"version":2}`, `{"version":3,"sources":[],"mappings":"AAAA"}`, `{"version":3,"sources":["a"],"mappings":"A*"}`,
		`{"version":3,"sources":["a"],"mappings":"AA"}`, `{"version":3,"sources":["a"],"mappings":"AAAAAAAA"}`, `{"version":3,"sources":["a"],"mappings":"AAD"}`,
		`{"version":3,"sources":["a"],"mappings":"gggggggggggggg"}`} {
		if _, err := parseMap([]byte(bad)); err == nil {
			t.Errorf("parseMap(%s) succeeds", bad)
		}
	}
}

func TestSplitMap(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte("{}"))
	for _, c := range []struct{ text, code, raw string }{
		{"x\n//# sourceMappingURL=data:application/json;base64," + data, "x\n", "{}"},
		{"x\n//# sourceMappingURL=data:application/json;charset=utf-8;base64," + data + "\n", "x\n", "{}"},
		{"x\n//# sourceMappingURL=x.js.map\n", "", ""},
		{"x\n//# sourceMappingURL=data:application/json;base64,***\n", "", ""},
		{"x\n//# sourceMappingURL=data:application/json;base64," + data + "\ny", "", ""},
		{"x = '//# sourceMappingURL=data:application/json;base64," + data + "'", "", ""},
		{"x", "", ""},
	} {
		if c.code == "" {
			c.code = c.text
		}
		if code, raw := SplitMap([]byte(c.text)); string(code) != c.code || string(raw) != c.raw {
			t.Errorf("SplitMap(%q) = %q, %q", c.text, code, raw)
		}
	}
}

func FuzzSourceMap(f *testing.F) {
	f.Add("AAAA,IAAM,IAAIA;;ACCV,E;AADC")
	f.Add(";;;;A")
	f.Add("+///D")
	f.Fuzz(func(t *testing.T, mappings string) {
		m := &sourceMap{sources: []string{"a", "b"}}
		if m.decode(mappings) != nil {
			return
		}
		for line := range len(m.lines) + 2 {
			for column := range 20 {
				m.at(line, column)
			}
		}
	})
}
