package disk

import "slices"

// ErrorID names one armed error, so that several do not disarm or count each
// other. Zero is none.
type ErrorID uint64

// singleErrors are the errors that were armed one by one.
type singleErrors struct {
	last   ErrorID
	writes []writeError
	// struck has every error that is not disarmed, and whether it has happened.
	struck map[ErrorID]bool
}

// writeError waits for a write or sync.
type writeError struct {
	id    ErrorID
	class Class // of the files that count; AnyClass: all of them
	left  int   // writes and syncs up to the one that fails
}

// readError waits for a read of the table that it is kept with.
type readError struct {
	id  ErrorID
	nth int // among the reads of the table
}

func (s *singleErrors) arm() ErrorID {
	s.last++
	if s.struck == nil {
		s.struck = map[ErrorID]bool{}
	}
	s.struck[s.last] = false
	return s.last
}

// strikeWrite counts an operation and reports whether it shall fail.
func (s *singleErrors) strikeWrite(kind Kind, class Class) bool {
	if kind != OpWrite && kind != OpSync && kind != OpSyncDir {
		return false
	}
	strikes := false
	s.writes = slices.DeleteFunc(s.writes, func(e writeError) bool { return e.left == 0 })
	for i := range s.writes {
		e := &s.writes[i]
		if e.class != AnyClass && e.class != class {
			continue
		}
		if e.left--; e.left == 0 {
			s.struck[e.id] = true
			strikes = true
		}
	}
	return strikes
}

// AnyClass stands for all classes of files.
const AnyClass = numClasses

// FailWriteAt makes the n-th write or sync of files of a class from now fail (n
// counts from 1): that of a table or a snapshot returns an error to the process,
// any other is the death of the process. It stays armed when the process ends before.
func (d *Disk) FailWriteAt(class Class, n int) ErrorID {
	d.mu.Lock()
	defer d.mu.Unlock()
	check(n > 0 && class <= AnyClass, "disk: write error at operation %d of class %d", n, class)
	id := d.faults.single.arm()
	d.faults.single.writes = append(d.faults.single.writes, writeError{id, class, n})
	return id
}

// readCandidates is among how many tables FailReadAt chooses.
const readCandidates = 4

// FailReadAt makes the n-th read of a table from now fail (n counts from 1). The
// disk chooses the table among the newest, as the order of reads is fixed only
// within a file. It returns zero if there is no table. Restarting the process
// disarms it.
func (d *Disk) FailReadAt(n int) ErrorID {
	d.mu.Lock()
	defer d.mu.Unlock()
	check(n > 0, "disk: read error at operation %d", n)
	tables := newest(d.mount.tables(d.mount.root, nil), readCandidates)
	if len(tables) == 0 {
		return 0
	}
	t := tables[d.readDraws().IntN(len(tables))]
	id := d.faults.single.arm()
	t.failReads = append(t.failReads, readError{id, t.reads + n})
	return id
}

// Struck reports whether an armed error has happened.
func (d *Disk) Struck(id ErrorID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.faults.single.struck[id]
}

// Disarm forgets an armed error, whether it has happened or not.
func (d *Disk) Disarm(id ErrorID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.faults.single
	delete(s.struck, id)
	s.writes = slices.DeleteFunc(s.writes, func(e writeError) bool { return e.id == id })
}

// strikesRead counts a read of a table and reports whether it shall fail.
func (d *Disk) strikesRead(n *node) bool {
	n.reads++
	strikes := false
	n.failReads = slices.DeleteFunc(n.failReads, func(e readError) bool {
		if e.nth != n.reads {
			return false
		}
		if _, armed := d.faults.single.struck[e.id]; armed {
			d.faults.single.struck[e.id] = true
			strikes = true
		}
		return true
	})
	if strikes {
		d.stats.ReadErrors++
	}
	return strikes
}

// Heal ends every fault but a full disk: a freeze, slowness, armed errors and
// crashes. What the device has accepted while it was slow keeps its cost: a later
// sync must not overtake it.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.device.thaw(d.loop.Now())
	d.device.slow = normalSpeed
	f := &d.faults
	f.crashIn = 0
	f.single.writes, f.single.struck = nil, nil
	for _, t := range d.mount.tables(d.mount.root, nil) {
		t.failReads = nil
	}
}
