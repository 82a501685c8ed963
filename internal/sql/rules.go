package sql

import (
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/query"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// Row-level security (spec 07 §13). Rules are checked with the rights of the
// owner, so they may read private tables, and evaluated for the caller. A rule
// does not restrict its own table again; other tables that it reads are
// restricted by their own rules.

// A resolution is what is being resolved: for whom, and the tables whose rules
// led here.
type resolution struct {
	exempt bool // no rules apply: the owner asks
	path   []schema.TableID
	texts  map[schema.TableID][]string // all rules; read once
}

func (c *checker) ruleTexts(t schema.TableID) ([]string, error) {
	if c.rules.texts == nil {
		c.rules.texts = map[schema.TableID][]string{}
		for row := range c.r.Scan(schema.StRowLevelSecurity) {
			var r schema.StRowLevelSecurityRow
			if err := r.Decode(row); err != nil {
				return nil, err
			}
			c.rules.texts[r.TableID] = append(c.rules.texts[r.TableID], r.SQL)
		}
	}
	return c.rules.texts[t], nil
}

// visible resolves the rules that decide which rows of t there are for the
// caller; none if all are.
func (c *checker) visible(t *schema.Table) ([]query.Rule, error) {
	if c.rules.exempt {
		return nil, nil
	}
	if n := len(c.rules.path); n > 0 && c.rules.path[n-1] == t.ID {
		return nil, nil
	}
	texts, err := c.ruleTexts(t.ID)
	if err != nil || len(texts) == 0 {
		return nil, err
	}
	if slices.Contains(c.rules.path, t.ID) {
		return nil, &Error{Msg: fmt.Sprintf("Discovered cyclic dependency when resolving RLS rules for table id `%d`", t.ID)}
	}
	var out []query.Rule
	for _, text := range texts {
		rule, err := c.rule(t, text)
		if err != nil {
			return nil, err
		}
		out = append(out, *rule)
	}
	return out, nil
}

func (c *checker) rule(t *schema.Table, text string) (*query.Rule, error) {
	src, st, err := parseStatement(text)
	if err != nil {
		return nil, fmt.Errorf("row level security rule `%s`: %w", text, err)
	}
	rc := &checker{source: src, r: c.r, caller: Caller{Identity: c.caller.Identity, IsOwner: true}, dialect: dialectLive}
	rc.rules = resolution{path: append(slices.Clone(c.rules.path), t.ID), texts: c.rules.texts}
	s, err := rc.subscription(st)
	if err != nil {
		return nil, err
	}
	c.sender = c.sender || rc.sender
	c.views = append(c.views, rc.views...)
	return &query.Rule{From: s.q.From, Where: s.q.Where, Rel: s.q.Rel}, nil
}

// CompileRule checks the text of a row-level security rule as a publisher wrote
// it, with the owner's rights, and returns the table that it restricts.
func CompileRule(r store.Reader, text string, owner Caller) (*schema.Table, error) {
	owner.IsOwner = true
	within := func(err error) error { return fmt.Errorf("row level security rule `%s`: %w", text, err) }
	src, st, err := parseStatement(text)
	if err != nil {
		return nil, within(err)
	}
	c := newChecker(src, r, owner, dialectLive)
	if err := c.noViewCall(st, text); err != nil {
		return nil, err
	}
	s, err := c.subscription(st)
	if err != nil {
		return nil, within(err)
	}
	t := s.q.From[s.q.Rel].Table
	if t.Access == schema.Private {
		return nil, &Error{Msg: "Cannot define RLS rule on private table: " + t.Name + ". Please make table public if you wish to restrict access using RLS."}
	}
	return t, nil
}

// noViewCall refuses a rule on a view with parameters.
func (c *checker) noViewCall(st statement, text string) error {
	sel, ok := st.(*selectStmt)
	if !ok {
		return nil
	}
	for _, group := range sel.from {
		for i := range group {
			if ref := &group[i]; len(ref.args) > 0 {
				if t := c.r.TableByName(ref.name); t != nil && t.IsView {
					return &Error{Pos: c.at(ref.span), Msg: "Row-level security is not supported on parameterized views: " + text}
				}
			}
		}
	}
	return nil
}

// CheckRules resolves every stored rule as for a caller whom all of them bind. It
// fails if rules of several tables depend on each other in a circle, or if one has
// become invalid.
func CheckRules(r store.Reader) error {
	c := newChecker(&source{}, r, Caller{}, dialectLive)
	for _, t := range r.Tables() {
		if _, err := c.visible(t); err != nil {
			return err
		}
	}
	return nil
}
