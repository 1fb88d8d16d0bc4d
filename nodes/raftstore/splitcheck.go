package raftstore

import (
	"bytes"
	"slices"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markSplitSize     = invariant.NewMark("raftstore: region found too large and split")
	markSplitMany     = invariant.NewMark("raftstore: region split into more than two by its size")
	markSplitNot      = invariant.NewMark("raftstore: region smaller than it was taken for")
	markSplitHalf     = invariant.NewMark("raftstore: region split in halves")
	markMeasureMoved  = invariant.NewMark("raftstore: region changed while it was measured")
	markSplitFailed   = invariant.NewMark("raftstore: split by size did not come about")
	markSplitBytes    = invariant.NewMark("raftstore: region divided where a part has enough bytes")
	markSplitVersions = invariant.NewMark("raftstore: split point put off to the next key, for one key has many versions")
)

// Limits of one look at a region.
const (
	// batchSplitLimit is the most keys at which a region is split at a time.
	batchSplitLimit = 10
	// scanChunk is the number of entries that are read without a pause, scanPause
	// the pause.
	scanChunk = 256
	scanPause = time.Millisecond
	// autoSplitTimeout limits the proposal of a split.
	autoSplitTimeout = 2 * time.Second
)

// splitter measures regions and splits those that have grown too large, one at a
// time, as TiKV's split check worker does
// (components/raftstore/src/store/worker/split_check.rs). What is applied is
// counted, by the leader as by everybody; a count that passes the limit has the
// region measured by a scan, since entries that were overwritten or deleted are
// counted, too. Where sizes have to be exact, whatever has changed is measured.
type splitter struct {
	s       *Store
	ordered []*peer // by the placement driver
	running bool
}

// order has a region split, whatever its size.
func (sp *splitter) order(p *peer) {
	if !slices.Contains(sp.ordered, p) {
		sp.ordered = append(sp.ordered, p)
	}
	sp.start()
}

// look arms the next look at all regions, and has one now.
func (sp *splitter) look() {
	if sp.s.dead {
		return
	}
	sp.start()
	sp.s.env.Sched.After(sp.s.cfg.SplitCheckInterval, sp.look)
}

// start starts a task for what there is to do, unless there is one. What fails is
// left to the next look: a region that cannot be split now, as one that merges,
// could not be in an instant either.
func (sp *splitter) start() {
	if sp.running {
		return
	}
	suspects := sp.suspects()
	if len(sp.ordered) == 0 && len(suspects) == 0 {
		return
	}
	sp.running = true
	sp.s.env.Sched.Go("split check", func(t env.Task) {
		for !sp.s.dead && len(sp.ordered)+len(suspects) > 0 {
			var p *peer
			half := len(sp.ordered) > 0
			if half {
				p, sp.ordered = sp.ordered[0], sp.ordered[1:]
			} else {
				p, suspects = suspects[0], suspects[1:]
			}
			if half || p.toBeMeasured() {
				sp.check(t, p, half)
			}
		}
		sp.running = false
	})
}

// suspects returns the regions that are to be measured.
func (sp *splitter) suspects() []*peer {
	if !sp.s.cfg.measures() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(sp.s.peers), func(p *peer) bool { return !p.toBeMeasured() })
}

// toBeMeasured reports whether this store leads the region, and enough was written
// to it since the last look.
func (p *peer) toBeMeasured() bool {
	c := &p.s.cfg
	return p.isLeader() && !p.destroyed && initialised(p.region) && (!p.measured || c.ExactSizes && p.touched ||
		c.RegionMaxSize > 0 && p.size > c.RegionMaxSize && p.grown > c.RegionMaxSize/16 ||
		c.RegionMaxKeys > 0 && p.keys > c.RegionMaxKeys && p.grownKeys > c.RegionMaxKeys/16)
}

// check measures a region and splits it if it is too large, or in any case.
func (sp *splitter) check(t env.Task, p *peer, half bool) {
	m := measure{p: p, version: p.region.GetRegionEpoch().GetVersion(), sizeMax: sp.s.cfg.RegionMaxSize, keysMax: sp.s.cfg.RegionMaxKeys}
	p.touched, p.grown, p.grownKeys = false, 0, 0
	if !m.run(t) {
		markMeasureMoved.Sometimes(!sp.s.dead)
		p.measured = false
		return
	}
	p.setSize(&m)
	if half && len(m.splits) == 0 {
		m = measure{p: p, version: m.version, keysMax: m.keys/2 + 1, halves: true}
		if !m.run(t) {
			return
		}
		markSplitHalf.Sometimes(len(m.splits) > 0)
	}
	if len(m.splits) == 0 {
		markSplitNot.Reached()
		return
	}
	_, refusal, err := sp.s.SplitRegion(t, p.context(), m.splits, autoSplitTimeout)
	if markSplitFailed.Sometimes(refusal != nil || err != nil) {
		p.measured = false // it is as large as before
		return
	}
	markSplitSize.Reached()
	markSplitMany.Sometimes(len(m.splits) > 1)
}

