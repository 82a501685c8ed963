package module

// A TableOption says what kind of table NewTable makes: Public, Private or Event.
type TableOption interface{ applyTable(*tableDef) }

// A FunctionOption says who may call a reducer: Private.
type FunctionOption interface{ applyFunction(*functionDef) }

const (
	// Public lets every client read a table. Tables are private unless they say so.
	Public tableFlag = iota
	// Event makes a table whose rows are sent to subscribers and then forgotten.
	Event
)

// Private makes a table that only the owner of the database may read, or a reducer that only the owner may call.
const Private private = 0

type tableFlag uint8

func (f tableFlag) applyTable(d *tableDef) {
	switch f {
	case Public:
		d.public = true
	case Event:
		d.event = true
	}
}

type private uint8

func (private) applyTable(d *tableDef)       { d.private = true }
func (private) applyFunction(f *functionDef) { f.private = true }
