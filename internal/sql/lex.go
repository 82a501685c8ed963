package sql

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF     tokenKind = iota
	tokWord              // bare word
	tokQuoted            // "word"
	tokNumber            // decimal, without the L suffix
	tokHex               // 0x… or X'…', digits only
	tokString            // '…', unescaped
	tokOddLit            // E'…', N'…', $$…$$, $1, ?: lexed, never accepted
	tokOp                // operator or punctuation
	tokUnknown           // any other character
)

// A token is one lexeme. text is its reduced content: a word without quotes, a
// string without its quotes and doublings, a hex literal without its prefix.
type token struct {
	kind tokenKind
	text string
	pos  int // byte offset of the first byte
	end  int // byte offset behind the last byte
}

func (t token) isOp(op string) bool { return t.kind == tokOp && t.text == op }

// is reports whether t is the keyword kw (upper case). A quoted word never is.
func (t token) is(kw string) bool { return t.kind == tokWord && strings.EqualFold(t.text, kw) }

// ident reports whether t can stand where a name is expected: a word in any
// form or, as an accident worth keeping, a single-quoted string.
func (t token) ident() bool {
	return t.kind == tokWord || t.kind == tokQuoted || t.kind == tokString
}

// A source is a statement text with its tokens; the last one is tokEOF.
type source struct {
	text string
	toks []token
}

// posAt turns a byte offset into line and column.
func (s *source) posAt(off int) Pos {
	before := s.text[:min(off, len(s.text))]
	line := 1 + strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return Pos{Line: line, Column: 1 + utf8.RuneCountInString(before)}
}

func (s *source) syntaxError(off int, msg string) *Error {
	p := s.posAt(off)
	return &Error{Pos: p, Msg: "sql parser error: " + msg + " " + p.String()}
}

// show is how a token appears in a syntax error: as written.
func (s *source) show(t token) string {
	if t.kind == tokEOF {
		return "EOF"
	}
	return s.text[t.pos:t.end]
}

func isIdentStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func isIdentPart(r rune) bool {
	return r == '_' || r == '$' || r >= '0' && r <= '9' || unicode.IsLetter(r)
}

