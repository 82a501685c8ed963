package cli

import (
	"os"
	"strings"
)

// setMember gives a member of a JSON5 object a value, and leaves the rest of the
// text as it is, comments included. path leads to the member through objects, which
// are made where they are missing.
func setMember(text string, path []string, value string) (string, error) {
	p := &json5{text: text}
	if _, err := p.peek(); err != nil {
		return "", err
	}
	return p.setMember(path, string(jsonString(value)), "")
}

// setMember edits the object that begins at p; indent is that of the object's line.
func (p *json5) setMember(path []string, value, indent string) (string, error) {
	if p.at >= len(p.text) || p.text[p.at] != '{' {
		return "", p.fail("an object is missing")
	}
	p.at++
	inner := indent + "  "
	last, comma := p.at, true // where the last member ends, and whether a comma follows
	for {
		c, err := p.peek()
		if err != nil {
			return "", err
		}
		if c == 0 {
			return "", p.fail("a } is missing")
		}
		if c == '}' {
			break
		}
		if line := p.text[strings.LastIndexByte(p.text[:p.at], '\n')+1 : p.at]; strings.TrimLeft(line, " \t") == "" {
			inner = line
		}
		key, err := p.key(c)
		if err != nil {
			return "", err
		}
		if _, err := p.peek(); err != nil {
			return "", err
		}
		from := p.at
		if _, err := p.value(1); err != nil {
			return "", err
		}
		last, comma = p.at, false
		if strings.ReplaceAll(key, "_", "-") == path[0] {
			if len(path) > 1 && p.text[from] == '{' {
				p.at = from
				return p.setMember(path[1:], value, inner)
			}
			return p.text[:from] + nested(path[1:], value, inner) + p.text[p.at:], nil
		}
		if c, err = p.peek(); err != nil {
			return "", err
		}
		if c == ',' {
			p.at++
			last, comma = p.at, true
		}
	}
	sep := ","
	if comma {
		sep = ""
	}
	between := strings.TrimRight(p.text[last:p.at], " \t\r\n")
	member := "\n" + inner + string(jsonString(path[0])) + ": " + nested(path[1:], value, inner)
	return p.text[:last] + sep + between + member + "\n" + indent + p.text[p.at:], nil
}

// nested is a value within objects of one member each.
func nested(path []string, value, indent string) string {
	if len(path) == 0 {
		return value
	}
	return "{\n" + indent + "  " + string(jsonString(path[0])) + ": " + nested(path[1:], value, indent+"  ") + "\n" + indent + "}"
}

// editProjectFile sets a member of a project file that is there.
func editProjectFile(file string, value string, path ...string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := setMember(string(old), path, value)
	if err != nil {
		return fail("Failed to parse config file %s: %s", file, err)
	}
	return replaceFile(file, []byte(text))
}
