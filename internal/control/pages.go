package control

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
)

// The file of the key-value store is a tree of pages in the machine's byte order.
// Each begins with its number (u64), its kind (u16), the count of its elements
// (u16) and how many further pages belong to it (u32). Elements of branches and
// leaves give the place of their key relative to themselves.
const (
	pageHeader = 16
	elemSize   = 16

	kindBranch   = 1
	kindLeaf     = 2
	kindFreelist = 0x10

	storeMagic   = 0xED0CDAED
	storeVersion = 2
	metaSize     = 64
	longList     = 0xFFFF // a list of free pages whose count is its first number
	bucketHeader = 16     // root page and sequence
)

var order = binary.NativeEndian

// A pageChecker follows all pages from the root.
type pageChecker struct {
	file []byte
	size uint64 // of a page
	high uint64 // page numbers are below
	used map[uint64]bool
}

// checkPages reports why a file cannot be read safely.
func checkPages(file []byte) error {
	meta, size, err := newestMeta(file)
	if err != nil {
		return err
	}
	c := &pageChecker{file: file, size: size, high: order.Uint64(meta[40:]), used: map[uint64]bool{0: true, 1: true}}
	if c.high > uint64(len(file))/size {
		return fmt.Errorf("it has %d of %d pages", uint64(len(file))/size, c.high)
	}
	if err := c.bucket(order.Uint64(meta[16:])); err != nil {
		return err
	}
	return c.freelist(order.Uint64(meta[32:]))
}

// newestMeta finds the newer one of the two meta pages that is valid.
func newestMeta(file []byte) (meta []byte, size uint64, err error) {
	for size := uint64(1024); size <= 1<<16; size *= 2 { // the second one is a page behind the first
		for _, at := range []uint64{0, size} {
			m := metaAt(file, at)
			if m == nil || uint64(order.Uint32(m[8:])) != size {
				continue
			}
			if meta == nil || order.Uint64(m[48:]) > order.Uint64(meta[48:]) {
				meta = m
			}
		}
		if meta != nil {
			return meta, size, nil
		}
	}
	return nil, 0, errors.New("it has no valid first page")
}

func metaAt(file []byte, at uint64) []byte {
	at += pageHeader
	if at+metaSize > uint64(len(file)) {
		return nil
	}
	m := file[at : at+metaSize]
	h := fnv.New64a()
	h.Write(m[:metaSize-8])
	if order.Uint32(m) != storeMagic || order.Uint32(m[4:]) != storeVersion || h.Sum64() != order.Uint64(m[metaSize-8:]) {
		return nil
	}
	return m
}

// page returns a page with those that belong to it, which nothing else may use.
func (c *pageChecker) page(n uint64) ([]byte, error) {
	if n >= c.high {
		return nil, fmt.Errorf("page %d is none of its %d", n, c.high)
	}
	more := uint64(order.Uint32(c.file[n*c.size+12:]))
	if more >= c.high-n {
		return nil, fmt.Errorf("page %d has more pages than there are", n)
	}
	for k := n; k <= n+more; k++ {
		if c.used[k] {
			return nil, fmt.Errorf("page %d is used twice", k)
		}
		c.used[k] = true
	}
	p := c.file[n*c.size : (n+more+1)*c.size]
	if order.Uint64(p) != n {
		return nil, fmt.Errorf("page %d calls itself %d", n, order.Uint64(p))
	}
	return p, nil
}

// bucket checks the tree of a bucket.
func (c *pageChecker) bucket(root uint64) error {
	var last []byte
	return c.tree(root, &last)
}

// tree checks a page of a tree and those below; last is the last key so far.
func (c *pageChecker) tree(n uint64, last *[]byte) error {
	p, err := c.page(n)
	if err != nil {
		return err
	}
	switch order.Uint16(p[8:]) {
	case kindLeaf:
		err = c.leaf(p, last)
	case kindBranch:
		err = c.branch(p, last)
	default:
		err = errors.New("no page of a tree")
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", n, err)
	}
	return nil
}

func (c *pageChecker) branch(p []byte, last *[]byte) error {
	count := int(order.Uint16(p[10:]))
	if count == 0 {
		return errors.New("an empty branch")
	}
	var before []byte
	for i := range count {
		at := pageHeader + i*elemSize
		if at+elemSize > len(p) {
			return errors.New("more elements than the page holds")
		}
		key, err := span(p, at, order.Uint32(p[at:]), order.Uint32(p[at+4:]), count)
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(key, before) <= 0 {
			return errors.New("keys out of order")
		}
		before = key
		if err := c.tree(order.Uint64(p[at+8:]), last); err != nil {
			return err
		}
	}
	return nil
}

func (c *pageChecker) leaf(p []byte, last *[]byte) error {
	count := int(order.Uint16(p[10:]))
	for i := range count {
		at := pageHeader + i*elemSize
		if at+elemSize > len(p) {
			return errors.New("more elements than the page holds")
		}
		pos, ksize, vsize := order.Uint32(p[at+4:]), order.Uint32(p[at+8:]), order.Uint32(p[at+12:])
		key, err := span(p, at, pos, ksize, count)
		if err != nil {
			return err
		}
		if *last != nil && bytes.Compare(key, *last) <= 0 {
			return errors.New("keys out of order")
		}
		*last = key
		if uint64(pos)+uint64(ksize) > uint64(len(p)) {
			return errors.New("a value outside of the page")
		}
		value, err := span(p, at, pos+ksize, vsize, count)
		if err != nil {
			return err
		}
		switch order.Uint32(p[at:]) {
		case 0:
		case 1:
			err = c.nested(value)
		default:
			err = errors.New("an element of unknown kind")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nested checks a bucket that is the value of an element: its tree, or the only
// page, which follows the header.
func (c *pageChecker) nested(value []byte) error {
	if len(value) < bucketHeader {
		return errors.New("a bucket without header")
	}
	if root := order.Uint64(value); root != 0 {
		return c.bucket(root)
	}
	page := value[bucketHeader:]
	if len(page) < pageHeader || order.Uint16(page[8:]) != kindLeaf {
		return errors.New("a bucket without page")
	}
	var last []byte
	return c.leaf(page, &last)
}

// span returns the bytes that lie pos behind an element, if they are in the page
// and behind all elements.
func span(p []byte, at int, pos, size uint32, count int) ([]byte, error) {
	from := uint64(at) + uint64(pos)
	if from < uint64(pageHeader+count*elemSize) || from+uint64(size) > uint64(len(p)) {
		return nil, errors.New("a key or value outside of the page")
	}
	return p[from : from+uint64(size)], nil
}

// freelist checks the list of pages that nothing uses.
func (c *pageChecker) freelist(n uint64) error {
	p, err := c.page(n)
	if err != nil {
		return err
	}
	list := p[pageHeader:]
	count := uint64(order.Uint16(p[10:]))
	if count == longList {
		count, list = order.Uint64(list), list[8:]
	}
	if order.Uint16(p[8:]) != kindFreelist || count > uint64(len(list))/8 {
		return fmt.Errorf("page %d is no list of free pages", n)
	}
	for i := range count {
		free := order.Uint64(list[i*8:])
		if free >= c.high || c.used[free] {
			return fmt.Errorf("page %d is called free", free)
		}
		c.used[free] = true
	}
	return nil
}
