package sim

import (
	"time"

	"simrun/nodes/env"
)

// timer is a pending callback of a process. A stopped timer stays in the queue
// until it is due; it is reused only then, under another number.
type timer struct {
	owner   *process
	fn      func()
	gen     uint64
	due     int64 // on the monotonic clock
	pending bool
}

// After implements env.Scheduler.
func (p *process) After(d time.Duration, fn func()) env.Timer {
	k := p.node.world.Kernel
	if !p.alive() {
		return env.Timer{}
	}
	t := take(&k.timers)
	wait := int64(max(d, 0))
	t.owner, t.fn, t.due, t.pending = p, fn, p.due(wait), true
	t.gen++
	k.queue.push(k.now+p.duration(wait), t)
	return env.NewTimer(t, t.gen)
}

// StopTimer implements env.Stoppable.
func (t *timer) StopTimer(gen uint64) bool {
	if t.gen != gen || !t.pending {
		return false
	}
	t.pending, t.fn = false, nil
	return true
}

// Fire implements Event.
func (t *timer) Fire() {
	p := t.owner
	k := p.node.world.Kernel
	if t.pending && p.alive() {
		if p.node.hold(t) {
			return
		}
		if left := p.early(t.due); left > 0 {
			k.queue.push(k.now+left, t)
			return
		}
		k.Trace.record(k.now, TraceTimer, uint32(p.node.addr), t.gen, "")
		fn := t.fn
		k.freeTimer(t)
		fn()
		return
	}
	k.freeTimer(t)
}

func (k *Kernel) freeTimer(t *timer) {
	t.owner, t.fn, t.pending = nil, nil, false
	k.timers = append(k.timers, t)
}
