package disk

import "slices"

// node is a file or directory (an inode). Which names it has is known by the
// directories alone.
type node struct {
	id    uint64
	group int // the database it belongs to: index into mount.groups
	dir   bool

	// Of a directory: entries as the process sees them, and as they are on the
	// medium. What lies between is in mount.pending.
	entries map[string]*node
	durable map[string]*node

	// Of a file: the bytes as the process sees them. What lies between them
	// and the medium is in journal.
	data    []byte
	journal journal
	class   Class
	links   int    // number of entries that lead here
	charged int64  // bytes counted in mount.used
	named   uint64 // operation that created the file or gave it its name for reuse

	// shared: other images hold the same bytes, so they must not be changed in
	// place. Appending is safe, as an image has no capacity beyond its length.
	shared bool

	// Of a log: the operation up to which bytes were handed over inside
	// Unsynced, and the last operation covered by a real sync.
	handedOver, synced uint64

	// Of a table: reads so far, and the reads that shall fail.
	reads     int
	failReads []readError
}

// put writes p at off, keeping what it overwrites in the journal if the write
// is to be recorded there.
func (n *node) put(p []byte, off int64, record bool) {
	size := int64(len(n.data))
	if over := min(size-off, int64(len(p))); over > 0 {
		if n.shared {
			n.data, n.shared = slices.Clone(n.data), false
		}
		if record {
			n.journal.undo = append(n.journal.undo, n.data[off:off+over]...)
		}
		copy(n.data[off:], p[:over])
		p, off = p[over:], off+over
	}
	if len(p) == 0 {
		return
	}
	n.reserve(off + int64(len(p)))
	n.data = appendZeros(n.data, off-int64(len(n.data)))
	n.data = append(n.data, p...)
}

// reserve makes room for size bytes. It doubles, where append would grow by a
// quarter and allocate five times what a file of some size holds.
func (n *node) reserve(size int64) {
	if size > int64(cap(n.data)) {
		n.data = slices.Grow(n.data, int(max(size, 2*int64(len(n.data)))-int64(len(n.data))))
	}
}

// appendZeros lengthens b by n bytes, if n is positive.
func appendZeros(b []byte, n int64) []byte {
	if n <= 0 {
		return b
	}
	return append(b, make([]byte, n)...)
}

// share returns the first size bytes for use by another node.
func (n *node) share(size int64) []byte {
	n.shared = true
	return n.data[:size:size]
}
