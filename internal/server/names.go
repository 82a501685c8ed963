package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/sats"
)

// maxName is the length of the longest name that can be given.
const maxName = 64

// checkName applies the grammar of database names (spec 06 §2.2), in its order.
// The error's text is that of the answer.
func checkName(name string) error {
	if _, err := sats.IdentityFromHexPrefixed(name); err == nil {
		return errors.New("database names cannot be identities")
	}
	if name == "" {
		return errors.New("database names cannot be empty")
	}
	if name[0] == '-' {
		return errors.New("invalid hyphen in database name")
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
		case c != '-':
			return errors.New("invalid characters in database name")
		case i+1 == len(name) || !('a' <= name[i+1] && name[i+1] <= 'z' || '0' <= name[i+1] && name[i+1] <= '9'):
			return errors.New("invalid hyphen in database name")
		}
	}
	return nil
}

// checkNewName is checkName for names that are to be registered.
func checkNewName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if utf8.RuneCountInString(name) > maxName {
		return errors.New("database names cannot be longer than 64 characters")
	}
	return nil
}

// A target is what the path parameter n names.
type target struct {
	name     string        // empty: an identity was given
	identity sats.Identity // zero if the name is not registered
	known    bool          // an identity was given, or the name is registered
}

// target reads the path parameter n and looks a name up (spec 06 §2.1).
func (q *request) target() (target, error) { return q.s.target(q.params["n"]) }

// target finds what a text names: an identity, or a name.
func (s *Server) target(text string) (t target, err error) {
	if id, err := sats.IdentityFromHexPrefixed(text); err == nil {
		return target{identity: id, known: true}, nil
	}
	if err := checkName(text); err != nil {
		return t, badRequest("Invalid URL: %v", err)
	}
	t.name = text
	t.identity, t.known, err = s.control.Lookup(text)
	if err != nil {
		return t, controlError(err)
	}
	return t, nil
}

func notFound(name string) error { return failure(http.StatusNotFound, "`%s` not found", name) }

func controlError(err error) error {
	return failure(http.StatusInternalServerError, "error accessing controldb: %v", err)
}

// resolve finds the record of the database in the path.
func (q *request) resolve() error {
	t, err := q.target()
	if err != nil {
		return err
	}
	if !t.known {
		return notFound(t.name)
	}
	rec, err := q.s.control.Database(t.identity)
	switch {
	case errors.Is(err, control.ErrNoDatabase):
		return failure(http.StatusNotFound, "No such database.")
	case err != nil:
		return controlError(err)
	}
	q.setDatabase(rec)
	return nil
}

// setDatabase makes a database that of the request, whose answer's size is
// counted from now on.
func (q *request) setDatabase(rec control.Database) {
	q.rec, q.database = rec, rec.Identity
	if q.counter == nil {
		q.counter = &countingWriter{ResponseWriter: q.w}
		q.w = q.counter
	}
}

// open returns the running database of the request, launching it if need be.
func (q *request) open(ctx context.Context) (Database, error) { return q.s.open(ctx, q.rec) }

func (s *Server) open(ctx context.Context, rec control.Database) (Database, error) {
	for {
		db, err := s.host.Open(ctx, databaseInfo(rec), func() ([]byte, error) {
			return s.control.Program(sats.Hash(rec.InitialProgram))
		})
		// Whoever deletes or resets a database takes the record away first and stops
		// the replica then: if the record is there now, this is not a replica that was
		// launched behind their back.
		now, lookup := s.control.Database(rec.Identity)
		if lookup == nil && now.Replica == rec.Replica {
			if err != nil && ctx.Err() != nil {
				return nil, internal(err) // nobody waits any more, and nothing has failed
			}
			s.ready.launched(rec.Replica, err)
			if err != nil {
				s.metrics.launchFailed(rec.Identity)
				return nil, failure(http.StatusInternalServerError, "error starting database: %v", err)
			}
			return db, nil
		}
		if err == nil {
			if err := s.stop(context.WithoutCancel(ctx), rec.Replica); err != nil {
				s.log.Error("deleted database did not stop", "database", rec.Identity, "error", err)
			}
		}
		switch {
		case errors.Is(lookup, control.ErrNoDatabase):
			s.metrics.forget(rec.Identity)
			return nil, failure(http.StatusNotFound, "No such database.")
		case lookup != nil:
			return nil, controlError(lookup)
		}
		rec = now
	}
}

func databaseInfo(rec control.Database) DatabaseInfo {
	return DatabaseInfo{
		Replica: rec.Replica, Identity: rec.Identity, Owner: rec.Owner,
		JS: rec.Kind == control.JS, Program: sats.Hash(rec.InitialProgram),
	}
}

