package cli

import (
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// A tomlDoc is a TOML file as text that can be changed without touching what is
// not ours: comments, order, form and unknown keys stay.
type tomlDoc struct {
	top    tomlBlock
	blocks []*tomlBlock
}

// A tomlBlock is a run of lines: those before the first table, or one table with
// its header.
type tomlBlock struct{ lines []string }

var tableHeader = regexp.MustCompile(`^\s*\[`)

func parseTOML(text string) tomlDoc {
	var d tomlDoc
	at := &d.top
	multi := "" // the delimiter of a multi-line string that is open
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if multi == "" && tableHeader.MatchString(line) {
			at = &tomlBlock{}
			d.blocks = append(d.blocks, at)
		}
		at.lines = append(at.lines, line)
		for _, q := range []string{`"""`, `'''`} {
			if (multi == "" || multi == q) && strings.Count(line, q)%2 == 1 {
				if multi == "" {
					multi = q
				} else {
					multi = ""
				}
			}
		}
	}
	return d
}

func (d *tomlDoc) String() string {
	lines := d.top.lines
	for _, b := range d.blocks {
		lines = append(lines[:len(lines):len(lines)], b.lines...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// set gives a key a value in a table, or at the top for nil; "" removes the key.
func (d *tomlDoc) set(b *tomlBlock, key, value string) {
	if b == nil {
		b = &d.top
	}
	from, to := b.find(key)
	var line []string
	if value != "" {
		line = []string{key + " = " + tomlString(value)}
	}
	switch {
	case from >= 0 && value != "" && to == from+1 && stringLine.MatchString(b.lines[from]):
		b.lines[from] = replaceString(b.lines[from], value)
	case from >= 0:
		b.lines = append(append(append([]string{}, b.lines[:from]...), line...), b.lines[to:]...)
	case value != "":
		// before the blank lines that end the block
		end := len(b.lines)
		for end > 0 && strings.TrimSpace(b.lines[end-1]) == "" {
			end--
		}
		rest := append([]string{}, b.lines[end:]...)
		if b == &d.top && end == len(b.lines) && len(d.blocks) > 0 {
			rest = []string{""}
		}
		b.lines = append(append(b.lines[:end:end], line...), rest...)
	}
}

// find returns the lines [from, to) of a key, or -1.
func (b *tomlBlock) find(key string) (from, to int) {
	re := regexp.MustCompile(`^\s*"?` + regexp.QuoteMeta(key) + `"?\s*=`)
	for i := 0; i < len(b.lines); i++ {
		if !re.MatchString(b.lines[i]) {
			continue
		}
		for _, q := range []string{`"""`, `'''`} {
			if strings.Count(b.lines[i], q) == 1 {
				for j := i + 1; j < len(b.lines); j++ {
					if strings.Contains(b.lines[j], q) {
						return i, j + 1
					}
				}
			}
		}
		return i, i + 1
	}
	return -1, -1
}

// stringLine is a line that gives a key a string; a comment may follow.
var stringLine = regexp.MustCompile(`^(\s*[^=]*=\s*)("(?:[^"\\]|\\.)*"|'[^']*')(\s*(?:#.*)?)$`)

// replaceString gives a stringLine another value. A line that has the value
// already stays as it is, however it is written.
func replaceString(line, value string) string {
	m := stringLine.FindStringSubmatch(line)
	var now struct{ X string }
	if toml.Unmarshal([]byte("x = "+m[2]), &now) == nil && now.X == value {
		return line
	}
	return m[1] + tomlString(value) + m[3]
}

func tomlString(s string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	return `"` + r.Replace(s) + `"`
}

// retain makes the [[server_configs]] tables those of servers.
func (d *tomlDoc) retain(servers []*serverEntry) {
	isServer := func(b *tomlBlock) bool {
		h := strings.ReplaceAll(strings.ReplaceAll(b.lines[0], " ", ""), "\t", "")
		return strings.HasPrefix(h, "[[server_configs]]")
	}
	byKey := map[string]*tomlBlock{}
	for _, b := range d.blocks {
		if !isServer(b) {
			continue
		}
		var m *serverEntry
		if c, err := parseConfig("", []byte(strings.Join(b.lines, "\n"))); err == nil && len(c.servers) == 1 {
			m = c.servers[0]
		}
		if m != nil && byKey[m.name()] == nil {
			byKey[m.name()] = b
		}
	}
	kept := map[*tomlBlock]bool{}
	for _, s := range servers {
		b := byKey[s.key]
		if s.key == "" || b == nil {
			b = &tomlBlock{lines: []string{"[[server_configs]]", ""}}
			if n := len(d.blocks); n > 0 {
				if last := d.blocks[n-1]; strings.TrimSpace(last.lines[len(last.lines)-1]) != "" {
					last.lines = append(last.lines, "")
				}
			}
			d.blocks = append(d.blocks, b)
		}
		kept[b] = true
		for _, kv := range [][2]string{{"nickname", s.nickname}, {"host", s.host}, {"protocol", s.protocol}, {"ecdsa_public_key", s.publicKey}, {"token", s.token}} {
			d.set(b, kv[0], kv[1])
		}
		s.key = s.name()
	}
	blocks := d.blocks[:0]
	for _, b := range d.blocks {
		if !isServer(b) || kept[b] {
			blocks = append(blocks, b)
		}
	}
	d.blocks = blocks
	// no blank line at the very end
	if n := len(d.blocks); n > 0 {
		last := d.blocks[n-1]
		for len(last.lines) > 1 && strings.TrimSpace(last.lines[len(last.lines)-1]) == "" {
			last.lines = last.lines[:len(last.lines)-1]
		}
	}
}
