package isolation

import (
	"container/heap"
	"math"
	"slices"
)

// worklist holds numbers that are to be visited, in rising order, pass by pass:
// what is added ahead of where a pass has come to is visited by this pass, the
// rest by the next one. So the result does not depend on which visits could be
// spared.
type worklist struct {
	at    int32 // where the pass is
	todo  []int32
	ahead ahead   // added ahead of it
	later []int32 // for the next pass
	on    []bool  // whether a number is on the list
}

// newWorklist returns a list for numbers below n, with some of them on it.
func newWorklist(n int, first []int32) worklist {
	w := worklist{at: math.MaxInt32, later: first, on: make([]bool, n)}
	for _, i := range first {
		w.on[i] = true
	}
	return w
}

// begin begins a pass.
func (w *worklist) begin() {
	w.todo, w.later = w.later, w.todo[:0]
	slices.Sort(w.todo)
	w.at = -1
}

// end ends a pass, after which everything waits for the next one.
func (w *worklist) end() {
	w.todo = w.todo[:0]
	w.at = math.MaxInt32
}

// next takes the next number off the list; ok is false at the end of the pass.
func (w *worklist) next() (at int32, ok bool) {
	switch {
	case len(w.todo) > 0 && (len(w.ahead) == 0 || w.todo[0] < w.ahead[0]):
		w.at, w.todo = w.todo[0], w.todo[1:]
	case len(w.ahead) > 0:
		w.at = heap.Pop(&w.ahead).(int32) // it holds nothing else
	default:
		return 0, false
	}
	w.on[w.at] = false
	return w.at, true
}

// add puts a number on the list, unless it is there.
func (w *worklist) add(n int32) {
	switch {
	case w.on[n]:
		return
	case n > w.at:
		heap.Push(&w.ahead, n)
	default:
		w.later = append(w.later, n)
	}
	w.on[n] = true
}

// ahead is a heap of numbers.
type ahead []int32

func (h ahead) Len() int           { return len(h) }
func (h ahead) Less(i, j int) bool { return h[i] < h[j] }
func (h ahead) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *ahead) Push(n any) { *h = append(*h, n.(int32)) }

// Pop implements heap.Interface.
func (h *ahead) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
