package table

import (
	"errors"
	"slices"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/table/kv"
	"simrun/nodes/table/memory"
)

// napper notes how long it was to sleep.
type napper struct {
	memory.Idle
	slept []time.Duration
}

func (s *napper) Sleep(d time.Duration) { s.slept = append(s.slept, d) }

// refusing is a store that begins no transaction while refuse is positive.
type refusing struct {
	kv.Store
	refuse int
}

func (r *refusing) Begin(t env.Task, mode kv.Mode) (kv.Txn, error) {
	if r.refuse--; r.refuse >= 0 {
		return nil, client.ErrWriteConflict
	}
	return r.Store.Begin(t, mode)
}

// A worker comes back later and later while its steps fail, and soon again when one
// has not failed.
func TestJobPauses(t *testing.T) {
	const ms = time.Millisecond
	store, task := &refusing{Store: memory.New(), refuse: 8}, &napper{}
	if err := New(store, Config{}).wait(task, 1, 3600*ms); !errors.Is(err, client.ErrDeadline) {
		t.Fatalf("a job that nobody takes: %v", err)
	}
	want := []time.Duration{20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, time.Second, time.Second}
	if got := task.slept[:len(want)]; !slices.Equal(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
	for _, d := range task.slept[len(want):] {
		if d != 20*ms {
			t.Fatalf("a pause of %v while nothing fails", d)
		}
	}
}
