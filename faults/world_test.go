package faults_test

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"

	"simrun/faults"
)

// loop is an event loop for tests; simultaneous events happen in the order of
// posting.
type loop struct {
	now   int64
	next  int
	queue queue
}

type entry struct {
	at     int64
	number int
	event  interface{ Fire() }
}

func (l *loop) Now() int64 { return l.now }

func (l *loop) Post(at int64, e interface{ Fire() }) {
	l.next++
	heap.Push(&l.queue, entry{at, l.next, e})
}

func (l *loop) runUntil(at time.Duration) {
	for len(l.queue) > 0 && l.queue[0].at <= int64(at) {
		e := heap.Pop(&l.queue).(entry)
		l.now = e.at
		e.event.Fire()
	}
	l.now = int64(at)
}

type queue []entry

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].number < q[j].number
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(entry)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

// world is an Injector that writes down what it is told. It has three stores
// of which one leads every region, a placement driver and a client.
type world struct {
	*loop
	log    *strings.Builder
	leader string
	down   map[string]bool
	// open counts what was begun and not undone.
	open int
	// armed are what CrashAtOp and DiskError have armed, by node.
	armed map[string]func()
	// idle: nothing meets what is in force.
	idle bool
	// asked are the operations of an administrator that have not happened.
	asked []func()
}

var _ faults.Injector = (*world)(nil)

func newWorld() *world {
	return &world{
		loop: &loop{}, log: &strings.Builder{}, leader: "store1",
		down: map[string]bool{}, armed: map[string]func(){},
	}
}

func (w *world) note(format string, args ...any) {
	fmt.Fprintf(w.log, "%v     world: %s\n", time.Duration(w.now), fmt.Sprintf(format, args...))
}

// begin notes something that can be undone.
func (w *world) begin(format string, args ...any) faults.Lasting {
	text := fmt.Sprintf(format, args...)
	w.note("%s", text)
	w.open++
	return faults.Lasting{
		Undo: func() { w.open--; w.note("undo %s", text) },
		Hit:  func() bool { return !w.idle },
	}
}

func (w *world) stores() []string { return []string{"store1", "store2", "store3"} }

func (w *world) Nodes() []string { return append(w.stores(), "pd1", "client1") }

func (w *world) Resolve(t faults.Target) []string {
	switch t.Kind {
	case faults.TargetNode:
		if slices.Contains(w.Nodes(), t.Name) {
			return []string{t.Name}
		}
	case faults.TargetAllStores:
		return w.stores()
	case faults.TargetAllClients:
		return []string{"client1"}
	case faults.TargetPlacement, faults.TargetPlacementLeader:
		return []string{"pd1"}
	case faults.TargetLeader, faults.TargetMerging, faults.TargetMergeTarget:
		if w.leader != "" {
			return []string{w.leader}
		}
	case faults.TargetSnapshotReceiver:
		return []string{"store3"}
	case faults.TargetSnapshotSender:
		return []string{"store2"}
	case faults.TargetFollower:
		for _, name := range w.stores() {
			if name != w.leader {
				return []string{name}
			}
		}
	}
	return nil
}

func (w *world) Partition(from, to []string) faults.Lasting {
	return w.begin("cut %v -> %v", from, to)
}

func (w *world) Clog(from, to []string) faults.Lasting { return w.begin("clog %v -> %v", from, to) }

func (w *world) Degrade(d faults.Degradation, from, to []string) faults.Lasting {
	return w.begin("degrade %v -> %v by %+v", from, to, d)
}

func (w *world) Crash(node string, how faults.Kind) faults.Lasting {
	if w.down[node] {
		return faults.Lasting{}
	}
	w.down[node] = true
	undo := w.begin("%v %s", how, node).Undo
	return faults.Lasting{Undo: func() { w.down[node] = false; undo() }}
}

func (w *world) CrashAtOp(node string, how faults.Kind, op int, happened func(func())) (func(), bool) {
	if w.down[node] {
		return nil, false
	}
	w.note("arm %v of %s at op %d", how, node, op)
	w.armed[node] = func() {
		delete(w.armed, node)
		happened(w.Crash(node, how).Undo)
	}
	return w.disarm(node), true
}

func (w *world) DiskError(node string, access faults.Access, nth int, happened func()) (func(), bool) {
	w.note("arm %v error %d of %s", access, nth, node)
	w.armed[node] = func() { delete(w.armed, node); happened() }
	return w.disarm(node), true
}

func (w *world) disarm(node string) func() {
	return func() { delete(w.armed, node); w.note("disarm %s", node) }
}

func (w *world) Pause(node string) faults.Lasting     { return w.begin("pause %s", node) }
func (w *world) DiskStall(node string) faults.Lasting { return w.begin("stall %s", node) }
func (w *world) DiskFull(node string) faults.Lasting  { return w.begin("fill %s", node) }

func (w *world) DiskSlow(node string, factor int) faults.Lasting {
	return w.begin("slow %s x%d", node, factor)
}

func (w *world) ClockDrift(node string, ppm int) faults.Lasting {
	return w.begin("drift %s %dppm", node, ppm)
}

func (w *world) ClockJump(node string, by time.Duration) bool {
	w.note("jump %s %v", node, by)
	return true
}

func (w *world) Split(key string, happened func()) bool { return w.ask("split "+key, happened) }

func (w *world) TransferLeader(key string, happened func()) bool {
	return w.ask("transfer leader "+key, happened)
}

func (w *world) AddPeer(key, store string, happened func()) bool {
	return w.ask("add a peer of "+key+" on "+store, happened)
}

func (w *world) RemovePeer(key, store string, happened func()) bool {
	return w.ask("remove the peer of "+key+" on "+store, happened)
}

func (w *world) MovePeer(key, from, to string, happened func()) bool {
	return w.ask("move the peer of "+key+" from "+from+" to "+to, happened)
}

func (w *world) MergeRegions(key string, happened func()) bool {
	return w.ask("merge "+key, happened)
}

func (w *world) Wipe(node string, regardless bool) faults.Lasting {
	if w.down[node] {
		return faults.Lasting{}
	}
	if regardless {
		return w.begin("wipe %s whatever is lost", node)
	}
	return w.begin("wipe %s", node)
}

func (w *world) Join(node string) bool {
	w.note("join %s", node)
	return true
}

func (w *world) Destroy(node string) bool {
	w.note("destroy %s", node)
	return !w.down[node]
}

func (w *world) Relieve(node string, relieved func()) (stop func(), asked bool) {
	if !w.ask("relieve "+node, relieved) {
		return nil, false
	}
	return func() { w.note("relieve %s no more", node) }, true
}

func (w *world) Drain(node string, happened func()) bool { return w.ask("drain "+node, happened) }

func (w *world) ask(what string, happened func()) bool {
	if w.leader == "" {
		return false
	}
	w.note("asked to %s", what)
	w.asked = append(w.asked, happened)
	return true
}

func (w *world) HealAll() { w.note("heal all") }
