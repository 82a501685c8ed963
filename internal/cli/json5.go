package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/sats"
)

// parseJSON5 reads the JSON of project files: comments, trailing commas, single
// quotes and keys without quotes are fine. Objects are map[string]any, lists are
// []any, numbers keep the text that they were written as. Errors tell the place
// and never quote the text, which may hold secrets.
func parseJSON5(text string) (any, error) {
	p := &json5{text: strings.TrimPrefix(text, "\ufeff")}
	v, err := p.value(0)
	if err == nil {
		err = p.blank()
	}
	if err == nil && p.at < len(p.text) {
		err = p.fail("there is more after the end")
	}
	return v, err
}

// A number5 is a number as it was written.
type number5 string

// maxDepth5 bounds how deep values nest.
const maxDepth5 = 64

type json5 struct {
	text string
	at   int
}

func (p *json5) fail(format string, args ...any) error {
	before := p.text[:min(p.at, len(p.text))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1
	return fmt.Errorf("line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
}

// blank skips white space and comments.
func (p *json5) blank() error {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		c, n := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(c) || c == '\ufeff':
			p.at += n
		case strings.HasPrefix(rest, "//"):
			if n = strings.IndexByte(rest, '\n'); n < 0 {
				n = len(rest)
			}
			p.at += n
		case strings.HasPrefix(rest, "/*"):
			if n = strings.Index(rest[2:], "*/"); n < 0 {
				return p.fail("this comment does not end")
			}
			p.at += n + 4
		default:
			return nil
		}
	}
	return nil
}

// peek skips blanks and returns the next byte, 0 at the end.
func (p *json5) peek() (byte, error) {
	if err := p.blank(); err != nil || p.at == len(p.text) {
		return 0, err
	}
	return p.text[p.at], nil
}

func (p *json5) value(depth int) (any, error) {
	c, err := p.peek()
	switch {
	case err != nil:
		return nil, err
	case depth > maxDepth5:
		return nil, p.fail("values are nested more than %d deep", maxDepth5)
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.list(depth)
	case c == '"' || c == '\'':
		return p.quoted()
	}
	word := p.word()
	switch word {
	case "":
		return nil, p.fail("a value is missing")
	case "true", "false":
		return word == "true", nil
	case "null":
		return nil, nil
	}
	if !isNumber5(word) {
		p.at -= len(word)
		return nil, p.fail("this is no value: texts stand in quotes")
	}
	return number5(word), nil
}

// word takes letters, digits and what numbers are made of.
func (p *json5) word() string {
	from := p.at
	for p.at < len(p.text) {
		c, n := utf8.DecodeRuneInString(p.text[p.at:])
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("+-._$", c) {
			break
		}
		p.at += n
	}
	return p.text[from:p.at]
}

func isNumber5(word string) bool {
	bare := strings.TrimLeft(word, "+-")
	if len(word)-len(bare) > 1 {
		return false
	}
	if bare == "Infinity" || bare == "NaN" {
		return true
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(bare), "0x"); ok {
		return hex != "" && strings.Trim(hex, "0123456789abcdef") == ""
	}
	if bare == "" || strings.Trim(bare, "0123456789.eE+-") != "" {
		return false
	}
	_, err := strconv.ParseFloat(bare, 64)
	return err == nil || strings.Contains(err.Error(), "range")
}

func (p *json5) object(depth int) (any, error) {
	p.at++
	m := map[string]any{}
	for {
		c, err := p.peek()
		if err != nil {
			return nil, err
		}
		switch c {
		case '}':
			p.at++
			return m, nil
		case 0:
			return nil, p.fail("a } is missing")
		}
		key, err := p.key(c)
		if err != nil {
			return nil, err
		}
		if m[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if err := p.separator('}'); err != nil {
			return nil, err
		}
	}
}

// key reads a member's key, which begins with c, and the colon.
func (p *json5) key(c byte) (key string, err error) {
	if c == '"' || c == '\'' {
		key, err = p.quoted()
	} else if key = p.word(); key == "" {
		err = p.fail("a key is missing")
	}
	if err != nil {
		return "", err
	}
	if c, err = p.peek(); err == nil && c != ':' {
		err = p.fail("a : is missing after the key")
	}
	p.at++
	return key, err
}

func (p *json5) list(depth int) (any, error) {
	p.at++
	l := []any{}
	for {
		c, err := p.peek()
		switch {
		case err != nil:
			return nil, err
		case c == ']':
			p.at++
			return l, nil
		case c == 0:
			return nil, p.fail("a ] is missing")
		}
		v, err := p.value(depth + 1)
		if err == nil {
			l = append(l, v)
			err = p.separator(']')
		}
		if err != nil {
			return nil, err
		}
	}
}

// separator takes a comma, or leaves the end.
func (p *json5) separator(end byte) error {
	c, err := p.peek()
	switch {
	case err != nil:
		return err
	case c == ',':
		p.at++
	case c != end:
		return p.fail("a comma or %c is missing", end)
	}
	return nil
}

var escapes5 = map[byte]string{'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v", '0': "\x00", '\n': ""}

func (p *json5) quoted() (string, error) {
	quote := p.text[p.at]
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == quote:
			p.at++
			return b.String(), nil
		case c == '\n':
			return "", p.fail("this text has no closing quote")
		case c != '\\':
			b.WriteByte(c)
			p.at++
			continue
		}
		if p.at++; p.at == len(p.text) {
			break
		}
		c = p.text[p.at]
		p.at++
		digits := map[byte]int{'x': 2, 'u': 4}[c]
		switch text, ok := escapes5[c]; {
		case digits > 0:
			code, err := p.hex(digits)
			if err != nil {
				return "", err
			}
			if code >= 0xd800 && code < 0xdc00 && strings.HasPrefix(p.text[p.at:], `\u`) {
				p.at += 2
				low, err := p.hex(4)
				if err != nil {
					return "", err
				}
				code = (code-0xd800)<<10 + low - 0xdc00 + 0x10000
			}
			b.WriteRune(code)
		case ok:
			b.WriteString(text)
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail("this text has no closing quote")
}

func (p *json5) hex(digits int) (rune, error) {
	if p.at+digits <= len(p.text) {
		if n, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32); err == nil {
			p.at += digits
			return rune(n), nil
		}
	}
	return 0, p.fail("an escape needs %d hexadecimal digits", digits)
}

// jsonString is the JSON of a text.
func jsonString(s string) []byte { return sats.AppendJSONString(nil, s) }
