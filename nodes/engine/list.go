package engine

import "iter"

// list is a set of open handles in the order in which they were opened, with
// removal in constant time and without allocation.
type list[T linked[T]] struct{ first, last T }

// linked is a handle with room for its neighbours.
type linked[T any] interface {
	comparable
	links() *links[T]
}

type links[T any] struct{ prev, next T }

func (l *list[T]) add(x T) {
	var none T
	x.links().prev, x.links().next = l.last, none
	if l.last == none {
		l.first = x
	} else {
		l.last.links().next = x
	}
	l.last = x
}

func (l *list[T]) remove(x T) {
	var none T
	n := x.links()
	if n.prev == none {
		l.first = n.next
	} else {
		n.prev.links().next = n.next
	}
	if n.next == none {
		l.last = n.prev
	} else {
		n.next.links().prev = n.prev
	}
	*n = links[T]{}
}

// all yields the handles; the one at hand may be removed.
func (l *list[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		var none T
		for x := l.first; x != none; {
			next := x.links().next
			if !yield(x) {
				return
			}
			x = next
		}
	}
}
