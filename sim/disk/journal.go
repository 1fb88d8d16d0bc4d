package disk

// extent is a write that is not durable yet. Its bytes are in the node's data;
// what they have overwritten is in journal.undo, so that an append, which is
// nearly everything that Pebble does, is recorded without a copy.
type extent struct {
	seq  uint64 // its operation; zero while a log's bytes wait for a sync
	off  int64
	n    int64
	size int64 // length of the file before
	undo int   // where the overwritten bytes start in journal.undo
}

// overwritten is the number of bytes that existed before.
func (e *extent) overwritten() int64 { return max(0, min(e.size-e.off, e.n)) }

// journal is what lies between a file on the medium and as the process sees it:
// undoing the extents from the last to the first yields the durable bytes. An
// extent leaves it when a sync that covers it has completed.
type journal struct {
	extents []extent
	head    int    // the extents before are durable
	undo    []byte // overwritten bytes of the extents, in their order
}

func (j *journal) pending() []extent { return j.extents[j.head:] }

// open returns the extent that still collects a log's bytes, or nil.
func (j *journal) open() *extent {
	if n := len(j.extents); n > j.head && j.extents[n-1].seq == 0 {
		return &j.extents[n-1]
	}
	return nil
}

// add appends an extent; node.put is to follow, which saves what it overwrites.
func (j *journal) add(seq uint64, off, n, size int64) {
	j.extents = append(j.extents, extent{seq: seq, off: off, n: n, size: size, undo: len(j.undo)})
}

// settle drops the extents up to operation seq: they are durable.
func (j *journal) settle(seq uint64) {
	for j.head < len(j.extents) && j.extents[j.head].seq != 0 && j.extents[j.head].seq <= seq {
		j.head++
	}
	switch {
	case j.head == len(j.extents):
		j.extents, j.undo, j.head = j.extents[:0], j.undo[:0], 0
	case j.head >= 64 && 2*j.head >= len(j.extents):
		j.compact()
	}
}

// compact moves what is pending to the front, so that a journal that never runs
// empty stays as large as what is pending.
func (j *journal) compact() {
	base := j.extents[j.head].undo
	j.undo = j.undo[:copy(j.undo, j.undo[base:])]
	j.extents = j.extents[:copy(j.extents, j.extents[j.head:])]
	for i := range j.extents {
		j.extents[i].undo -= base
	}
	j.head = 0
}

// entryOp is a change of directory entries that is not durable yet.
type entryOp struct {
	seq   uint64
	dir   *node // directory that loses or gains name
	name  string
	child *node // nil: name is removed
	// Of a rename: the entry that is removed in the same atomic step.
	fromDir  *node
	fromName string
}

func (o *entryOp) touches(dir *node) bool { return o.dir == dir || o.fromDir == dir }

// apply makes the change in the entries that the directories have in view.
func (o *entryOp) apply(view func(dir *node) map[string]*node) {
	if o.fromDir != nil {
		delete(view(o.fromDir), o.fromName)
	}
	if o.child == nil {
		delete(view(o.dir), o.name)
		return
	}
	view(o.dir)[o.name] = o.child
}

// syncOp is a sync that was issued and may not have completed yet.
type syncOp struct {
	seq      uint64
	complete int64 // on the device's clock
	node     *node
}

// syncQueue holds the syncs in order of issue, which is the order of completion.
type syncQueue struct {
	ops  []syncOp
	head int
}

func (q *syncQueue) incomplete() []syncOp { return q.ops[q.head:] }

func (q *syncQueue) push(op syncOp) {
	if q.head >= 64 && 2*q.head >= len(q.ops) {
		n := copy(q.ops, q.ops[q.head:])
		clear(q.ops[n:])
		q.ops, q.head = q.ops[:n], 0
	}
	q.ops = append(q.ops, op)
}

// settle makes durable what syncs have covered that completed at or before now
// on the device's clock.
func (m *mount) settle(now int64) {
	q := &m.syncs
	for q.head < len(q.ops) && q.ops[q.head].complete <= now {
		op := &q.ops[q.head]
		if op.node.dir {
			m.settleEntries(op.node, op.seq)
		} else {
			op.node.journal.settle(op.seq)
		}
		op.node = nil
		q.head++
	}
	if q.head == len(q.ops) {
		q.ops, q.head = q.ops[:0], 0
	}
}

// settleEntries makes durable the entry operations of dir up to operation seq.
// A rename between directories takes along everything before it in the other
// one, because each directory's operations become durable in order.
func (m *mount) settleEntries(dir *node, seq uint64) {
	covered := []*node{dir}
	durable := make([]bool, len(m.pending))
	found := false
	for i := len(m.pending) - 1; i >= 0; i-- {
		op := &m.pending[i]
		if op.seq > seq || !touchesAny(op, covered) {
			continue
		}
		durable[i], found = true, true
		if op.fromDir != nil {
			covered = append(covered, op.dir, op.fromDir)
		}
	}
	if !found {
		return
	}
	kept := m.pending[:0]
	for i, op := range m.pending {
		if durable[i] {
			op.apply(func(dir *node) map[string]*node { return dir.durable })
		} else {
			kept = append(kept, op)
		}
	}
	clear(m.pending[len(kept):])
	m.pending = kept
}

func touchesAny(op *entryOp, dirs []*node) bool {
	for _, dir := range dirs {
		if op.touches(dir) {
			return true
		}
	}
	return false
}
