package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Menus are the questions of init, dev and version (spec 09 §2.3): they stand on the
// error stream, which must be a terminal, and are answered with keys, from the
// controlling terminal if stdin is none.

// errInterrupted is what a question ends with at Ctrl-C.
var errInterrupted = errors.New("interrupted")

// errBack is what a choice ends with at Esc.
var errBack = errors.New("back")

// keyboard is where the answers to menus come from.
type keyboard struct {
	file  *os.File // nil: a test's
	lines *lineReader
	close func()
}

// canAsk reports whether menus can be shown.
func (r *run) canAsk() bool { return r.Menus || terminal(r.Stderr) }

func (r *run) keyboard() (*keyboard, error) {
	if r.Menus {
		return &keyboard{lines: r.input(), close: func() {}}, nil
	}
	if !terminal(r.Stderr) {
		return nil, fail("IO error: not a terminal")
	}
	if f, ok := r.Stdin.(*os.File); ok && terminal(f) {
		return &keyboard{f, r.input(), func() {}}, nil
	}
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, fail("IO error: not a terminal")
	}
	return &keyboard{f, newLineReader(f), func() { _ = f.Close() }}, nil
}

// menuText asks for a text that has a default.
func (r *run) menuText(question, def string) (string, error) {
	k, err := r.keyboard()
	if err != nil {
		return "", err
	}
	defer k.close()
	fmt.Fprintf(r.Stderr, "%s %s [%s]: ", r.mark("?"), question, def)
	line, err := r.await(k.lines.next)
	if err != nil {
		fmt.Fprintln(r.Stderr)
		return "", errInterrupted
	}
	if line = strings.TrimSpace(line); line == "" {
		return def, nil
	}
	return line, nil
}

// menuConfirm asks a question that is answered with y or n.
func (r *run) menuConfirm(question string, def bool) (bool, error) {
	choices := "(y/n) [no]"
	if def {
		choices = "(y/n) [yes]"
	}
	k, err := r.keyboard()
	if err != nil {
		return false, err
	}
	defer k.close()
	for {
		fmt.Fprintf(r.Stderr, "%s %s %s: ", r.mark("?"), question, choices)
		line, err := r.await(k.lines.next)
		if err != nil {
			fmt.Fprintln(r.Stderr)
			return false, errInterrupted
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "":
			return def, nil
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

func (r *run) mark(s string) string { return paint(r.color(r.Stderr), "33", s) }

// menuSelect lets the user choose one of some items, with the arrow keys or by
// typing a part of it. Esc gives errBack.
func (r *run) menuSelect(question string, items []string) (int, error) {
	k, err := r.keyboard()
	if err != nil {
		return 0, err
	}
	defer k.close()
	if k.file == nil || r.Getenv("TERM") == "dumb" {
		return r.selectByNumber(k, question, items)
	}
	state, err := term.MakeRaw(int(k.file.Fd()))
	if err != nil {
		return r.selectByNumber(k, question, items)
	}
	defer term.Restore(int(k.file.Fd()), state)
	_, rows, err := term.GetSize(int(k.file.Fd()))
	if err != nil || rows < 4 {
		rows = 24
	}
	s := &selection{items: items, out: r.Stderr, most: rows - 2, title: r.mark("?") + " " + question}
	return s.run(k.lines.r)
}

// selectByNumber is for terminals that cannot move their cursor.
func (r *run) selectByNumber(k *keyboard, question string, items []string) (int, error) {
	for i, item := range items {
		fmt.Fprintf(r.Stderr, "%4d  %s\n", i+1, item)
	}
	for {
		fmt.Fprintf(r.Stderr, "? %s [1]: ", question)
		line, err := r.await(k.lines.next)
		if err != nil {
			return 0, errInterrupted
		}
		line = strings.TrimSpace(line)
		if line == "" {
			return 0, nil
		}
		var n int
		if _, err := fmt.Sscan(line, &n); err == nil && n >= 1 && n <= len(items) {
			return n - 1, nil
		}
		for i, item := range items {
			if strings.EqualFold(item, line) {
				return i, nil
			}
		}
	}
}

// A selection is a menu on the screen.
type selection struct {
	title  string
	items  []string
	out    io.Writer
	most   int    // lines of items that fit
	filter string // what has been typed
	at     int    // in what the filter leaves
	drawn  int    // lines on the screen
}

// shown returns the indexes of the items that contain the letters of the filter.
func (s *selection) shown() (list []int) {
	for i, item := range s.items {
		if contains(strings.ToLower(item), strings.ToLower(s.filter)) {
			list = append(list, i)
		}
	}
	return list
}

// contains reports whether the letters of part stand in text in this order.
func contains(text, part string) bool {
	for _, c := range part {
		i := strings.IndexRune(text, c)
		if i < 0 {
			return false
		}
		text = text[i+len(string(c)):]
	}
	return true
}

func (s *selection) draw() {
	var b strings.Builder
	s.wipe(&b)
	list := s.shown()
	fmt.Fprintf(&b, "%s %s\r\n", s.title, s.filter)
	from := max(0, s.at-s.most+1)
	s.drawn = 1
	for i := from; i < len(list) && i < from+s.most; i++ {
		pointer := "  "
		if i == s.at {
			pointer = "> "
		}
		fmt.Fprintf(&b, "%s%s\r\n", pointer, s.items[list[i]])
		s.drawn++
	}
	_, _ = io.WriteString(s.out, b.String())
}

// wipe takes the menu off the screen.
func (s *selection) wipe(b *strings.Builder) {
	if s.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", s.drawn)
	}
	s.drawn = 0
}

func (s *selection) end(text string) {
	var b strings.Builder
	s.wipe(&b)
	b.WriteString(s.title + " " + text + "\r\n")
	_, _ = io.WriteString(s.out, b.String())
}

func (s *selection) run(keys *bufio.Reader) (int, error) {
	for {
		s.draw()
		c, _, err := keys.ReadRune()
		if err != nil {
			s.end("")
			return 0, errInterrupted
		}
		list := s.shown()
		switch c {
		case 3, 4: // Ctrl-C, Ctrl-D
			s.end("")
			return 0, errInterrupted
		case '\r', '\n':
			if len(list) > 0 {
				s.end(s.items[list[s.at]])
				return list[s.at], nil
			}
			continue
		case 0x1b:
			if keys.Buffered() == 0 {
				s.end("")
				return 0, errBack
			}
			s.escape(keys, len(list))
			continue
		case 0x7f, '\b':
			if letters := []rune(s.filter); len(letters) > 0 {
				s.filter = string(letters[:len(letters)-1])
			}
		case 0x10: // Ctrl-P
			s.move(-1, len(list))
			continue
		case '\t', 0x0e: // Ctrl-N
			s.move(1, len(list))
			continue
		default:
			if unicode.IsPrint(c) {
				s.filter += string(c)
			}
		}
		s.at = 0
	}
}

func (s *selection) move(by, n int) {
	if n > 0 {
		s.at = (s.at + by + n) % n
	}
}

// escape handles what follows Esc in a key that sends several characters.
func (s *selection) escape(keys *bufio.Reader, n int) {
	_, _ = keys.ReadByte() // [ or O
	for keys.Buffered() > 0 {
		c, err := keys.ReadByte()
		switch {
		case err != nil:
			return
		case c == 'A':
			s.move(-1, n)
			return
		case c == 'B':
			s.move(1, n)
			return
		case c >= '@' && c <= '~':
			return
		}
	}
}
