package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestItems holds the number of items in the specification. A chapter that
// gains or loses one changes this number on purpose.
func TestItems(t *testing.T) {
	chapters, err := readChapters(os.DirFS("../../docs/spec"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"01": 50, "02": 77, "03": 70, "04": 42, "05": 53, "06": 66, "07": 93, "08": 88, "09": 105, "10": 33}
	all := 0
	for _, c := range chapters {
		if len(c.numbers) != want[c.id] {
			t.Errorf("chapter %s has %d items; want %d", c.name, len(c.numbers), want[c.id])
		}
		if c.id == "07" && (!c.has("07.113") || c.has("07.81")) {
			t.Errorf("chapter 07 has the items %v; want §33 and §34.15", c.numbers)
		}
		all += len(c.numbers)
	}
	if all != 677 {
		t.Errorf("the chapters have %d items; want 677", all)
	}
}

func TestChecklist(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
		err        string
	}{
		{"two lists", "# A\n1. no\n## 3. Conformance checklist\n1. a\n   2. indented\n2. b\n### C\n3. no\n### conformance checklist, continued\n101. c\n", 3, ""},
		{"none", "# A\n1. no\n", 0, "no conformance checklist"},
		{"repeated", "# Conformance checklist\n1. a\n1. b\n", 0, "item 1 stands after item 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := checklist(tt.text)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v; want %q", err, tt.err)
				}
				return
			}
			if err != nil || len(got) != tt.want {
				t.Errorf("checklist = %v, %v; want %d items", got, err, tt.want)
			}
		})
	}
}

const noExcuses = excusesBegin + "\n\n| Items | Reason |\n|---|---|\n" + excusesEnd + "\n"

func TestRun(t *testing.T) {
	const list = "# Conformance checklist\n\n1. a\n2. b\n3. c\n4. d\n"
	excused := strings.Replace(noExcuses, excusesEnd, "| 01.2, 05.4 | needs a thing we have not |\n"+excusesEnd, 1)
	for _, tt := range []struct {
		name                string
		ledger, log, compat string
		code                int
		want                string
	}{
		{"nothing", "", "", noExcuses, 0, "all                   8       0        0        8\n"},
		{"ledger", "01.1 TestA\n01.1 TestB\n05.3 TestA/sub\n", "", noExcuses, 0, "all                   8       2        0        6\n"},
		{"log", "", "ok 1\n# covers: 01.1 01.2\nℹ covers: 05.4\n", noExcuses, 0, "all                   8       3        0        5\n"},
		{"comment in a log", "", "this discovers: 01.1\n", noExcuses, 0, "all                   8       0        0        8\n"},
		{"excuses", "", "", excused, 0, "all                   8       0        2        6\n"},
		{"per chapter", "05.1 TestA\n", "", excused, 0, "05-b                  4       1        1        2\n"},
		{"missing", "05.3 TestA\n", "", noExcuses, 0, "    missing: 1-2 4\n"},
		{"needless excuse", "01.2 TestA\n", "", excused, 0, "proven though excused: 01.2\n"},
		{"proof", "01.2 TestA\n01.2 TestB\n", "", noExcuses, 0, "01.2 TestA, TestB\n"},
		{"unknown in ledger", "01.5 TestA\n", "", noExcuses, 1, "no chapter has the item 01.5 (TestA)"},
		{"unknown chapter", "02.1 TestA\n", "", noExcuses, 1, "no chapter has the item 02.1"},
		{"unknown in log", "", "covers: 01.9\n", noExcuses, 1, "no chapter has the item 01.9"},
		{"unknown excuse", "", "", strings.ReplaceAll(excused, "05.4", "05.44"), 1, "no chapter has the item 05.44"},
		{"damaged ledger", "nonsense\n", "", noExcuses, 1, `ledger:1: "nonsense" is not an item and a test`},
		{"damaged log", "", "a\ncovers: 1.1\n", noExcuses, 1, `log:2: "1.1" is no item`},
		{"excuse without reason", "", "", strings.ReplaceAll(excused, "needs a thing we have not", ""), 1, "an excused item needs a reason"},
		{"damaged excuse", "", "", strings.ReplaceAll(excused, "05.4", "five"), 1, `"five" is no item`},
		{"no table", "", "", "", 1, "the table of excused items is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{
				"01-a.md": list, "05-b.md": list, "05b-c.md": "none", "ledger": tt.ledger, "log": tt.log, "compat.md": tt.compat,
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(dir)
			var out strings.Builder
			code := run([]string{"-v", "-by", "-spec", ".", "-compat", "compat.md", "-ledger", "ledger", "log"}, &out, &out)
			if code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit %d; want %d and %q in:\n%s", code, tt.code, tt.want, out.String())
			}
		})
	}
}

func TestRunMissingFile(t *testing.T) {
	var out strings.Builder
	if code := run([]string{"-spec", "../../docs/spec", "-ledger", "no-such-file"}, &out, &out); code != 1 || !strings.Contains(out.String(), "no-such-file") {
		t.Errorf("exit %d, %s; want 1 and the file's name", code, out.String())
	}
}
