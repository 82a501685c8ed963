package subscribe

import "github.com/stdbgo/spacetime/internal/store"

// Concerned returns the texts of the queries that a delta makes the manager evaluate.
func (m *Manager) Concerned(r store.Reader, d *store.Delta) []string {
	var texts []string
	for _, q := range m.concerned(r, d) {
		texts = append(texts, q.Text)
	}
	return texts
}
