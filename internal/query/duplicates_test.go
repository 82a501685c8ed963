package query

import "testing"

func TestDuplicates(t *testing.T) {
	var b bag
	b.add([]byte("twice"), 1)
	b.add([]byte("twice"), 1)
	b.add([]byte("gone"), 1)
	b.add([]byte("gone"), -1)
	b.add([]byte("three times less"), -3)
	b.add([]byte("once"), 1)
	var d Duplicates
	b.duplicates(&d)
	if d.Evaluated != 2 || d.Sent != 3 {
		t.Errorf("%+v", d)
	}
	b.reset()
	b.add([]byte("once"), 1)
	b.duplicates(&d)
	if d.Evaluated != 2 || d.Sent != 3 {
		t.Errorf("after a reset: %+v", d)
	}
}
