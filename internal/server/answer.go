package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// defaultBodyLimit bounds the body of a route that has no limit of its own.
const defaultBodyLimit = 2 << 20

// An httpError is an answer that is not a success.
type httpError struct {
	status int
	body   string // plain text
	json   bool   // body is JSON instead
	empty  bool   // no body, and no content type
	retry  int    // seconds after which to try again; 0: nothing is said of that
}

func (e *httpError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.body) }

func failure(status int, format string, args ...any) error {
	return &httpError{status: status, body: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return failure(http.StatusBadRequest, format, args...)
}

func internal(err error) error { return failure(http.StatusInternalServerError, "%v", err) }

// fail answers with an error; what is not an httpError is internal.
func (q *request) fail(err error) {
	var e *httpError
	if !errors.As(err, &e) {
		e = &httpError{status: http.StatusInternalServerError, body: err.Error()}
	}
	if e.status >= http.StatusInternalServerError && e.status != statusReducerFailed && e.retry == 0 {
		q.s.log.Error("request failed", "method", q.r.Method, "path", q.r.URL.Path, "status", e.status, "error", e.body)
	}
	if e.retry > 0 {
		q.w.Header().Set("Retry-After", strconv.Itoa(e.retry))
	}
	switch {
	case e.empty:
		q.w.WriteHeader(e.status)
	case e.json:
		q.json(e.status, []byte(e.body))
	default:
		q.text(e.status, e.body)
	}
}

// text answers in plain text.
func (q *request) text(status int, body string) {
	q.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	q.w.WriteHeader(status)
	_, _ = io.WriteString(q.w, body)
}

// json answers with a JSON document. The content type has no parameter: the
// command line compares it byte for byte (spec 06 §11).
func (q *request) json(status int, body []byte) {
	q.w.Header().Set("Content-Type", "application/json")
	q.w.WriteHeader(status)
	_, _ = q.w.Write(body)
}

// nothing answers 200 without a body.
func (q *request) nothing() error {
	q.w.WriteHeader(http.StatusOK)
	return nil
}

// utf8Body reads a text body.
func (q *request) utf8Body() (string, error) {
	b, err := q.body(defaultBodyLimit)
	if err != nil {
		return "", err
	}
	if at := invalidUTF8(b); at >= 0 {
		return "", badRequest("Request body didn't contain valid UTF-8: invalid utf-8 sequence starting at index %d", at)
	}
	return string(b), nil
}

// invalidUTF8 is the index of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
