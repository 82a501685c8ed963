package store

import "slices"

// sortEntries sorts by key, then by address, in place: by one byte of the key after the
// other from the top, and by comparing where few entries are left. For ten million
// entries that takes a third of the time that comparing them all does.
func sortEntries(es []entry) { sortBytes(es, 64-8, 0) }

// partitionEntries sorts by the upper bits of the keys only, at least so many of them.
func partitionEntries(es []entry, upper int) { sortBytes(es, 64-8, 64-upper) }

const fewEntries = 128

// sortBytes sorts entries that agree above the byte at shift, down to bit last.
func sortBytes(es []entry, shift, last int) {
	for len(es) > fewEntries && shift >= 0 && shift+8 > last {
		var ends, next [256]int
		for i := range es {
			ends[byte(es[i].key>>shift)]++
		}
		sum := 0
		for b, n := range ends {
			next[b] = sum
			sum += n
			ends[b] = sum
		}
		if ends[byte(es[0].key>>shift)]-next[byte(es[0].key>>shift)] < len(es) {
			distribute(es, &ends, &next, shift)
			from := 0
			for _, end := range ends {
				sortBytes(es[from:end], shift-8, last)
				from = end
			}
			return
		}
		shift -= 8 // they agree in this byte, too
	}
	if last == 0 || shift+8 > last {
		slices.SortFunc(es, compareEntry)
	}
}

// distribute swaps every entry to the part of es that its byte at shift has; next and
// ends are where these parts begin and end.
func distribute(es []entry, ends, next *[256]int, shift int) {
	for b := range ends {
		for next[b] < ends[b] {
			e := es[next[b]]
			for to := byte(e.key >> shift); int(to) != b; to = byte(e.key >> shift) {
				e, es[next[to]] = es[next[to]], e
				next[to]++
			}
			es[next[b]] = e
			next[b]++
		}
	}
}

func compareEntry(a, b entry) int {
	switch {
	case a.key < b.key:
		return -1
	case a.key > b.key:
		return 1
	case a.ptr < b.ptr:
		return -1
	case a.ptr > b.ptr:
		return 1
	}
	return 0
}
