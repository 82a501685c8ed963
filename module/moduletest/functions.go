package moduletest

import (
	"context"
	"errors"
	"net/url"
	"reflect"
	"strings"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/module"
	"github.com/stdbgo/spacetime/sats"
)

// CallProcedure calls a procedure, given by its function. When it sleeps the clock moves on at once, and what becomes due runs.
// The error is a *CallError.
func CallProcedure[A, R any](c *Client, procedure func(*module.ProcedureContext, A) (R, error), args A) (result R, err error) {
	db := c.db
	db.t.Helper()
	name := db.nameOf(reflect.ValueOf(procedure).Pointer())
	res, err := db.db.CallProcedure(context.Background(), &host.ProcedureRequest{Caller: c.caller(), Name: name, Args: sats.Append(nil, &args)})
	db.Clock.Advance(max(res.Timestamp.ToTime().Sub(db.Clock.Now()), 0))
	if errors.Is(err, host.ErrNoSuchProcedure) {
		return result, &CallError{Reducer: name, Message: "procedure " + name + " is private: only the owner may call it"}
	}
	if err != nil {
		db.t.Fatalf("moduletest: %s: %v", name, err)
	}
	if res.Status != host.Committed {
		return result, db.procedureError(name, res.Message)
	}
	if _, err := sats.Decode(res.Value, &result); err != nil {
		db.t.Fatalf("moduletest: the result of %s: %v", name, err)
	}
	return result, nil
}

// procedureError makes the error of a procedure that has just failed.
func (db *DB) procedureError(name, message string) error {
	e := &CallError{Reducer: name, Message: strings.TrimPrefix(message, "The module instance encountered a fatal error: ")}
	log := db.Log()
	for i := len(log) - 1; i >= 0; i-- {
		if log[i].Level == "Panic" && log[i].Function == name {
			if strings.Contains(message, log[i].Message) {
				e.Panic = log[i].Message
			}
			break
		}
	}
	return e
}

// Do makes a request to an HTTP handler of the module. The URL needs a path only. The error says that there is no route, or what
// the handler failed with.
func (db *DB) Do(r *module.HTTPRequest) (*module.HTTPResponse, error) {
	db.t.Helper()
	u, err := url.Parse(r.URL)
	if err != nil {
		db.t.Fatal("moduletest: Do: ", err)
	}
	if u.Host == "" {
		u.Scheme, u.Host = "http", "moduletest"
	}
	req := &host.RouteRequest{Path: u.Path, Body: r.Body, Sender: User("somebody"),
		HTTPRequest: host.HTTPRequest{Method: r.Method, URI: u.String(), Version: host.HTTP11}}
	if req.Method == "" {
		req.Method = "GET"
	}
	for _, f := range r.Header {
		req.Headers = append(req.Headers, host.HTTPHeader{Name: strings.ToLower(f.Name), Value: []byte(f.Value)})
	}
	res, err := db.db.CallHandler(context.Background(), req)
	if err != nil {
		return nil, err
	}
	db.Clock.Advance(0)
	resp := &module.HTTPResponse{Status: int(res.Code), Body: res.Body}
	for _, h := range res.Headers {
		resp.Header = append(resp.Header, module.HTTPField{Name: h.Name, Value: string(h.Value)})
	}
	return resp, nil
}

// Rows returns what a client sees of a query, such as one that a view returns, or of a view itself:
//
//	moduletest.Rows[Task](alice, "SELECT * FROM my_tasks")
func Rows[Row any](c *Client, q module.Query[Row]) (rows []Row, err error) {
	c.db.t.Helper()
	res, err := c.db.db.SQL(context.Background(), c.caller(), string(q))
	if err != nil {
		return nil, err
	}
	for _, b := range res.Rows {
		var row Row
		if _, err := sats.Decode(b, &row); err != nil {
			c.db.t.Fatalf("moduletest: a row of %s: %v", q, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
