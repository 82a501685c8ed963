package server

import (
	"context"
	"net/http"

	"github.com/stdbgo/spacetime/internal/control"
)

// prePublish plans a migration without carrying it out.
func (s *Server) prePublish(q *request) error {
	style := "style"
	if _, found, _ := q.query.get("pretty_print_style"); found {
		style = "pretty_print_style" // what the command line sends
	}
	plain, err := q.query.variant(style, 0, "AnsiColor", "NoColor")
	if err != nil {
		return err
	}
	kind, err := q.hostType(control.Wasm)
	if err != nil {
		return err
	}
	program, err := q.body(s.maxProgram)
	if err != nil {
		return err
	}
	if err := q.mustOwn(q.rec, "update database"); err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.r.Context())
	db, err := q.open(ctx)
	if err != nil {
		return err
	}
	plan, err := db.PrePublish(ctx, program, kind == control.JS, plain == 0)
	if err != nil {
		return internal(err)
	}
	q.plan(plan)
	return nil
}

// plan answers with a migration plan. The old spelling of the route has the flat
// form of its time (spec 06 §4.12).
func (q *request) plan(p PrePublishResult) {
	type auto struct {
		Plan         string `json:"migrate_plan"`
		BreakClients bool   `json:"break_clients"`
		Token        string `json:"token"`
		Major        *bool  `json:"major_version_upgrade,omitempty"`
	}
	a := auto{Plan: p.Plan, BreakClients: p.BreakClients, Token: p.Token.JSON()}
	old := q.route.pattern[len(q.route.pattern)-1] == "pre-publish"
	switch {
	case p.Manual != "" && old:
		q.text(http.StatusBadRequest, p.Manual)
	case p.Manual != "":
		q.json(http.StatusOK, variant("ManualMigrate", struct {
			Reason string `json:"reason"`
			Major  bool   `json:"major_version_upgrade"`
		}{p.Manual, p.MajorUpgrade}))
	case old:
		q.json(http.StatusOK, marshal(a))
	default:
		a.Major = &p.MajorUpgrade
		q.json(http.StatusOK, variant("AutoMigrate", a))
	}
}
