package sats

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth is the number of arrays and objects that may be open at a time (spec 01 §4.5).
const maxJSONDepth = 127

// A jsonReader reads JSON text token by token. Errors say what was expected and where.
type jsonReader struct {
	s     []byte
	pos   int
	depth int
	buf   []byte // unescaped text of the last string that had escapes
}

// A JSONError reports JSON text that is malformed or does not fit its type.
type JSONError struct {
	// Path leads from the whole to the offending value, as in [3].inner; a single
	// dot is the whole. Empty: something follows the value.
	Path string
	Text string // what is wrong, with line and column
}

// Error returns Text.
func (e *JSONError) Error() string { return e.Text }

// within puts the place of a value before the path of an error in it: [i], or
// the name of a member.
func within(err error, segment string) error {
	e, ok := err.(*JSONError)
	switch {
	case !ok:
	case e.Path == ".":
		e.Path = segment
	case strings.HasPrefix(e.Path, "["):
		e.Path = segment + e.Path
	default:
		e.Path = segment + "." + e.Path
	}
	return err
}

func withinItem(err error, i int) error { return within(err, "["+strconv.Itoa(i)+"]") }

func (j *jsonReader) errorAt(pos int, text string) error {
	line, col := 1, 0
	for _, c := range j.s[:min(pos, len(j.s))] {
		if c == '\n' {
			line, col = line+1, 0
		} else {
			col++
		}
	}
	return &JSONError{Path: ".", Text: text + " at line " + strconv.Itoa(line) + " column " + strconv.Itoa(col)}
}

// fail returns an error at the current position.
func (j *jsonReader) fail(text string) error { return j.errorAt(j.pos, text) }

// space skips white space and returns the next byte, 0 at the end.
func (j *jsonReader) space() byte {
	for j.pos < len(j.s) {
		switch c := j.s[j.pos]; c {
		case ' ', '\t', '\n', '\r':
			j.pos++
		default:
			return c
		}
	}
	return 0
}

// found describes the value at the current position for an error.
func (j *jsonReader) found() string {
	switch c := j.space(); {
	case j.pos >= len(j.s):
		return "end of input"
	case c == '"':
		if s, err := j.str(); err == nil {
			if len(s) > 64 {
				s = append(append([]byte(nil), s[:64]...), "..."...)
			}
			return "string " + strconv.Quote(string(s))
		}
		return "string"
	case c == '[':
		return "sequence"
	case c == '{':
		return "map"
	case c == '-' || '0' <= c && c <= '9':
		if tok, isInt, err := j.number(); err == nil {
			if len(tok) > 64 {
				tok = tok[:64]
			}
			if isInt {
				return "integer `" + string(tok) + "`"
			}
			return "floating point `" + string(tok) + "`"
		}
		return "number"
	case j.word("true"):
		return "boolean `true`"
	case j.word("false"):
		return "boolean `false`"
	case j.word("null"):
		return "null"
	}
	return ""
}

// mismatch reports a value of another kind than wanted.
func (j *jsonReader) mismatch(want string) error {
	j.space()
	if j.pos >= len(j.s) {
		return j.fail("EOF while parsing a value")
	}
	at := j.pos
	found := j.found()
	if found == "" {
		return j.noValue(at)
	}
	return j.fail("invalid type: " + found + ", expected " + want)
}

// noValue reports text that begins no value, or a misspelt name.
func (j *jsonReader) noValue(at int) error {
	for _, w := range []string{"true", "false", "null"} {
		if j.s[at] != w[0] {
			continue
		}
		for i := 1; ; i++ {
			if at+i >= len(j.s) {
				return j.errorAt(at+i, "EOF while parsing a value")
			}
			if j.s[at+i] != w[i] {
				return j.errorAt(at+i+1, "expected ident")
			}
		}
	}
	return j.errorAt(at+1, "expected value")
}

// word consumes a literal name.
func (j *jsonReader) word(w string) bool {
	if len(j.s)-j.pos >= len(w) && string(j.s[j.pos:j.pos+len(w)]) == w {
		j.pos += len(w)
		return true
	}
	return false
}

// open consumes a bracket and counts it.
func (j *jsonReader) open() error {
	j.pos++
	if j.depth++; j.depth > maxJSONDepth {
		return j.fail("recursion limit exceeded")
	}
	return nil
}

// close consumes the closing bracket if it comes next.
func (j *jsonReader) close(bracket byte) bool {
	if j.space() != bracket {
		return false
	}
	j.pos++
	j.depth--
	return true
}

// more is called before every item but the first, after close said that it is not the end.
func (j *jsonReader) more(bracket byte) error {
	c := j.space()
	if c != ',' {
		if j.pos >= len(j.s) {
			return j.unfinished(bracket)
		}
		return j.errorAt(j.pos+1, "expected `,` or `"+string(bracket)+"`")
	}
	j.pos++
	if j.space() == bracket {
		return j.errorAt(j.pos+1, "trailing comma")
	}
	return nil
}

// unfinished reports that the text ends before a closing bracket.
func (j *jsonReader) unfinished(bracket byte) error {
	if bracket == ']' {
		return j.fail("EOF while parsing a list")
	}
	return j.fail("EOF while parsing an object")
}

