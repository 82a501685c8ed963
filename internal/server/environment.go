package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
)

// The headers of a publish that change the environment (spec 06 §4.20).
const (
	environmentHeader = "Spacetime-Environment"
	removeHeader      = "Spacetime-Environment-Remove"
)

// maxEnvironmentBody bounds the JSON of an environment: all values, each byte of
// them written as an escape of six.
const maxEnvironmentBody = 16 << 20

func badHeader(name string) error {
	return badRequest("invalid HTTP header (%s)", strings.ToLower(name))
}

// environmentHeaders reads what a publish says of the environment.
func environmentHeaders(h http.Header) (u EnvUpdate, err error) {
	for _, line := range h.Values(environmentHeader) {
		if u.Values == nil {
			u.Values = map[string]string{}
		}
		if !parseEnvironment(line, u.Values) {
			return u, badHeader(environmentHeader)
		}
	}
	u.Remove, u.RemoveAll, err = removals(h)
	return u, err
}

// removals reads the header that removes variables: names, or a lone asterisk.
func removals(h http.Header) (keys []string, all bool, err error) {
	for _, line := range h.Values(removeHeader) {
		for item := range strings.SplitSeq(line, ",") {
			switch item = strings.Trim(item, " \t"); {
			case item == "":
			case all || item == "*" && len(keys) > 0:
				return nil, false, badHeader(removeHeader)
			case item == "*":
				all = true
			case !isEnvKey(item):
				return nil, false, badHeader(removeHeader)
			default:
				keys = append(keys, item)
			}
		}
	}
	return keys, all, nil
}

// parseEnvironment adds the entries of one header line: KEY=VALUE between commas. It
// reports whether all is well.
func parseEnvironment(line string, into map[string]string) bool {
	for {
		line = strings.TrimLeft(line, " \t,")
		if line == "" {
			return true
		}
		key, rest, ok := strings.Cut(line, "=")
		if !ok || !isEnvKey(key) {
			return false
		}
		if _, twice := into[key]; twice {
			return false
		}
		value, rest, ok := environmentValue(rest)
		if !ok || (&EnvUpdate{Values: map[string]string{key: value}}).Check() != nil {
			return false
		}
		into[key] = value
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && rest[0] != ',' {
			return false
		}
		line = rest
	}
}

func isEnvKey(key string) bool {
	return (&EnvUpdate{Values: map[string]string{key: ""}}).Check() == nil
}

