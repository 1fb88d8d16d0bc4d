package sim

import (
	"iter"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/cespare/xxhash/v2"

	"simrun/nodes/env"
)

// task is a coroutine that runs one body after another. The loop resumes it;
// it yields when it waits. It implements env.Task.
//
// A task that has ended goes back to the kernel's idle list, so a wake-up may
// arrive for a task that is by now somebody else's: every wait has a number,
// and a wake-up for another number is stale.
type task struct {
	kernel *Kernel
	owner  *process // nil: a task of the harness, which no crash ends
	peers  *[]*task // the tasks of the same owner
	name   string
	body   func(env.Task)

	resume func() (struct{}, bool)
	cancel func()
	yield  func(struct{}) bool

	wait   uint64 // the number of the current or next wait
	woken  bool   // the current wait's Waker was used
	parked bool
	ended  bool
	killed bool
	index  int // position in peers
}

// killSignal is the panic with which a killed task leaves its coroutine.
type killSignal struct{}

// wake is a scheduled end of one wait: a wake-up or the end of its time limit.
type wake struct {
	task *task
	wait uint64
	due  int64 // on the monotonic clock of the task's node; 0: it is a wake-up
}

// Go starts a task that belongs to no node, for harness code.
func (k *Kernel) Go(name string, body func(env.Task)) { k.spawn(nil, name, body) }

func (k *Kernel) spawn(owner *process, name string, body func(env.Task)) {
	t := take(&k.idle)
	if t.kernel == nil { // a new one
		t.kernel = k
		t.resume, t.cancel = iter.Pull(t.run)
	}
	t.owner, t.name, t.body = owner, name, body
	t.ended, t.woken = false, false
	t.wait++
	t.parked = true
	t.peers = &k.tasks
	if owner != nil {
		t.peers = &owner.tasks
	}
	t.index = len(*t.peers)
	*t.peers = append(*t.peers, t)
	k.schedule(k.now, t, 0)
}

// run is the coroutine: one body after another, until it is cancelled.
func (t *task) run(yield func(struct{}) bool) {
	t.yield = yield
	for {
		t.runBody()
		t.leaveOwner()
		t.body = nil
		t.ended = true
		t.kernel.idle = append(t.kernel.idle, t)
		if !yield(struct{}{}) {
			return
		}
	}
}

// runBody runs one body. A panic is wrapped with the task's own stack and goes
// on to the loop; a Goexit, the end of a killed task, becomes a private panic,
// because iter.Pull would otherwise end the loop's goroutine too.
func (t *task) runBody() {
	returned := false
	defer func() {
		if returned {
			return
		}
		r := recover()
		if r == nil {
			panic(killSignal{})
		}
		panic(&Failure{Value: r, At: time.Duration(t.kernel.now), Node: t.addr(), Task: t.name, Stack: debug.Stack()})
	}()
	t.body(t)
	returned = true
}

// addr is the address of the node on which the task runs; 0: none.
func (t *task) addr() env.Addr {
	if t.owner == nil {
		return 0
	}
	return t.owner.node.addr
}

func (t *task) leaveOwner() {
	tasks := *t.peers
	last := tasks[len(tasks)-1]
	tasks[t.index] = last
	last.index = t.index
	tasks[len(tasks)-1] = nil
	*t.peers = tasks[:len(tasks)-1]
	t.owner, t.peers = nil, nil
}

// killAll unwinds tasks, the last first.
func killAll(tasks *[]*task) {
	for len(*tasks) > 0 {
		t := (*tasks)[len(*tasks)-1]
		t.leaveOwner()
		t.kill()
	}
}

// kill unwinds the task: its deferred calls run, and no recover in it can stop
// that. A task cannot kill itself.
func (t *task) kill() {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killSignal); !ok {
				panic(r)
			}
		}
	}()
	t.killed, t.ended = true, true
	t.wait++
	t.cancel()
}

// Sleep implements env.Task.
func (t *task) Sleep(d time.Duration) {
	t.Waker()
	t.Park(max(d, 0))
}

// Waker implements env.Task.
func (t *task) Waker() env.Waker {
	t.wait++
	t.woken = false
	return env.NewWaker(t, t.wait)
}

// Park implements env.Task.
func (t *task) Park(d time.Duration) bool {
	if t.killed {
		runtime.Goexit() // a deferred call of a killed task must not wait
	}
	if t.woken {
		return true
	}
	if d >= 0 {
		t.kernel.schedule(t.kernel.now+t.owner.duration(int64(d)), t, t.owner.due(int64(d)))
	}
	t.parked = true
	ok := t.yield(struct{}{})
	t.parked = false
	if !ok {
		runtime.Goexit()
	}
	return t.woken
}

// Wake implements env.Wakeable.
func (t *task) Wake(wait uint64) {
	if wait != t.wait || t.woken || t.ended {
		return
	}
	t.woken = true
	if t.parked {
		t.kernel.schedule(t.kernel.now, t, 0)
	}
}

// schedule makes the task's current wait end at the virtual time at, if the clock of its
// node shows due then.
func (k *Kernel) schedule(at int64, t *task, due int64) {
	w := take(&k.wakes)
	w.task, w.wait, w.due = t, t.wait, due
	k.queue.push(at, w)
}

// Fire implements Event: it resumes the task if it still waits for this.
func (w *wake) Fire() {
	t := w.task
	k := t.kernel
	if t.wait != w.wait || t.ended || !t.parked {
		k.recycle(w)
		return
	}
	if t.owner != nil {
		if !t.owner.alive() {
			k.recycle(w)
			return
		}
		if t.owner.node.hold(w) {
			return
		}
		if left := t.owner.early(w.due); left > 0 {
			k.queue.push(k.now+left, w)
			return
		}
	}
	k.recycle(w)
	k.Trace.record(k.now, TraceTask, uint32(t.addr()), xxhash.Sum64String(t.name), t.name)
	t.wait++ // whatever else was scheduled for this wait is stale now
	t.parked = false
	t.resume()
}

func (k *Kernel) recycle(w *wake) {
	w.task = nil
	k.wakes = append(k.wakes, w)
}
