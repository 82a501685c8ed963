package schema

import "github.com/stdbgo/spacetime/sats"

// codec visits the fields of a raw definition in wire order. There are three:
// a decoder, an encoder and a JSON writer; so each layout is written down once
// (rawlayout.go) and cannot differ between them.
type codec interface {
	// open and close stand around a product; key precedes each of its fields.
	open()
	close()
	key(name string)
	// nest visits a module inside another one.
	nest(visit func())
	// count visits the length of a list; each element takes at least min
	// bytes. next precedes each element; end follows the last one. It returns
	// false when the list is over.
	count(n, min int) int
	next() bool
	end()
	// sum visits a tag; the payload of the variant follows, then endSum. For
	// a payload that is the empty product, unit stands in its place.
	sum(tag uint8, names []string) uint8
	unit()
	endSum()

	str(*string)
	boolean(*bool)
	u8(*uint8)
	u16(*uint16)
	u32(*uint32)
	i128(*sats.I128)
	bytes(*[]byte)
	hash(*sats.Hash)
	typ(**sats.Type)
	product(**sats.Type) // a product type without its tag
	typespace(**sats.Typespace)
}

// list visits a list whose elements take at least min bytes each.
func list[T any](c codec, p *[]T, min int, visit func(codec, *T)) {
	n := c.count(len(*p), min)
	if len(*p) != n {
		*p = make([]T, n)
	}
	for i := range *p {
		if !c.next() {
			break
		}
		visit(c, &(*p)[i])
	}
	c.end()
}

var optionNames = []string{"some", "none"}

// option visits an optional value; isSet tells whether the value is present.
func option(c codec, isSet bool, visit func()) bool {
	tag := uint8(1)
	if isSet {
		tag = 0
	}
	tag = c.sum(tag, optionNames)
	if tag == 0 {
		visit()
	} else {
		c.unit()
	}
	c.endSum()
	return tag == 0
}

// optional visits an optional value held by pointer.
func optional[T any](c codec, p **T, visit func(codec, *T)) {
	v := *p
	if v == nil {
		v = new(T)
	}
	if option(c, *p != nil, func() { visit(c, v) }) {
		*p = v
	} else {
		*p = nil
	}
}

func name(c codec, p *sats.Name) { p.Set = option(c, p.Set, func() { c.str(&p.Text) }) }

// enum visits a sum whose payloads are all empty.
func enum[T ~uint8](c codec, p *T, names []string) {
	*p = T(c.sum(uint8(*p), names))
	c.unit()
	c.endSum()
}

func str(c codec, p *string) { c.str(p) }
func col(c codec, p *ColID)  { c.u16((*uint16)(p)) }

func cols(c codec, p *[]ColID)   { list(c, p, 2, col) }
func strs(c codec, p *[]string)  { list(c, p, 4, str) }
func i128(c codec, p *sats.I128) { c.i128(p) }

// field visits one field of a product.
func field[T any](c codec, key string, p *T, visit func(codec, *T)) {
	c.key(key)
	visit(c, p)
}
