package store

import (
	"github.com/stdbgo/spacetime/internal/schema"
)

// UpdateView gives a view that keeps its parameters and columns, but for appended
// variants of enums, its definition in a new module: the aliases, the types of the
// backing table, and the rows that describe parameters and columns.
func (tx *Tx) UpdateView(v *schema.ViewDef) error {
	e := tx.s.catalog().names[v.Name]
	row, ok := tx.FindUnique(schema.IxViewName, keyString(v.Name))
	if e == nil || !e.def.IsView || !ok {
		return errorf(0, "there is no view %s", v.Name)
	}
	var view schema.StViewRow
	if err := view.Decode(row); err != nil {
		return err
	}
	like := v.Instantiate()
	if !e.def.RowType().Equal(like.RowType()) {
		if err := tx.AlterRowType(e.def.ID, like); err != nil {
			return err
		}
	}
	if err := tx.SetAccessors(e.def.ID, like); err != nil {
		return err
	}
	id := key32(view.ID)
	for _, ix := range []schema.IndexID{schema.IxViewParam, schema.IxViewColumn} {
		if err := tx.dropRows(ix, 1, id); err != nil {
			return err
		}
	}
	return tx.describeView(view.ID, v)
}

// describeView writes the rows about a view's parameters and columns.
func (tx *Tx) describeView(id schema.ViewID, v *schema.ViewDef) error {
	if v.ParamCols != nil {
		for i, e := range v.ParamCols.Elems {
			_, err := tx.put(schema.StViewParam, &schema.StViewParamRow{ViewID: id, Pos: schema.ColID(i), Name: e.Name.Text, Type: e.Type})
			if err != nil {
				return err
			}
		}
	}
	for i, c := range v.Columns {
		typ := c.RawType
		if typ == nil {
			typ = c.Type
		}
		_, err := tx.put(schema.StViewColumn, &schema.StViewColumnRow{ViewID: id, Pos: schema.ColID(i), Name: c.Name, Type: typ})
		if err != nil {
			return err
		}
	}
	return nil
}
