package cli

import (
	"bytes"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

func TestSummaryOfFunctions(t *testing.T) {
	ts := &sats.Typespace{}
	none, number := sats.Product(), sats.Primitive(sats.KindU64)
	m := &schema.ModuleDef{
		Typespace: ts,
		Procedures: []*schema.ProcedureDef{
			{Name: "sum", Typespace: ts, Params: sats.Product(sats.E("a", number), sats.E("at", sats.TimestampType), sats.E("for", sats.Array(sats.TimeDurationType)), sats.E("id", sats.UuidType)), Return: sats.Option(number)},
			{Name: "rest", Typespace: ts, Params: none, Return: sats.Unit},
		},
		HTTPRoutes: []schema.HTTPRouteDef{
			{Handler: "hello", Method: "GET", Path: "/hello"},
			{Handler: "root"},
		},
		RLS: []string{"SELECT * FROM diary WHERE writer = :sender"},
	}
	var out bytes.Buffer
	r := &run{Program: &Program{Stdout: &out}}
	r.summary(m)
	want := "Tables:\nReducers:\nProcedures:\n  sum(a: u64, at: Timestamp, for: Vec<TimeDuration>, id: Uuid): Option<u64>\n  rest()\n" +
		"HTTP routes:\n  GET /hello: hello\n  any \"\": root\n" +
		"Row-level security:\n  SELECT * FROM diary WHERE writer = :sender\n"
	if got := out.String(); got != want {
		t.Errorf("summary:\n%s\nwant:\n%s", got, want)
	}
}
