package abi

import (
	"errors"

	"github.com/stdbgo/spacetime/sats"
)

// Tags of the header of a view's result, spec 03 §8.6.
const (
	viewRows  = 0
	viewQuery = 1
)

// ParseViewResult reads what a view wrote with a header: rows, which stay undecoded, or a query.
func ParseViewResult(b []byte) (ViewResult, error) {
	if len(b) == 0 {
		return ViewResult{}, errors.New("the header of the result is missing")
	}
	switch b[0] {
	case viewRows:
		return ViewResult{Rows: b[1:]}, nil
	case viewQuery:
		r := sats.NewReader(b[1:])
		query := r.Str()
		if r.Err() != nil {
			return ViewResult{}, r.Err()
		}
		return ViewResult{IsQuery: true, Query: query}, nil
	}
	return ViewResult{}, errors.New("the header of the result is neither rows nor a query")
}

// BadViewResult is the outcome of a view whose result cannot be used.
func BadViewResult(view string, err error) Outcome {
	e := &ViewError{View: view, Err: err}
	return Outcome{Status: StatusBadResult, Message: e.Error(), Err: e}
}