// names lists the names of a database.
func (s *Server) names(q *request) error {
	all, err := s.control.Names(q.database)
	if err != nil {
		return controlError(err)
	}
	names := []string{}
	for _, name := range all {
		if checkName(name) == nil {
			names = append(names, name)
		}
	}
	q.json(http.StatusOK, marshal(struct {
		Names []string `json:"names"`
	}{names}))
	return nil
}

// addName adds a name to a database, whoever owns it.
func (s *Server) addName(q *request) error {
	name, err := q.utf8Body()
	if err != nil {
		return err
	}
	if err := checkNewName(name); err != nil {
		return badRequest("%v", err)
	}
	err = s.control.InsertName(name, q.database, q.caller.identity)
	var taken *control.TakenError
	var permission *control.PermissionError
	switch {
	case errors.As(err, &taken):
		return internal(err)
	case errors.As(err, &permission):
		return &httpError{status: http.StatusUnauthorized, json: true, body: string(variant("PermissionDenied", domainJSON{name}))}
	case err != nil:
		return controlError(err)
	}
	q.json(http.StatusOK, variant("Success", struct {
		Domain   string        `json:"domain"`
		Identity sats.Identity `json:"database_identity"`
	}{name, q.database}))
	return nil
}

type domainJSON struct {
	Domain string `json:"domain"`
}

// replaceNames replaces all names of a database.
func (s *Server) replaceNames(q *request) error {
	names, err := q.namesBody()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := checkNewName(name); err != nil {
			return badRequest("Error parsing `%s`: %v", name, err)
		}
	}
	refused := func(status int, name string, content any) error {
		return &httpError{status: status, json: true, body: string(variant(name, content))}
	}
	if !q.isOwner() {
		return refused(http.StatusUnauthorized, "NotYourDatabase", struct {
			Database sats.Identity `json:"database"`
		}{q.database})
	}
	err = s.control.ReplaceNames(q.database, q.rec.Owner, names)
	var taken *control.TakenError
	var permission *control.PermissionError
	switch {
	case errors.As(err, &taken):
		return refused(http.StatusBadRequest, "OtherError", "Cannot rename to "+taken.Name+" because it already is in use.")
	case errors.As(err, &permission):
		return refused(http.StatusUnauthorized, "PermissionDenied", domainJSON{permission.Name})
	case err != nil:
		return refused(http.StatusInternalServerError, "OtherError", err.Error())
	}
	q.json(http.StatusOK, []byte(`"Success"`))
	return nil
}

// namesBody reads a JSON array of names. Each may also have the form of before 1.0.
func (q *request) namesBody() ([]string, error) {
	if !isJSON(q.r.Header.Get("Content-Type")) {
		return nil, errNotJSON
	}
	body, err := q.body(defaultBodyLimit)
	if err != nil {
		return nil, err
	}
	if err := validJSON(body); err != nil {
		return nil, badRequest("Failed to parse the request body as JSON: %v", err)
	}
	wrongShape := func(err error) error {
		return failure(http.StatusUnprocessableEntity, "Failed to deserialize the JSON body into the target type: %v", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, wrongShape(err)
	}
	if list == nil {
		return nil, wrongShape(errors.New("invalid type: null, expected a sequence"))
	}
	names := make([]string, len(list))
	for i, raw := range list {
		if raw[0] != '{' {
			if err := json.Unmarshal(raw, &names[i]); err != nil {
				return nil, wrongShape(err)
			}
			continue
		}
		var old struct {
			TLD *string `json:"tld"`
			Sub *string `json:"sub_domain"`
		}
		if err := json.Unmarshal(raw, &old); err != nil {
			return nil, wrongShape(err)
		}
		if old.TLD == nil {
			return nil, wrongShape(errors.New("missing field `tld`"))
		}
		names[i] = *old.TLD
		if old.Sub != nil && *old.Sub != "" {
			names[i] += "/" + *old.Sub
		}
	}
	return names, nil
}

var errNotJSON = failure(http.StatusUnsupportedMediaType, "Expected request with `Content-Type: application/json`")

// isJSON reports whether a content type is application/json or a +json type,
// with any parameters.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// validJSON explains what is wrong with a text that should be one JSON value.
func validJSON(b []byte) error {
	var v json.RawMessage
	return json.Unmarshal(b, &v)
}

// marshal encodes an answer that is made of plain values.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only types that cannot be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// variant is the JSON of a named alternative: {"name":content}.
func variant(name string, content any) []byte {
	return append(append([]byte(`{"`+name+`":`), marshal(content)...), '}')
}