// measure is a scan over a region's data that counts it and finds the keys that
// divide it. It holds no snapshot from one chunk to the next: what it finds is as
// approximate as what is written meanwhile makes it.
type measure struct {
	p       *peer
	version uint64
	// sizeMax and keysMax are what a region may have, 0: any number. One that has
	// more is divided into parts of two thirds of it. With halves there is one
	// division, after keysMax keys.
	sizeMax, keysMax uint64
	halves           bool

	size, keys uint64
	splits     [][]byte

	partSize, partKeys uint64 // since the last division
	last               []byte // the last key, without its version
}

// run scans; it returns false if the region is not what it was, or not led here
// any more.
func (m *measure) run(t env.Task) bool {
	sources := []*source{{cf: engine.Default}, {cf: engine.Write}}
	for _, s := range sources {
		s.at = m.p.region.GetStartKey()
	}
	for {
		more, err := m.chunk(sources)
		if m.p.s.failed(err) {
			return false
		}
		if !more {
			m.trim()
			return true
		}
		t.Sleep(scanPause)
		if m.p.s.dead || m.p.destroyed || !m.p.isLeader() || m.p.region.GetRegionEpoch().GetVersion() != m.version {
			return false
		}
	}
}

// source is a column family that is being scanned.
type source struct {
	cf   engine.CF
	at   []byte // the next key to look at
	over bool
	it   *engine.Iterator
}

// chunk scans on, in the order of the keys of all families.
func (m *measure) chunk(sources []*source) (more bool, err error) {
	for _, s := range sources {
		if s.over {
			continue
		}
		s.it, err = m.p.s.eng.KV.NewIter(s.cf, engine.IterOptions{Lower: s.at, Upper: orNil(m.p.region.GetEndKey())})
		if err != nil {
			return false, err
		}
		defer s.it.Close()
		s.over = !s.it.First()
	}
	for range scanChunk {
		var first *source
		for _, s := range sources {
			if !s.over && (first == nil || bytes.Compare(s.it.Key(), first.it.Key()) < 0) {
				first = s
			}
		}
		if first == nil {
			break
		}
		m.count(first.it.Key(), len(first.it.Value()))
		first.over = !first.it.Next()
	}
	for _, s := range sources {
		if s.it == nil {
			continue
		}
		if err := s.it.Error(); err != nil {
			return false, err
		}
		if !s.over {
			s.at, more = slices.Clone(s.it.Key()), true
		}
		s.it = nil
	}
	return more, nil
}

// count takes in one entry.
func (m *measure) count(key []byte, value int) {
	size := uint64(len(key) + value)
	m.size += size
	m.keys++
	large := m.sizeMax > 0 && m.partSize > 0 && m.partSize+size > m.sizeMax/3*2
	full := large || m.keysMax > 0 && m.partKeys > 0 && m.partKeys+1 > m.partKeysMax()
	division := withoutVersion(key)
	if full && len(m.splits) < m.divisions() && !markSplitVersions.Sometimes(bytes.Equal(division, m.last)) {
		markSplitBytes.Sometimes(large)
		m.splits = append(m.splits, slices.Clone(division))
		m.partSize, m.partKeys = 0, 0
	}
	m.last = append(m.last[:0], division...)
	m.partSize += size
	m.partKeys++
}

func (m *measure) partKeysMax() uint64 {
	if m.halves {
		return m.keysMax
	}
	return max(m.keysMax/3*2, 1)
}

func (m *measure) divisions() int {
	if m.halves {
		return 1
	}
	return batchSplitLimit
}

// trim takes back the last division if the last two parts together are no larger
// than a region may be.
func (m *measure) trim() {
	if len(m.splits) == 0 || m.halves {
		return
	}
	sizeFits := m.sizeMax == 0 || m.partSize+m.sizeMax/3*2 <= m.sizeMax
	keysFit := m.keysMax == 0 || m.partKeys+m.partKeysMax() <= m.keysMax
	if sizeFits && keysFit {
		m.splits = m.splits[:len(m.splits)-1]
	}
}

// withoutVersion returns the key at which a region may be divided: all versions
// of a transactional key stay together. Raw keys have none.
func withoutVersion(key []byte) []byte {
	_, rest, err := codec.DecodeBytes(nil, key)
	if err != nil {
		return key
	}
	return key[:len(key)-len(rest)]
}
