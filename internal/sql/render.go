package sql

import "strings"

// render prints a run of tokens in one line of regular form: keywords in
// capitals, one blank around binary operators and after commas. It is what
// refusals quote; people read it, programs do not (spec 07 §4).
func (s *source) render(sp span) string {
	var b strings.Builder
	for i := sp.from; i < sp.to; i++ {
		t := s.toks[i]
		if i > sp.from && s.spaced(i, sp.from) {
			b.WriteByte(' ')
		}
		switch {
		case t.kind == tokWord && renderedUpper[strings.ToUpper(t.text)]:
			b.WriteString(strings.ToUpper(t.text))
		case t.kind == tokOp && t.text == "==":
			b.WriteString("=")
		case t.kind == tokOp && t.text == "!=":
			b.WriteString("<>")
		case t.kind == tokNumber:
			b.WriteString(t.text)
		default:
			b.WriteString(s.show(t))
		}
	}
	switch text := b.String(); text {
	case "BEGIN":
		return "BEGIN TRANSACTION"
	default:
		// The regular form of this clause has two blanks.
		return strings.Replace(text, ") ON CONFLICT", ")  ON CONFLICT", 1)
	}
}

// asWritten is a run of tokens as the text has them.
func (s *source) asWritten(sp span) string { return s.text[s.toks[sp.from].pos:s.toks[sp.to-1].end] }

// spaced reports whether a blank stands before token i.
func (s *source) spaced(i, from int) bool {
	prev, t := s.toks[i-1], s.toks[i]
	switch {
	case prev.isOp("(") || t.isOp(")") || t.isOp(",") || t.isOp(".") || prev.isOp(".") || prev.isOp(":") || t.isOp("::") || prev.isOp("::") || t.isOp("[") || prev.isOp("[") || t.isOp("]"):
		return false
	case prev.isOp(","), prev.isOp("*"):
		return true
	case t.kind == tokOp && !t.isOp("("):
		return true
	case prev.kind == tokOp && !prev.isOp(")"):
		return s.binary(i-1, from)
	}
	return prev.end < t.pos
}

// binary reports whether the operator at i has an operand before it.
func (s *source) binary(i, from int) bool {
	if i == from || s.toks[i].isOp("@") || s.toks[i].isOp("[") {
		return false
	}
	switch prev := s.toks[i-1]; prev.kind {
	case tokOp:
		return prev.isOp(")") || prev.isOp("]")
	case tokWord:
		return !renderedUpper[strings.ToUpper(prev.text)]
	}
	return true
}