// environmentValue reads a value: bare, in single quotes, or a JSON string. Header
// lines hold visible ASCII, spaces and tabs.
func environmentValue(s string) (value, rest string, ok bool) {
	if s == "" {
		return "", "", true
	}
	switch s[0] {
	case '\'':
		value, rest, ok = strings.Cut(s[1:], "'")
		return value, rest, ok && isVisible(value, " \t")
	case '"':
		end := 1
		for end < len(s) && s[end] != '"' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(s) || !isVisible(s[:end], " ") {
			return "", "", false
		}
		literal := s[:end+1]
		if json.Unmarshal([]byte(literal), &value) != nil || !pairedSurrogates(literal) {
			return "", "", false
		}
		return value, s[end+1:], true
	}
	end := strings.IndexAny(s, " \t,")
	if end < 0 {
		end = len(s)
	}
	value = s[:end]
	return value, s[end:], isVisible(value, "") && !strings.ContainsAny(value, `"'\`)
}

// isVisible reports whether s is of visible ASCII and what else is allowed.
func isVisible(s, also string) bool {
	for i := range len(s) {
		if c := s[i]; (c <= ' ' || c > '~') && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return true
}

// pairedSurrogates reports whether each \u escape of a JSON string stands for a
// character, alone or with its other half: the decoder would replace the others.
func pairedSurrogates(literal string) bool {
	for i := 0; i < len(literal); i++ {
		if literal[i] != '\\' {
			continue
		}
		i++
		if literal[i] != 'u' {
			continue
		}
		half, _ := strconv.ParseUint(literal[i+1:i+5], 16, 16)
		i += 4
		switch {
		case half < 0xd800 || half > 0xdfff:
		case half >= 0xdc00 || !strings.HasPrefix(literal[i+1:], `\u`):
			return false
		default:
			other, _ := strconv.ParseUint(literal[i+3:i+7], 16, 16)
			if other < 0xdc00 || other > 0xdfff {
				return false
			}
			i += 6
		}
	}
	return true
}

// publishError answers a publish that was refused because of its program or its
// environment.
func publishError(err error) error {
	var missing *host.MissingEnvError
	var env *host.EnvError
	switch {
	case errors.As(err, &missing):
		return &httpError{status: http.StatusBadRequest, json: true, body: string(variant("EnvironmentError", missingKeys(missing)))}
	case errors.As(err, &env):
		return badRequest("%v", env)
	}
	return internal(err)
}

func missingKeys(e *host.MissingEnvError) any {
	type keys struct {
		Keys []string `json:"keys"`
	}
	return map[string]keys{"MissingRequiredEnvironment": {e.Keys}}
}

// environment tells which variables there are, without values.
func (s *Server) environment(q *request) error {
	db, err := q.ownEnvironment()
	if err != nil {
		return err
	}
	info, err := db.Environment()
	if err != nil {
		return internal(err)
	}
	type declaration struct {
		Name     string `json:"name"`
		Type     any    `json:"ty"`
		Optional bool   `json:"optional"`
	}
	out := struct {
		Hash         string        `json:"module_hash"`
		Declarations []declaration `json:"declarations"`
		Keys         []string      `json:"stored_keys"`
	}{info.Program.JSON(), []declaration{}, info.Keys}
	if out.Keys == nil {
		out.Keys = []string{}
	}
	for _, d := range info.Declarations {
		out.Declarations = append(out.Declarations, declaration{d.Name, environmentType(&d), d.Optional})
	}
	q.json(http.StatusOK, marshal(out))
	return nil
}

func environmentType(v *schema.EnvironmentVar) any {
	switch v.Kind {
	case schema.EnvLiteral:
		return map[string]string{"StringLiteral": v.Values[0]}
	case schema.EnvUnion:
		return map[string][]string{"Union": v.Values}
	}
	return "String"
}

// ownEnvironment opens the database for its owner.
func (q *request) ownEnvironment() (Database, error) {
	if err := q.mustOwn(q.rec, "update database"); err != nil {
		return nil, err
	}
	return q.open(context.WithoutCancel(q.r.Context()))
}

// putEnvironment replaces the environment.
func (s *Server) putEnvironment(q *request) error {
	return q.changeEnvironment(func(u *EnvUpdate) error {
		u.RemoveAll = true
		return nil
	})
}

// patchEnvironment sets and removes single variables.
func (s *Server) patchEnvironment(q *request) error {
	return q.changeEnvironment(func(u *EnvUpdate) error {
		keys, all, err := removals(q.r.Header)
		if err == nil && all {
			err = badHeader(removeHeader)
		}
		u.Remove = keys
		return err
	})
}

func (q *request) changeEnvironment(removal func(*EnvUpdate) error) error {
	expected, found, err := q.query.hash("expected_module_hash")
	if err != nil {
		return err
	}
	if !found {
		return badQuery("missing field `expected_module_hash`")
	}
	var u EnvUpdate
	if err := removal(&u); err != nil {
		return err
	}
	if u.Values, err = q.environmentBody(); err != nil {
		return err
	}
	db, err := q.ownEnvironment()
	if err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.r.Context())
	res, err := db.SetEnvironment(ctx, expected, u)
	if err == nil && !res.Unchanged {
		err = waitDurable(ctx, db, res.Offset)
	}
	return q.environmentResult(err)
}

// environmentResult answers with what became of a change.
func (q *request) environmentResult(err error) error {
	var missing *host.MissingEnvError
	var refused *host.EnvError
	switch {
	case err == nil:
		q.json(http.StatusOK, []byte(`{"Ok":null}`))
		return nil
	case errors.As(err, &missing):
		return &httpError{status: http.StatusBadRequest, json: true, body: string(variant("Err", missingKeys(missing)))}
	case errors.Is(err, host.ErrEnvConflict):
		return &httpError{status: http.StatusConflict, json: true, body: `{"Err":"VersionConflict"}`}
	case errors.As(err, &refused):
		return badRequest("%v", refused)
	}
	return err
}

// environmentBody reads a JSON object of strings.
func (q *request) environmentBody() (map[string]string, error) {
	if !isJSON(q.r.Header.Get("Content-Type")) {
		return nil, errNotJSON
	}
	body, err := q.body(maxEnvironmentBody)
	if err != nil {
		return nil, err
	}
	if !json.Valid(body) {
		return nil, badRequest("Failed to parse the request body as JSON: %v", validJSON(body))
	}
	values, err := objectOfStrings(body)
	if err != nil {
		return nil, failure(http.StatusUnprocessableEntity, "Failed to deserialize the JSON body into the target type: %v", err)
	}
	return values, nil
}

// objectOfStrings decodes an object whose keys are distinct. Errors name no values.
func objectOfStrings(body []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("expected an object of strings")
	}
	values := map[string]string{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("duplicate field `%s`", name)
		}
		value, err := d.Token()
		text, ok := value.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("the value of `%s` is not a string", name)
		}
		values[name] = text
	}
	_, err := d.Token()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return values, nil
}
