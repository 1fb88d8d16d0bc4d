package disk

import (
	"maps"
	"slices"
)

// afterKill returns the disk after the end of the process alone: everything
// that was written is there, and what is not durable is still not.
func (m *mount) afterKill() *mount {
	c := copier{copies: map[*node]*node{}}
	next := &mount{
		disk: m.disk, nextID: m.nextID, groups: slices.Clone(m.groups), used: m.used,
		locks: map[string]bool{},
	}
	next.root = c.node(m.root)
	for _, op := range m.pending {
		op.dir, op.child, op.fromDir = c.node(op.dir), c.node(op.child), c.node(op.fromDir)
		next.pending = append(next.pending, op)
	}
	for _, op := range m.syncs.incomplete() {
		op.node = c.node(op.node)
		next.syncs.push(op)
	}
	return next
}

// copier copies nodes, each once, so that the copies have the same links.
type copier struct{ copies map[*node]*node }

func (c *copier) node(old *node) *node {
	if old == nil {
		return nil
	}
	if n := c.copies[old]; n != nil {
		return n
	}
	n := &node{
		id: old.id, group: old.group, dir: old.dir, class: old.class, links: old.links,
		charged: old.charged, named: old.named, synced: old.synced,
	}
	c.copies[old] = n
	if old.dir {
		n.entries, n.durable = c.entries(old.entries), c.entries(old.durable)
		return n
	}
	n.data, n.journal = old.written()
	n.shared = true
	return n
}

func (c *copier) entries(old map[string]*node) map[string]*node {
	entries := make(map[string]*node, len(old))
	for _, name := range slices.Sorted(maps.Keys(old)) {
		entries[name] = c.node(old[name])
	}
	return entries
}

// written returns the bytes that the process has written, and their journal:
// everything but what a log has collected for its next sync.
func (n *node) written() ([]byte, journal) {
	j := journal{extents: slices.Clone(n.journal.pending()), undo: slices.Clone(n.journal.undo)}
	e := j.open()
	if e == nil {
		return n.share(int64(len(n.data))), j
	}
	j.extents = j.extents[:len(j.extents)-1]
	data := n.share(e.size)
	if over := e.overwritten(); over > 0 {
		data = slices.Clone(data)
		copy(data[e.off:], j.undo[e.undo:])
	}
	j.undo = j.undo[:e.undo]
	return data, j
}
