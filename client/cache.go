package client

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/wire"
)

// A cache holds the rows of all subscriptions of a connection. The goroutine that
// delivers writes it, a transaction at once.
//
// Every row is counted for each query set that has it, as often as the set's queries
// do. It is in a table while the sum is above zero. So what a set brought can be taken
// out again without the server, and a resynchronisation is: add the new set's rows,
// take the old set's out.
type cache struct {
	lock     cacheLock
	conn     *Conn
	tables   map[string]cached
	reducers map[string]int // positions in Module.Reducers
	unknown  map[string]bool

	changed []cached // tables of the transaction, in the order of its message
}

// cached is a table[R] of some row type.
type cached interface {
	insert(set uint32, rows *wire.RowList) error
	remove(set uint32, rows *wire.RowList) error
	drop(set uint32)
	happen(rows *wire.RowList) error // rows of an event table
	commit() (inserted, deleted int)
	rollback()
	tell(c *Conn, ev *Event)
	began() bool // and sets it
}

// A change is what a message says about the rows of one query.
type change struct {
	set               uint32
	table             string
	inserted, deleted wire.RowList
	event             bool
}

func newCache(m *Module) (*cache, error) {
	c := &cache{tables: map[string]cached{}, reducers: map[string]int{}, unknown: map[string]bool{}}
	c.lock.init()
	if m == nil {
		return c, nil
	}
	for _, d := range m.Tables {
		name := d.definition().Name
		if c.tables[name] != nil {
			return nil, fmt.Errorf("client: the Module has two tables %s", name)
		}
		t, err := d.make(c)
		if err != nil {
			return nil, err
		}
		c.tables[name] = t
	}
	for i, r := range m.Reducers {
		c.reducers[r.Name] = i
	}
	return c, nil
}

// View calls f while no transaction is applied, so that what f reads from several
// tables fits together. f must not wait for the connection: nothing is delivered
// meanwhile. It returns what f returns.
func (c *Conn) View(f func() error) error {
	c.cache.lock.viewLock()
	defer c.cache.lock.viewUnlock()
	return f()
}

// transact applies changes, and takes out what the sets in drops brought. After an
// error nothing has changed.
func (c *cache) transact(changes []change, drops []uint32) error {
	c.lock.lock()
	defer c.lock.unlock()
	c.changed = c.changed[:0]
	if err := c.apply(changes); err != nil {
		for _, t := range c.changed {
			t.rollback()
		}
		c.changed = c.changed[:0]
		return err
	}
	for _, set := range drops {
		for _, d := range c.conn.module.Tables {
			t := c.tables[d.definition().Name]
			c.touch(t)
			t.drop(set)
		}
	}
	inserted, deleted := 0, 0
	for _, t := range c.changed {
		in, out := t.commit()
		inserted, deleted = inserted+in, deleted+out
	}
	c.conn.counts.inserted.Add(uint64(inserted))
	c.conn.counts.deleted.Add(uint64(deleted))
	return nil
}

// apply counts inserted rows first, so that a row that one query loses and another
// one gains is there all the time.
func (c *cache) apply(changes []change) error {
	for i := range changes {
		ch := &changes[i]
		t := c.tables[ch.table]
		if t == nil {
			c.warnUnknown(ch.table)
			continue
		}
		c.touch(t)
		var err error
		if ch.event {
			err = t.happen(&ch.inserted)
		} else {
			err = t.insert(ch.set, &ch.inserted)
		}
		if err != nil {
			return err
		}
	}
	for i := range changes {
		ch := &changes[i]
		if t := c.tables[ch.table]; t != nil && ch.deleted.Len() > 0 {
			if err := t.remove(ch.set, &ch.deleted); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cache) touch(t cached) {
	if !t.began() {
		c.changed = append(c.changed, t)
	}
}

func (c *cache) warnUnknown(table string) {
	if !c.unknown[table] {
		c.unknown[table] = true
		c.conn.warn("rows of a table that the Module does not have are left out; generate the bindings again, with --include-private for private tables", "table", table)
	}
}

// tell runs the callbacks for the last transaction.
func (c *cache) tell(ev *Event) {
	for _, t := range c.changed {
		t.tell(c.conn, ev)
	}
}
