package disk

import (
	"maps"
	"math"
	"slices"

	"simrun/sim/stream"
)

// cut says which operations of a database were issued by a process that waits
// for its syncs (see the package's documentation).
type cut struct {
	first  uint64 // first incomplete sync
	commit uint64 // first incomplete sync of a log or directory
}

// cuts returns the cut of every database. A sync of the root directory counts
// for all of them.
func (m *mount) cuts() []cut {
	cuts := make([]cut, len(m.groups))
	for i := range cuts {
		cuts[i] = cut{math.MaxUint64, math.MaxUint64}
	}
	for _, op := range m.syncs.incomplete() {
		m.disk.stats.Incomplete++
		commits := op.node.dir || op.node.class == ClassLog
		for i := range cuts {
			if op.node != m.root && op.node.group != i {
				continue
			}
			cuts[i].first = min(cuts[i].first, op.seq)
			if commits {
				cuts[i].commit = min(cuts[i].commit, op.seq)
			}
		}
	}
	return cuts
}

// powerLoss is the making of the image that a power loss leaves.
type powerLoss struct {
	old, next *mount
	cuts      []cut
	entries   map[*node]map[string]*node // of directories, where not as durable
	copies    map[*node]*node
}

func (m *mount) afterPowerLoss() *mount {
	p := &powerLoss{
		old: m,
		next: &mount{
			disk: m.disk, nextID: m.nextID, groups: slices.Clone(m.groups), locks: map[string]bool{},
		},
		cuts:    m.cuts(),
		entries: map[*node]map[string]*node{},
		copies:  map[*node]*node{},
	}
	p.loseEntries()
	p.next.root = p.node(m.root)
	return p.next
}

func (p *powerLoss) draws(name string, n *node) *stream.Stream {
	d := p.old.disk
	return stream.New(d.keys.crash, name, d.death.sequence, n.id)
}

// view returns the entries of dir on the medium, as far as they are decided.
func (p *powerLoss) view(dir *node) map[string]*node {
	if p.entries[dir] == nil {
		p.entries[dir] = maps.Clone(dir.durable)
	}
	return p.entries[dir]
}

// loseEntries decides which pending entry operations survive: of each directory
// a prefix of those that were issued. A rename between directories survives only
// if it is in the prefixes of both; if not, it ends both.
func (p *powerLoss) loseEntries() {
	stats := &p.old.disk.stats
	issued := 0 // the operations are in order, but cuts differ by database
	counts := map[*node]int{}
	for i := range p.old.pending {
		if op := &p.old.pending[i]; p.entryIssued(op) {
			issued++
			counts[op.dir]++
			if op.fromDir != nil && op.fromDir != op.dir {
				counts[op.fromDir]++
			}
		}
	}
	stats.Unissued += uint64(len(p.old.pending) - issued)
	left := map[*node]int{} // operations that survive of a directory's prefix
	remaining := func(dir *node) int {
		n, known := left[dir]
		if !known {
			n = p.draws("entries", dir).IntN(counts[dir] + 1)
			left[dir] = n
		}
		return n
	}
	for i := range p.old.pending {
		op := &p.old.pending[i]
		dirs := []*node{op.dir}
		if op.fromDir != nil && op.fromDir != op.dir {
			dirs = append(dirs, op.fromDir)
		}
		issued := p.entryIssued(op)
		survives := issued && !slices.ContainsFunc(dirs, func(dir *node) bool { return remaining(dir) == 0 })
		for _, dir := range dirs {
			if survives {
				left[dir]--
			} else {
				left[dir] = 0
			}
		}
		if survives {
			op.apply(p.view)
		} else if issued {
			stats.LostEntries++
		}
	}
}

func (p *powerLoss) entryIssued(op *entryOp) bool {
	if op.seq >= p.cuts[op.dir.group].first {
		return false
	}
	return op.fromDir == nil || op.seq < p.cuts[op.fromDir.group].first
}

// node returns what is left of a file or directory and, in it, of others.
func (p *powerLoss) node(old *node) *node {
	if n := p.copies[old]; n != nil {
		n.links++
		return n
	}
	n := &node{id: old.id, group: old.group, dir: old.dir, class: old.class, links: 1, named: old.named}
	p.copies[old] = n
	if old.dir {
		left := p.view(old)
		n.entries = make(map[string]*node, len(left))
		for _, name := range slices.Sorted(maps.Keys(left)) {
			n.entries[name] = p.node(left[name])
		}
		n.durable = maps.Clone(n.entries)
		return n
	}
	n.data, n.shared = p.loseData(old)
	p.next.charge(n, int64(len(n.data)))
	return n
}

// dataIssued reports whether a process that waits for its syncs would have made
// that write of the file.
func (p *powerLoss) dataIssued(n *node, e *extent) bool {
	if e.seq == 0 {
		return false
	}
	c := p.cuts[n.group]
	if e.seq < c.first {
		return true
	}
	return n.class == ClassLog && n.named < c.first && e.seq < c.commit
}

// loseData returns what is left of a file's bytes, and whether they are shared.
func (p *powerLoss) loseData(old *node) (data []byte, shared bool) {
	pending := old.journal.pending()
	if len(pending) == 0 {
		return old.share(int64(len(old.data))), true
	}
	data = slices.Clone(old.data)
	writes := make([]write, len(pending))
	for i := len(pending) - 1; i >= 0; i-- {
		e := &pending[i]
		writes[i] = write{off: e.off, data: slices.Clone(data[e.off : e.off+e.n])}
		data = data[:e.size]
		if over := e.overwritten(); over > 0 {
			copy(data[e.off:], old.journal.undo[e.undo:e.undo+int(over)])
		}
	}
	// The writes that were issued are a prefix of them.
	issued := 0
	for issued < len(pending) && p.dataIssued(old, &pending[issued]) {
		issued++
	}
	stats := &p.old.disk.stats
	for i := issued; i < len(pending); i++ {
		if pending[i].seq != 0 {
			stats.Unissued++
		}
	}
	if issued == 0 {
		return data, false
	}
	r := remains{data: data, stats: stats, class: old.class, draws: p.draws("data", old)}
	r.decide(writes[:issued])
	return r.data, false
}
