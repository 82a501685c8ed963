package client

import (
	"fmt"

	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// A resync collects what a new link says until all subscriptions are answered. Then
// the new rows go into the cache and the old ones out, as one transaction: what is the
// same before and after does not change.
type resync struct {
	link     *link
	await    map[uint32]*Subscription // not answered yet
	answered map[uint32]*Subscription
	rejected map[uint32]string
	left     map[uint32]bool // unsubscribed meanwhile
	old      uint32          // V1: the generation before
	changes  []change
	later    []serverMessage // to be handled afterwards
}

// beginResync begins to collect.
func (c *Conn) beginResync(l *link, up *resume) {
	d := &c.delivery
	r := &resync{link: l, await: up.await, answered: map[uint32]*Subscription{}, rejected: map[uint32]string{}, left: map[uint32]bool{}, old: d.generation}
	d.generation = up.generation
	d.resync = r
	if len(r.await) == 0 {
		if err := c.finishResync(); err != nil {
			c.giveUp(l, err)
		}
	}
}

// holdBack takes a message that belongs to a resynchronisation.
func (c *Conn) holdBack(l *link, m serverMessage) (held bool, err error) {
	r := c.delivery.resync
	if r == nil || r.link != l {
		return false, nil
	}
	if l.session.protocol == V1 {
		err = c.collectV1(r, m)
	} else {
		err = c.collectV2(r, m)
	}
	if err == nil && len(r.await) == 0 {
		err = c.finishResync()
	}
	return true, err
}

// answer notes the outcome of a set, and reports whether it was waited for.
func (r *resync) answer(set uint32, failure *string) bool {
	s := r.await[set]
	if s == nil {
		return false
	}
	delete(r.await, set)
	r.answered[set] = s
	if failure != nil {
		r.rejected[set] = *failure
	}
	return true
}

func (c *Conn) collectV2(r *resync, m serverMessage) (err error) {
	switch m := m.(type) {
	case *v2.SubscribeBatchApplied:
		for _, s := range m.Results {
			if !r.answer(s.QuerySetID, s.Error) {
				return fmt.Errorf("client: the server answers the query set %d, which was not asked for", s.QuerySetID)
			}
			if r.changes, err = initialChanges(r.changes, s.QuerySetID, s.Rows); err != nil {
				return err
			}
		}
		return nil
	case *v2.SubscribeApplied:
		s := c.pending(r.link, m.QuerySetID)
		if r.answer(m.QuerySetID, nil) || s != nil && s.raw == nil {
			if s != nil { // new ones join, so that all rows are of one moment
				r.answered[m.QuerySetID] = s
			}
			r.changes, err = initialChanges(r.changes, m.QuerySetID, m.Rows)
			return err
		}
	case *v2.UnsubscribeApplied:
		r.left[m.QuerySetID] = r.answered[m.QuerySetID] != nil
	case *v2.SubscriptionError:
		if r.answer(m.QuerySetID, &m.Error) {
			return nil
		}
		if r.answered[m.QuerySetID] != nil {
			r.rejected[m.QuerySetID] = m.Error
			return nil
		}
	case *v2.TransactionUpdate:
		if m.Sets, err = r.collect(m.Sets); err != nil || len(m.Sets) == 0 {
			return err
		}
	case *v2.ReducerResult:
		if m.Sets, err = r.collect(m.Sets); err != nil {
			return err
		}
	}
	r.later = append(r.later, m)
	return nil
}

// collect takes the changes of the sets that are being resynchronised, and returns
// the others.
func (r *resync) collect(sets []v2.QuerySetUpdate) (others []v2.QuerySetUpdate, err error) {
	for i := range sets {
		if r.answered[sets[i].QuerySetID] == nil {
			others = append(others, sets[i])
			continue
		}
		if r.changes, err = appendChanges(r.changes, &sets[i]); err != nil {
			return nil, err
		}
	}
	return others, nil
}

// collectV1 takes all changes: V1 does not say which set they belong to.
func (c *Conn) collectV1(r *resync, m serverMessage) (err error) {
	var u *v1.DatabaseUpdate
	switch m := m.(type) {
	case *v1.SubscribeMultiApplied:
		if !m.End && r.answer(m.QueryID, nil) {
			r.changes, err = c.appendChangesV1(r.changes, &m.Update)
			return err
		}
		u = &m.Update
	case *v1.TransactionUpdate:
		u = &m.Status.Update
	case *v1.TransactionUpdateLight:
		u = &m.Update
	case *v1.SubscriptionError:
		if m.QueryID != nil && r.answer(*m.QueryID, &m.Error) {
			return nil
		}
		if m.QueryID == nil {
			for set := range r.answered {
				r.rejected[set] = m.Error
			}
			r.changes = nil
			return nil
		}
	}
	if u != nil {
		r.changes, err = c.appendChangesV1(r.changes, u)
		*u = v1.DatabaseUpdate{}
	}
	r.later = append(r.later, m)
	return err
}

// finishResync applies what has been collected.
func (c *Conn) finishResync() error {
	d := &c.delivery
	r := d.resync
	d.resync = nil
	var drops []uint32
	if r.old != 0 {
		drops = append(drops, r.old)
	}
	for set := range d.sets {
		drops = append(drops, set)
	}
	for set := range r.answered {
		if _, rejected := r.rejected[set]; rejected || r.left[set] {
			drops = append(drops, set)
		}
	}
	if len(drops)+len(r.changes) > 0 {
		if err := c.transact(&Event{Kind: Resync}, r.changes, drops...); err != nil {
			return err
		}
	}
	for _, s := range d.parting {
		s.end(nil)
	}
	d.parting = nil
	clear(d.sets)
	for set, s := range r.answered {
		if text, ok := r.rejected[set]; ok {
			c.forget(set)
			s.cached = 0
			s.end(&SubscriptionError{s.queries, text})
			continue
		}
		if s.cached = 0; !r.left[set] {
			s.cached = set
			d.sets[set] = s
		}
		s.apply()
	}
	for _, m := range r.later {
		if err := c.dispatch(r.link, m); err != nil {
			return err
		}
	}
	return nil
}