// closeOnly consumes the closing bracket and fails if something else comes.
func (j *jsonReader) closeOnly(bracket byte) error {
	if j.close(bracket) {
		return nil
	}
	switch {
	case j.pos >= len(j.s):
		return j.unfinished(bracket)
	case j.s[j.pos] == ',' && bracket == '}':
		return j.errorAt(j.pos+1, "trailing comma")
	case j.s[j.pos] == ',':
		j.pos++
		if j.space() == bracket {
			return j.errorAt(j.pos+1, "trailing comma")
		}
	}
	return j.errorAt(j.pos+1, "trailing characters")
}

// key consumes an object key. The bytes are valid until the next string is read.
func (j *jsonReader) key() ([]byte, error) {
	switch {
	case j.space() == '"':
		return j.str()
	case j.pos >= len(j.s):
		return nil, j.unfinished('}')
	}
	return nil, j.errorAt(j.pos+1, "key must be a string")
}

// colon consumes what separates a key from its value.
func (j *jsonReader) colon() error {
	if j.space() != ':' {
		return j.errorAt(j.pos+1, "expected `:`")
	}
	j.pos++
	return nil
}

// str consumes a string that starts here. The bytes are valid until the next string is read.
func (j *jsonReader) str() ([]byte, error) {
	j.pos++
	from := j.pos
	for j.pos < len(j.s) {
		switch c := j.s[j.pos]; {
		case c == '"':
			j.pos++
			return j.s[from : j.pos-1], nil
		case c == '\\':
			j.buf = append(j.buf[:0], j.s[from:j.pos]...)
			return j.strEscaped()
		case c < 0x20:
			return nil, j.fail("control character (\\u0000-\\u001F) found while parsing a string")
		}
		j.pos++
	}
	return nil, j.fail("EOF while parsing a string")
}

// strEscaped goes on at the first backslash of a string, collecting its text in buf.
func (j *jsonReader) strEscaped() ([]byte, error) {
	for j.pos < len(j.s) {
		c := j.s[j.pos]
		switch {
		case c == '"':
			j.pos++
			return j.buf, nil
		case c == '\\':
			if err := j.escape(); err != nil {
				return nil, err
			}
			continue
		case c < 0x20:
			return nil, j.fail("control character (\\u0000-\\u001F) found while parsing a string")
		}
		j.buf = append(j.buf, c)
		j.pos++
	}
	return nil, j.fail("EOF while parsing a string")
}

func (j *jsonReader) escape() error {
	if j.pos+1 >= len(j.s) {
		return j.fail("EOF while parsing a string")
	}
	c := j.s[j.pos+1]
	j.pos += 2
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return j.unicodeEscape()
	default:
		return j.fail("invalid escape")
	}
	j.buf = append(j.buf, c)
	return nil
}

// unicodeEscape goes on after \u. Surrogates must come as a pair.
func (j *jsonReader) unicodeEscape() error {
	r, ok := j.hex4()
	if !ok {
		return j.fail("invalid escape")
	}
	if utf16.IsSurrogate(r) {
		if !j.word(`\u`) {
			return j.fail("unexpected end of hex escape")
		}
		low, ok := j.hex4()
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return j.fail("lone surrogate found in hex escape")
		}
	}
	j.buf = utf8.AppendRune(j.buf, r)
	return nil
}

func (j *jsonReader) hex4() (r rune, ok bool) {
	if len(j.s)-j.pos < 4 {
		return 0, false
	}
	for _, c := range j.s[j.pos : j.pos+4] {
		d, ok := unhex(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	j.pos += 4
	return r, true
}

func (j *jsonReader) digits() bool {
	from := j.pos
	for j.pos < len(j.s) && j.s[j.pos]-'0' <= 9 {
		j.pos++
	}
	return j.pos > from
}

// number consumes a number and says whether it has neither fraction nor exponent.
func (j *jsonReader) number() (tok []byte, isInt bool, err error) {
	from := j.pos
	if j.pos < len(j.s) && j.s[j.pos] == '-' {
		j.pos++
	}
	if j.pos < len(j.s) && j.s[j.pos] == '0' {
		j.pos++
		if j.pos < len(j.s) && j.s[j.pos]-'0' <= 9 {
			return nil, false, j.fail("invalid number")
		}
	} else if !j.digits() {
		return nil, false, j.fail("invalid number")
	}
	isInt = true
	if j.pos < len(j.s) && j.s[j.pos] == '.' {
		isInt = false
		if j.pos++; !j.digits() {
			return nil, false, j.fail("invalid number")
		}
	}
	if j.pos < len(j.s) && j.s[j.pos]|0x20 == 'e' {
		isInt = false
		j.pos++
		if j.pos < len(j.s) && (j.s[j.pos] == '+' || j.s[j.pos] == '-') {
			j.pos++
		}
		if !j.digits() {
			return nil, false, j.fail("invalid number")
		}
	}
	return j.s[from:j.pos], isInt, nil
}

// end fails unless only white space is left.
func (j *jsonReader) end() error {
	j.space()
	if j.pos < len(j.s) {
		return within(j.errorAt(j.pos+1, "trailing characters"), "")
	}
	return nil
}
