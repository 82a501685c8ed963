package server

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// section returns the part of docs/operations.md between two markers.
func docsSection(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "<!-- "+name+": begin")
	_, rest, _ = strings.Cut(rest, "-->\n")
	part, _, end := strings.Cut(rest, "<!-- "+name+": end -->")
	if !ok || !end {
		t.Fatalf("docs/operations.md has no section %s", name)
	}
	return strings.TrimSpace(part)
}

// The table of settings in docs/operations.md is that of the program.
func TestDocumentedSettings(t *testing.T) {
	var b strings.Builder
	b.WriteString("| setting | default | |\n| --- | --- | --- |\n")
	for _, s := range settings {
		fallback := ""
		if s.fallback != "" {
			fallback = "`" + s.fallback + "`"
		}
		fmt.Fprintf(&b, "| `[%s] %s` | %s | %s |\n", s.section, s.key, fallback, strings.ReplaceAll(s.about, "\n", " "))
	}
	if got := docsSection(t, "settings"); got != strings.TrimSpace(b.String()) {
		t.Errorf("docs/operations.md, settings; it should be:\n%s", b.String())
	}
}
