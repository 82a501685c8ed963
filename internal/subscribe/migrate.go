package subscribe

// Recompile renews the plans of all queries after the schema has changed, so that
// subscriptions go on. A query that compiles no longer keeps its old plans: the
// next transaction that concerns it tells its subscribers why.
func (m *Manager) Recompile(compile func(*Query) (*Query, error)) {
	for _, q := range m.queries {
		m.trigger(q, -1)
		if fresh, err := compile(q.Query); err == nil && len(fresh.Plans) > 0 {
			q.Query = &Query{Key: q.Key, Text: q.Text, Plans: fresh.Plans}
		}
		m.trigger(q, 1)
	}
}
