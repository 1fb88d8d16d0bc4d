package isolation

// candidates are the versions that a read may have returned.
type candidates struct {
	newest   *version   // the newest one that is surely committed
	open     []*version // newer ones that may be committed, the newest first
	floating []*version // ones that may be committed, at some time before the read
}

// collect looks for them among the first n versions of the key, those committed
// up to the read's timestamp, and its floating ones. What the reader wrote itself
// is not in its snapshot.
func (c *candidates) collect(ix *index, r *read, n int) {
	c.open, c.floating = c.open[:0], c.floating[:0]
	k, ts := &ix.keys[r.key], r.start(ix)
	for i := n - 1; i >= 0; i-- {
		v := &k.versions[i]
		if v.txn == r.txn {
			continue
		}
		f := ix.fateOf(v)
		if f == committed {
			c.newest = v
			break
		}
		if f == open {
			c.open = append(c.open, v)
		}
	}
	newest := ix.commitOf(c.newest)
	for i := range k.floating {
		v := &k.floating[i]
		t := &ix.txns[v.txn]
		if t.fate != aborted && v.txn != r.txn && t.lo <= ts && t.hi > newest {
			c.floating = append(c.floating, v)
		}
	}
}

func (v *version) is(r *read) bool { return r.found != v.absent && r.value == v.value }