// lex splits text into tokens (spec 07 §2). White space and comments vanish.
func lex(text string) (*source, error) {
	l := lexer{source: &source{text: text}}
	for {
		if err := l.skipBlank(); err != nil {
			return nil, err
		}
		if l.pos >= len(text) {
			break
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	l.toks = append(l.toks, token{kind: tokEOF, pos: len(text), end: len(text)})
	return l.source, nil
}

type lexer struct {
	*source
	pos int
}

func (l *lexer) rest() string { return l.text[l.pos:] }

func (l *lexer) emit(k tokenKind, text string, start int) {
	l.toks = append(l.toks, token{kind: k, text: text, pos: start, end: l.pos})
}

func (l *lexer) skipBlank() error {
	for l.pos < len(l.text) {
		rest := l.rest()
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r):
			l.pos += n
		case strings.HasPrefix(rest, "--"):
			if i := strings.IndexByte(rest, '\n'); i >= 0 {
				l.pos += i + 1
			} else {
				l.pos = len(l.text)
			}
		case strings.HasPrefix(rest, "/*"):
			if err := l.skipComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// skipComment passes a block comment; they nest.
func (l *lexer) skipComment() error {
	start, depth := l.pos, 0
	for l.pos < len(l.text) {
		switch {
		case strings.HasPrefix(l.rest(), "/*"):
			depth++
			l.pos += 2
		case strings.HasPrefix(l.rest(), "*/"):
			depth--
			l.pos += 2
			if depth == 0 {
				return nil
			}
		default:
			l.pos++
		}
	}
	return l.syntaxError(start, "Unexpected EOF while in a multi-line comment")
}

func (l *lexer) next() error {
	start := l.pos
	rest := l.rest()
	c := rest[0]
	switch {
	case c == '\'':
		return l.quoted(tokString, start)
	case c == '"':
		return l.quotedWord(start)
	case len(rest) > 1 && rest[1] == '\'' && (c == 'x' || c == 'X'):
		l.pos++
		return l.quoted(tokHex, start)
	case len(rest) > 1 && rest[1] == '\'' && (c == 'n' || c == 'N'):
		l.pos++
		return l.quoted(tokOddLit, start)
	case len(rest) > 1 && rest[1] == '\'' && (c == 'e' || c == 'E'):
		l.pos++
		return l.escaped(start)
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]):
		l.number(start)
		return nil
	case c == '$':
		return l.dollar(start)
	case c == '?':
		l.pos++
		l.emit(tokOddLit, "?", start)
		return nil
	}
	if r, n := utf8.DecodeRuneInString(rest); isIdentStart(r) {
		l.word(start)
	} else if op := operatorAt(rest); op != "" {
		l.pos += len(op)
		l.emit(tokOp, op, start)
	} else {
		l.pos += n
		l.emit(tokUnknown, rest[:n], start)
	}
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// quoted reads '…' at l.pos, a quote inside written twice.
func (l *lexer) quoted(k tokenKind, start int) error {
	text, ok := l.delimited('\'')
	if !ok {
		return l.syntaxError(start, "Unterminated string literal")
	}
	l.emit(k, text, start)
	return nil
}

func (l *lexer) quotedWord(start int) error {
	text, ok := l.delimited('"')
	if !ok {
		return l.syntaxError(start, `Expected close delimiter '"' before EOF.`)
	}
	l.emit(tokQuoted, text, start)
	return nil
}

// delimited reads a text between two delim at l.pos, delim inside doubled.
func (l *lexer) delimited(delim byte) (string, bool) {
	var doubled strings.Builder
	from := l.pos + 1
	for {
		i := strings.IndexByte(l.text[from:], delim)
		if i < 0 {
			return "", false
		}
		end := from + i
		if end+1 < len(l.text) && l.text[end+1] == delim {
			doubled.WriteString(l.text[from : end+1])
			from = end + 2
			continue
		}
		l.pos = end + 1
		if doubled.Len() == 0 {
			return l.text[from:end], true
		}
		doubled.WriteString(l.text[from:end])
		return doubled.String(), true
	}
}

// escaped reads an E'…' string, where a backslash hides a quote.
func (l *lexer) escaped(start int) error {
	for i := l.pos + 1; i < len(l.text); i++ {
		switch l.text[i] {
		case '\\':
			i++
		case '\'':
			if i+1 < len(l.text) && l.text[i+1] == '\'' {
				i++
				continue
			}
			l.pos = i + 1
			l.emit(tokOddLit, l.text[start:l.pos], start)
			return nil
		}
	}
	return l.syntaxError(start, "Unterminated encoded string literal")
}

// dollar reads $1, $name or a dollar-quoted text.
func (l *lexer) dollar(start int) error {
	i := start + 1
	for i < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[i:])
		if r == '$' || !isIdentPart(r) {
			break
		}
		i += n
	}
	if i < len(l.text) && l.text[i] == '$' {
		tag := l.text[start : i+1]
		close := strings.Index(l.text[i+1:], tag)
		if close < 0 {
			return l.syntaxError(start, "Unterminated dollar-quoted, expected $")
		}
		i += 1 + close + len(tag)
	}
	l.pos = i
	l.emit(tokOddLit, l.text[start:i], start)
	return nil
}

// number reads a decimal number or a 0x literal. What follows without a blank
// is a token of its own: "1and" is 1, and.
func (l *lexer) number(start int) {
	i := start
	digits := func() {
		for i < len(l.text) && isDigit(l.text[i]) {
			i++
		}
	}
	digits()
	if l.text[start:i] == "0" && i < len(l.text) && l.text[i] == 'x' {
		i++
		for i < len(l.text) && isHexDigit(l.text[i]) {
			i++
		}
		l.pos = i
		l.emit(tokHex, l.text[start+2:i], start)
		return
	}
	if i < len(l.text) && l.text[i] == '.' {
		i++
		digits()
	}
	if i < len(l.text) && (l.text[i] == 'e' || l.text[i] == 'E') {
		j := i + 1
		if j < len(l.text) && (l.text[j] == '+' || l.text[j] == '-') {
			j++
		}
		if j < len(l.text) && isDigit(l.text[j]) {
			i = j
			digits()
		}
	}
	text := l.text[start:i]
	if i < len(l.text) && l.text[i] == 'L' {
		i++
	}
	l.pos = i
	l.emit(tokNumber, text, start)
}

func (l *lexer) word(start int) {
	i := start
	for i < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[i:])
		if !isIdentPart(r) {
			break
		}
		i += n
	}
	l.pos = i
	l.emit(tokWord, l.text[start:i], start)
}

// operators in an order in which the first match is the longest.
var operators = []string{
	"<=>", "->>", "#>>", "!~*", "!~~", "~~*",
	"<=", ">=", "<>", "!=", "==", "=>", "||", "&&", "::", ":=", "->", "#>", "#-", "<<", ">>",
	"@>", "<@", "@@", "!~", "~*", "~~", "!!", "|/",
	"(", ")", ",", ";", ".", "*", "+", "-", "/", "%", "=", "<", ">", ":", "&", "|", "^", "~", "@", "#", "!", "[", "]", "{", "}",
}

func operatorAt(s string) string {
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}
