package sim

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// numbered is an event that can be told from others.
type numbered struct{ n int }

func (*numbered) Fire() {}

// The queue against a model: a slice kept in order by a stable sort. Pushes are
// never earlier than the last pop, as the queue demands.
func TestQueueIsAStableMonotoneQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			q     queue
			model []entry
			now   int64
			n     int
		)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				shift := rapid.IntRange(0, 40).Draw(t, "shift")
				at := now + rapid.Int64Range(0, 1<<shift).Draw(t, "delay")
				e := &numbered{n}
				n++
				q.push(at, e)
				model = append(model, entry{at, e})
				slices.SortStableFunc(model, func(a, b entry) int { return int(max(min(a.at-b.at, 1), -1)) })
			},
			"pop": func(t *rapid.T) {
				if !q.ready(math.MaxInt64) {
					if len(model) > 0 {
						t.Fatalf("queue says it is empty; the model holds %d", len(model))
					}
					t.Skip("empty")
				}
				got, want := q.pop(), model[0]
				model = model[1:]
				if got != want {
					t.Fatalf("popped event %d at %d, want %d at %d", got.event.(*numbered).n, got.at, want.event.(*numbered).n, want.at)
				}
				now = got.at
			},
			"peek": func(t *rapid.T) {
				limit := now + rapid.Int64Range(0, 1<<20).Draw(t, "limit")
				due := len(model) > 0 && model[0].at <= limit
				if got := q.ready(limit); got != due {
					t.Fatalf("ready(%d) = %v, want %v", limit, got, due)
				}
				if due {
					now = model[0].at // it will be popped next: nothing may come before it
				}
			},
			"": func(t *rapid.T) {
				n := -q.head
				for _, bucket := range q.buckets {
					n += len(bucket)
				}
				if n != len(model) {
					t.Fatalf("length %d, want %d", n, len(model))
				}
			},
		})
	})
}

func TestQueueRefusesThePast(t *testing.T) {
	var q queue
	q.push(10, &numbered{})
	q.ready(math.MaxInt64)
	q.pop()
	defer func() {
		if recover() == nil {
			t.Fatal("an event before the last one was accepted")
		}
	}()
	q.push(9, &numbered{})
}
