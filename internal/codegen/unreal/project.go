package unreal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// AddModule returns the text of a .uproject file with the game's module among its
// modules, and everything else as it was. It returns the same text if the module
// is there.
func AddModule(text []byte, module string) ([]byte, error) {
	p, err := scanProject(text)
	if err != nil {
		return nil, err
	}
	entry := fmt.Sprintf(`{ "Name": %q, "Type": "Runtime", "LoadingPhase": "Default" }`, module)
	var insert string
	switch {
	case p.names[module]:
		return text, nil
	case p.hasModules:
		insert = "\n\t\t" + entry + "\n\t"
	default:
		insert = "\n\t\"Modules\": [\n\t\t" + entry + "\n\t]\n"
	}
	// What stands before the closing bracket is blank, or ends with an element.
	end := len(bytes.TrimRight(text[:p.at], " \t\r\n"))
	if last := text[end-1]; last != '[' && last != '{' {
		insert = "," + insert
	}
	rest := text[p.at:]
	return bytes.Join([][]byte{text[:end], []byte(insert), rest}, nil), nil
}

// A projectText is what AddModule has to know of a .uproject file.
type projectText struct {
	names      map[string]bool // of the modules
	hasModules bool
	at         int // of the bracket that closes the modules, or else the file's object
}

// scanProject reads a .uproject file.
func scanProject(text []byte) (*projectText, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("it is not valid JSON: %w", err)
	}
	if open != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	p := &projectText{names: map[string]bool{}}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("it is not valid JSON: %w", err)
		}
		if key == "Modules" {
			err = p.modules(d)
		} else {
			err = d.Decode(new(json.RawMessage))
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("it is not valid JSON: %w", err)
	}
	if !p.hasModules {
		p.at = int(d.InputOffset()) - 1
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is not valid JSON: something follows the object")
	}
	return p, nil
}

func (p *projectText) modules(d *json.Decoder) error {
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return errors.New(`its "Modules" is not an array`)
	}
	for d.More() {
		var module struct{ Name string }
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("it is not valid JSON: %w", err)
		}
		if json.Unmarshal(raw, &module) == nil {
			p.names[module.Name] = true
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("it is not valid JSON: %w", err)
	}
	p.hasModules, p.at = true, int(d.InputOffset())-1
	return nil
}
