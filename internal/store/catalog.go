package store

import (
	"cmp"
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A catalog is what the tables of a database are at one moment. It is immutable;
// views keep the one they began with.
type catalog struct {
	entries []*catalogEntry // in id order
	defs    []*schema.Table
	byID    idMap[catalogEntry]
	indexes idMap[indexEntry]
	names   map[string]*catalogEntry // canonical names
	aliases map[string]*catalogEntry

	indexNames   map[string]*indexEntry
	indexAliases map[string]*indexEntry
}

type catalogEntry struct {
	t       *table
	def     *schema.Table
	indexes []*index
	at      int // position in entries
}

type indexEntry struct {
	ix  *index
	def *schema.Index
	e   *catalogEntry
}

func newCatalog(tables map[schema.TableID]*table) *catalog {
	c := &catalog{
		names: map[string]*catalogEntry{}, aliases: map[string]*catalogEntry{},
		indexNames: map[string]*indexEntry{}, indexAliases: map[string]*indexEntry{},
	}
	for _, t := range tables {
		c.entries = append(c.entries, &catalogEntry{t: t, def: t.def, indexes: t.indexes})
	}
	slices.SortFunc(c.entries, func(a, b *catalogEntry) int { return cmp.Compare(a.def.ID, b.def.ID) })
	for i, e := range c.entries {
		e.at = i
		c.defs = append(c.defs, e.def)
		c.byID.set(uint32(e.def.ID), e)
		c.names[e.def.Name] = e
		if e.def.Accessor != "" {
			c.aliases[e.def.Accessor] = e
		}
		for k, ix := range e.indexes {
			x := &indexEntry{ix: ix, def: e.def.Indexes[k], e: e}
			c.indexes.set(uint32(x.def.ID), x)
			c.indexNames[x.def.Name] = x
			if x.def.Accessor != "" {
				c.indexAliases[x.def.Accessor] = x
			}
		}
	}
	return c
}

// defOf returns the definition in an entry that may be nil.
func (e *catalogEntry) defOf() *schema.Table {
	if e == nil {
		return nil
	}
	return e.def
}

func (c *catalog) table(name string) *catalogEntry {
	if e := c.names[name]; e != nil {
		return e
	}
	return c.aliases[name]
}

func (c *catalog) indexByName(name string) *indexEntry {
	if x := c.indexNames[name]; x != nil {
		return x
	}
	return c.indexAliases[name]
}

func (x *indexEntry) defs() (*schema.Table, *schema.Index) {
	if x == nil {
		return nil, nil
	}
	return x.e.def, x.def
}
