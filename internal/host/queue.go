package host

// A queue is a first-in-first-out list that reuses its memory.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int { return len(q.items) - q.head }

func (q *queue[T]) push(x T) {
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, x)
}

func (q *queue[T]) pop() (x T, ok bool) {
	if q.len() == 0 {
		return x, false
	}
	var none T
	x = q.items[q.head]
	q.items[q.head] = none
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return x, true
}

// keep removes the items for which ok is false.
func (q *queue[T]) keep(ok func(T) bool) {
	old := q.items[q.head:]
	q.items, q.head = nil, 0
	for _, x := range old {
		if ok(x) {
			q.items = append(q.items, x)
		}
	}
}
