package server

import (
	"context"
	"strconv"

	"github.com/stdbgo/spacetime/internal/pgwire"
	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/sats"
)

// The extended protocol, which the original answers with errors. Where it and
// PostgreSQL differ in the form of an answer, here it is PostgreSQL's, because
// drivers use it that know no other: times, spans of time and what is not finite
// have its texts, and what was changed its tags.

// Bounds of what a session may keep.
const (
	pgMaxPrepared = 10_000   // statements
	pgMaxTexts    = 16 << 20 // bytes of their texts
	pgMaxPortals  = 1_000
	pgMaxBound    = 16 << 20 // bytes of parameters up to a Sync
)

// A pgPrepared is a prepared statement.
type pgPrepared struct {
	text  string
	empty bool
	types []*sats.Type // of the parameters
	oids  []uint32     // likewise, as they are described
	head  SQLResult    // Columns, Nulls and Verb
}

// A pgPortal is a prepared statement with parameters.
type pgPortal struct {
	st      *pgPrepared
	values  []sql.Value
	results []int // formats of the columns
	spent   bool
}

func (ss *pgSession) parse(body []byte) error {
	m, err := pgwire.DecodeParse(body)
	if err != nil {
		return err
	}
	if m.Name != "" && ss.prepared[m.Name] != nil {
		return pgError(pgDuplicate, "prepared statement %q already exists", m.Name)
	}
	ss.forget(m.Name)
	if len(ss.prepared) >= pgMaxPrepared || ss.texts+len(m.SQL) > pgMaxTexts {
		return pgError(pgTooMuch, "too many prepared statements: at most %d of %d bytes together; close some", pgMaxPrepared, pgMaxTexts)
	}
	st := &pgPrepared{text: m.SQL, empty: emptyQuery(m.SQL)}
	if !st.empty {
		if err := ss.prepare(st, m.OIDs); err != nil {
			return err
		}
	}
	ss.prepared[m.Name] = st
	ss.texts += len(m.SQL)
	ss.out = pgwire.AppendEmpty(ss.out, pgwire.ParseComplete)
	return nil
}

// forget drops a prepared statement, if there is one of that name.
func (ss *pgSession) forget(name string) {
	if st := ss.prepared[name]; st != nil {
		ss.texts -= len(st.text)
		delete(ss.prepared, name)
	}
}

// prepare finds out the columns of a statement and the types of its parameters.
func (ss *pgSession) prepare(st *pgPrepared, declared []uint32) error {
	params := &sql.Params{}
	for _, oid := range declared {
		params.Types = append(params.Types, pgwire.TypeOf(oid))
	}
	ctx := context.Background()
	rec, err := ss.record()
	if err != nil {
		return err
	}
	db, err := ss.s.open(ctx, rec)
	if err != nil {
		return ss.failure(st.text, err)
	}
	who := ss.caller.at(sats.ConnectionID{}, rec.Owner)
	if st.head, err = db.DescribeSQL(who, SQLStatement{Text: st.text, Params: params, Partners: true}); err != nil {
		return ss.failure(st.text, err)
	}
	st.types = params.Types
	for i, t := range st.types {
		oid := uint32(pgwire.OIDText)
		switch {
		case i < len(declared) && declared[i] != 0 && declared[i] != pgwire.OIDUnknown:
			oid = declared[i]
		case t != nil:
			oid = pgwire.OID(t)
		}
		st.oids = append(st.oids, oid)
	}
	return nil
}

