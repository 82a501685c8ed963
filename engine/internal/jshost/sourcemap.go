package jshost

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sort"
)

// A sourceMap leads from positions in a generated text to those in the texts it was made of (version 3, without sections).
type sourceMap struct {
	sources []string
	lines   [][]segment // by line of the generated text
}

// A segment says where the text from column on comes from. Lines and columns count from 0.
type segment struct {
	column             int32
	source             int32 // -1: from nowhere
	srcLine, srcColumn int32
}

// A Position is a place in a text; lines and columns count from 1, and 0 is unknown.
type Position struct {
	File         string
	Line, Column int
}

// at returns where the position comes from, if the map knows.
func (m *sourceMap) at(line, column int) (Position, bool) {
	if m == nil || line < 1 || line > len(m.lines) {
		return Position{}, false
	}
	segments := m.lines[line-1]
	col := int32(max(column-1, 0))
	i := sort.Search(len(segments), func(i int) bool { return segments[i].column > col }) - 1
	if i < 0 || segments[i].source < 0 {
		return Position{}, false
	}
	s := segments[i]
	return Position{m.sources[s.source], int(s.srcLine) + 1, int(s.srcColumn) + 1}, true
}

const mapComment = "//# sourceMappingURL="

// SplitMap separates a text from the source map that its last comment holds as a data URL; nil if there is none.
func SplitMap(text []byte) (code, raw []byte) {
	i := bytes.LastIndex(text, []byte(mapComment))
	if i < 0 || i > 0 && text[i-1] != '\n' {
		return text, nil
	}
	url := bytes.TrimSpace(text[i+len(mapComment):])
	if bytes.IndexByte(url, '\n') >= 0 {
		return text, nil // not the last line
	}
	head, data, ok := bytes.Cut(url, []byte(","))
	if !ok || !bytes.HasPrefix(head, []byte("data:application/json")) || !bytes.HasSuffix(head, []byte(";base64")) {
		return text, nil
	}
	raw, err := base64.StdEncoding.AppendDecode(nil, data)
	if err != nil {
		return text, nil
	}
	return text[:i], raw
}

var errSourceMap = errors.New("the source map is malformed")

// parseMap reads a source map.
func parseMap(raw []byte) (*sourceMap, error) {
	var in struct {
		Version  int
		Root     string `json:"sourceRoot"`
		Sources  []string
		Mappings string
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	if in.Version != 3 {
		return nil, errSourceMap
	}
	m := &sourceMap{sources: in.Sources}
	if in.Root != "" {
		for i := range m.sources {
			m.sources[i] = in.Root + m.sources[i]
		}
	}
	return m, m.decode(in.Mappings)
}

// decode reads the list of segments: lines end with ';', segments with ','; a segment has 1, 4 or 5 numbers, each the
// difference to the same number of the segment before.
func (m *sourceMap) decode(mappings string) error {
	var source, line, column, name int32
	var segments []segment
	var generated int32
	for i := 0; i < len(mappings); {
		switch mappings[i] {
		case ';':
			m.lines = append(m.lines, segments)
			segments, generated = nil, 0
			i++
			continue
		case ',':
			i++
			continue
		}
		s := segment{source: -1}
		fields := 0
		for _, field := range [...]*int32{&generated, &source, &line, &column, &name} {
			d, n := vlq(mappings[i:])
			if n == 0 {
				break
			}
			*field += d
			i += n
			fields++
		}
		switch fields {
		case 1:
		case 4, 5:
			if source < 0 || int(source) >= len(m.sources) || line < 0 || column < 0 {
				return errSourceMap
			}
			s.source, s.srcLine, s.srcColumn = source, line, column
		default:
			return errSourceMap
		}
		s.column = generated
		segments = append(segments, s)
	}
	m.lines = append(m.lines, segments)
	return nil
}

// vlq reads one number: base 64 digits of five bits, the least significant first, the lowest bit being the sign. It returns
// the length, 0 if there is no number.
func vlq(s string) (v int32, n int) {
	var u uint32
	for shift := 0; n < len(s) && shift < 35; shift += 5 {
		d := base64Digit(s[n])
		if d < 0 {
			return 0, 0
		}
		n++
		u |= uint32(d&31) << shift
		if d < 32 {
			if u&1 != 0 {
				return -int32(u >> 1), n
			}
			return int32(u >> 1), n
		}
	}
	return 0, 0
}

func base64Digit(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
