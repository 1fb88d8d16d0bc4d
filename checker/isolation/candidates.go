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
	k := &ix.keys[r.key]
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
	newest := c.newest.commit
	for i := range k.floating {
		v := &k.floating[i]
		if ix.mayShow(v, r, newest) {
			c.floating = append(c.floating, v)
		}
	}
}

// mayShow says whether a floating version may have been committed between the
// timestamp newest and that of the read.
func (ix *index) mayShow(v *version, r *read, newest uint64) bool {
	t := &ix.txns[v.txn]
	return t.lo <= r.ts && t.hi > newest && v.txn != r.txn && ix.fates[v.txn] != aborted
}

func (v *version) is(r *read) bool { return r.found != v.absent && r.value == v.value }
