package sats

import (
	"slices"
	"strconv"
	"strings"
)

// The quickest functions are for codecs that are nothing but a short run. They have no loop: what they do is chosen when
// the codec is made, by the number of hops for decoding, and by their sizes for encoding.

// shapes are the sizes of hops that appendSmall knows, by the number it knows them by. There is none for three hops: one
// is done twice.
var shapes = [...]string{
	"8888", "8884", "8882", "8881", "8844", "8842", "8841", "8822", "8821", "8811", "8444", "8442", "8441", "8422", "8421",
	"8411", "8222", "8221", "8211", "8111", "4444", "4442", "4441", "4422", "4421", "4411", "4222", "4221", "4211", "4111",
	"2222", "2221", "2211", "2111", "1111", "88", "84", "82", "81", "44", "42", "41", "22", "21", "11", "8", "4", "2", "1",
}

// quickDecoders are the functions for hops of one width, by their number less one.
var quickDecoders = [...]struct {
	width uint32
	of    []decoder
}{
	{4, []decoder{decode1x4, decode2x4, decode3x4}},
	{8, []decoder{decode1x8, decode2x8, decode3x8, decode4x8, decode5x8, decode6x8}},
	{16, []decoder{decode1x16, decode2x16, decode3x16, decode4x16}},
}

// choose decides how values are encoded and decoded.
func (c *Codec) choose() {
	c.enc, c.dec = appendTexts, decodeSteps
	if c.lists {
		c.enc = appendMixed
	}
	if c.short == noShort {
		return
	}
	c.enc, c.dec = appendMoves, decodeMoves
	if shape, hops := c.run.shape(); shape >= 0 {
		if c.enc, c.shape = appendSmall, uint8(shape); shape == 0 {
			c.enc = append4x8
		}
		copy(c.out[:], hops)
	}
	c.first, c.second = noCheck, noCheck
	for i, k := range c.run.checks {
		switch k := packedCheck(k.at)<<8 | packedCheck(k.max); i {
		case 0:
			c.first = k
		case 1:
			c.second = k
		default:
			c.others = append(c.others, k)
		}
	}
	if len(c.run.checks) > 1 {
		return
	}
	fewest := len(c.in) + 1
	for _, q := range quickDecoders {
		if hops, ok := c.run.hops(q.width); ok && len(hops) <= len(q.of) && len(hops) < fewest {
			c.dec, fewest = q.of[len(hops)-1], len(hops)
			copy(c.in[:], hops)
		}
	}
}

// A packedCheck is a byteCheck: the maximum is in the lowest byte, the place above it.
type packedCheck uint64

// noCheck is the check of a byte that may be anything.
const noCheck packedCheck = 255

// shape returns the number of the shape of the run and its hops, the widest first, or -1.
func (r *run) shape() (int, []hop) {
	name, hops := "", []hop(nil)
	exact := pieces(r.spans)
	for size := 8; size > 0; size-- {
		name, hops = name+strings.Repeat(strconv.Itoa(size), len(exact[size])), append(hops, exact[size]...)
	}
	if len(hops) == 3 {
		name, hops = name+name[2:], append(hops, hops[2])
	}
	return slices.Index(shapes[:], name), hops
}
