package source

import "testing"

func TestWriter(t *testing.T) {
	w := New("  ")
	w.Line("a %d", 1)
	w.Open("b {")
	w.Line("")
	w.Line("100%%  ")
	w.Line("100%")
	w.Put(`
c ‹x›:

  ‹y›, ‹x›
`, "x", "‹y›", "y", "2")
	w.Indent(1)
	w.Line("d")
	w.Indent(-1)
	w.Close("}")
	const want = "a 1\nb {\n\n  100%%\n  100%\n  c ‹y›:\n\n    2, ‹y›\n    d\n}\n"
	if got := string(w.Bytes()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnfilledHole(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a hole that nothing fills is no panic")
		}
	}()
	Fill("‹x›", "y", "1")
}