func (ss *pgSession) bind(body []byte) error {
	m, err := pgwire.DecodeBind(body)
	if err != nil {
		return err
	}
	st := ss.prepared[m.Statement]
	if st == nil {
		return pgError(pgNoStatement, "Statement not found for name: %s", m.Statement)
	}
	if len(m.Params) != len(st.oids) {
		return pgError(pgProtocol, "bind message supplies %d parameters, but prepared statement %q requires %d", len(m.Params), m.Statement, len(st.oids))
	}
	if n := len(m.Results); n > 1 && st.head.Columns != nil && n != sentColumns(&st.head) {
		return pgError(pgProtocol, "bind message has %d result formats but query has %d columns", n, sentColumns(&st.head))
	}
	if ss.bound += len(body); len(ss.portals) >= pgMaxPortals || ss.bound > pgMaxBound {
		return pgError(pgTooMuch, "too many bound statements before a Sync: at most %d with %d bytes of parameters", pgMaxPortals, pgMaxBound)
	}
	p := &pgPortal{st: st, results: m.Results}
	for i, v := range m.Params {
		value := sql.Value{Null: v == nil}
		if v != nil {
			if value.Text, err = pgwire.ParamText(st.oids[i], pgwire.FormatOf(m.Formats, i), v); err != nil {
				return pgError(pgBadValue, "parameter $%d: %v", i+1, err)
			}
		}
		p.values = append(p.values, value)
	}
	ss.portals[m.Portal] = p
	ss.out = pgwire.AppendEmpty(ss.out, pgwire.BindComplete)
	return nil
}

func (ss *pgSession) describe(body []byte) error {
	m, err := pgwire.DecodeTarget(body)
	if err != nil {
		return err
	}
	var st *pgPrepared
	var results []int
	if m.Kind == pgwire.KindStatement {
		if st = ss.prepared[m.Name]; st == nil {
			return pgError(pgNoStatement, "Statement not found for name: %s", m.Name)
		}
		ss.out = pgwire.AppendParameterDescription(ss.out, st.oids)
	} else {
		p := ss.portals[m.Name]
		if p == nil {
			return pgError(pgNoPortal, "portal %q does not exist", m.Name)
		}
		st, results = p.st, p.results
	}
	if st.empty || len(st.head.Columns.Elems) == 0 {
		ss.out = pgwire.AppendEmpty(ss.out, pgwire.NoData)
		return nil
	}
	e, err := rowEncoder(&st.head, results, pgwire.StylePostgres)
	if err != nil {
		return pgError(pgProtocol, "%v", err)
	}
	ss.out = pgwire.AppendRowDescription(ss.out, e.Columns)
	return nil
}

func (ss *pgSession) execute(body []byte) error {
	m, err := pgwire.DecodeExecute(body)
	if err != nil {
		return err
	}
	p := ss.portals[m.Portal]
	switch {
	case p == nil:
		return pgError(pgNoPortal, "portal %q does not exist", m.Portal)
	case p.spent:
		return pgError(pgPortalIsSpent, "portal %q cannot be run again or continued: read large results in parts with ORDER BY, LIMIT and OFFSET", m.Portal)
	case p.st.empty:
		ss.out = pgwire.AppendEmpty(ss.out, pgwire.EmptyQuery)
		return nil
	}
	p.spent = true
	a := &pgAnswer{ss: ss, formats: p.results, style: pgwire.StylePostgres, prepared: p.st, limit: uint64(max(m.MaxRows, 0))}
	params := &sql.Params{Types: append([]*sats.Type(nil), p.st.types...), Values: p.values}
	res, err := ss.answer(SQLStatement{Text: p.st.text, Params: params, Partners: true}, a)
	switch {
	case err != nil:
		return err
	case a.more:
		ss.out = pgwire.AppendEmpty(ss.out, pgwire.PortalSuspended)
	case a.encoder != nil:
		ss.out = pgwire.AppendComplete(ss.out, "SELECT "+strconv.FormatUint(a.rows, 10))
	default:
		ss.out = pgwire.AppendComplete(ss.out, plainTag(p.st.head.Verb, &res))
	}
	return nil
}

// plainTag says what a statement changed in the words of PostgreSQL.
func plainTag(verb string, res *SQLResult) string {
	switch verb {
	case "INSERT":
		return "INSERT 0 " + strconv.FormatUint(res.Inserted, 10)
	case "UPDATE":
		return "UPDATE " + strconv.FormatUint(res.Updated, 10)
	case "DELETE":
		return "DELETE " + strconv.FormatUint(res.Deleted, 10)
	}
	return verb
}

func (ss *pgSession) closeTarget(body []byte) error {
	m, err := pgwire.DecodeTarget(body)
	if err != nil {
		return err
	}
	if m.Kind == pgwire.KindStatement {
		ss.forget(m.Name)
	} else {
		delete(ss.portals, m.Name)
	}
	ss.out = pgwire.AppendEmpty(ss.out, pgwire.CloseComplete)
	return nil
}
