package pgwire

// Types of a client's messages.
const (
	TypePassword  = 'p'
	TypeQuery     = 'Q'
	TypeParse     = 'P'
	TypeBind      = 'B'
	TypeDescribe  = 'D'
	TypeExecute   = 'E'
	TypeClose     = 'C'
	TypeSync      = 'S'
	TypeFlush     = 'H'
	TypeTerminate = 'X'
	TypeCopyData  = 'd'
	TypeCopyDone  = 'c'
	TypeCopyFail  = 'f'
)

// What Describe and Close speak of.
const (
	KindStatement = 'S'
	KindPortal    = 'P'
)

// Formats of values.
const (
	FormatText   = 0
	FormatBinary = 1
)

// DecodeText is the body of a Query or a Password: one text.
func DecodeText(body []byte) (string, error) {
	d := decoder{b: body}
	s := d.text()
	return s, d.end()
}

// A Parse prepares a statement.
type Parse struct {
	Name, SQL string
	OIDs      []uint32 // of the first parameters; 0: not said
}

// DecodeParse decodes a Parse message.
func DecodeParse(body []byte) (m Parse, err error) {
	d := decoder{b: body}
	m.Name, m.SQL = d.text(), d.text()
	n := d.u16()
	if 4*n > len(d.b) {
		return m, ErrMalformed
	}
	for range n {
		m.OIDs = append(m.OIDs, uint32(d.i32()))
	}
	return m, d.end()
}

// A Bind makes a portal of a prepared statement and the values of its parameters.
type Bind struct {
	Portal, Statement string
	Formats           []int // of the parameters: none, one for all, or one each
	Params            [][]byte
	Results           []int // formats of the columns, likewise
}

// DecodeBind decodes a Bind message. The parameters lie in body; one that is NULL is
// nil.
func DecodeBind(body []byte) (m Bind, err error) {
	d := decoder{b: body}
	m.Portal, m.Statement = d.text(), d.text()
	if m.Formats, err = d.formats(); err != nil {
		return m, err
	}
	n := d.u16()
	if 4*n > len(d.b) {
		return m, ErrMalformed
	}
	m.Params = make([][]byte, n)
	for i := range m.Params {
		if size := d.i32(); size != -1 {
			m.Params[i] = d.take(size)
		}
	}
	if m.Results, err = d.formats(); err != nil {
		return m, err
	}
	if len(m.Formats) > 1 && len(m.Formats) != n {
		return m, ErrMalformed
	}
	return m, d.end()
}

func (d *decoder) formats() (list []int, err error) {
	n := d.u16()
	if 2*n > len(d.b) {
		return nil, ErrMalformed
	}
	for range n {
		f := d.u16()
		if f != FormatText && f != FormatBinary {
			return nil, ErrMalformed
		}
		list = append(list, f)
	}
	return list, nil
}

// FormatOf is the format of value i by a list of a Bind message.
func FormatOf(list []int, i int) int {
	switch {
	case len(list) == 1:
		return list[0]
	case i < len(list):
		return list[i]
	}
	return FormatText
}

// A Target is what a Describe or a Close speaks of.
type Target struct {
	Kind byte // KindStatement or KindPortal
	Name string
}

// DecodeTarget decodes a Describe or a Close message.
func DecodeTarget(body []byte) (m Target, err error) {
	d := decoder{b: body}
	if b := d.take(1); b != nil {
		m.Kind = b[0]
	}
	m.Name = d.text()
	if m.Kind != KindStatement && m.Kind != KindPortal {
		return m, ErrMalformed
	}
	return m, d.end()
}

// An Execute runs a portal.
type Execute struct {
	Portal  string
	MaxRows int // 0: all
}

// DecodeExecute decodes an Execute message.
func DecodeExecute(body []byte) (m Execute, err error) {
	d := decoder{b: body}
	m.Portal, m.MaxRows = d.text(), d.i32()
	return m, d.end()
}
