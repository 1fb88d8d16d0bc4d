package raftstore

import "github.com/pingcap/kvproto/pkg/metapb"

// loadSnapshots takes over the files that an earlier process has left: those of
// snapshots that can be sent again, or of which the rest can still come. It
// deletes all others.
func (s *Store) loadSnapshots() error {
	names, err := SnapshotFiles(s.snaps.fs)
	if err != nil {
		return err
	}
	for _, name := range names {
		kind, id, ok := parseSnapshotName(name)
		kept := false
		switch {
		case !ok:
		case kind == outgoingFile:
			kept, err = s.loadOutgoing(id)
		case kind == incomingFile:
			kept, err = s.loadIncoming(id)
		}
		if err != nil {
			return err
		}
		if !kept {
			markSnapshotLeftover.Reached()
			s.snaps.remove(name)
		}
	}
	return nil
}

// loadOutgoing takes over a snapshot that an earlier process has made, if the
// region is still what it was.
func (s *Store) loadOutgoing(id snapshotID) (kept bool, err error) {
	p := s.byRegion[id.region]
	if p == nil || p.outgoing != nil {
		return false, nil
	}
	f, err := s.snaps.read(id.name(outgoingFile))
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // it was read only
	var region *metapb.Region
	have, sum, err := eachFrame(f, id.size, func(body []byte) {
		if region == nil {
			region = &metapb.Region{}
			if region.Unmarshal(body) != nil {
				region = &metapb.Region{}
			}
		}
	})
	if err != nil || have != id.size || sum != id.sum {
		return false, err
	}
	o := &outgoing{p: p, id: id, region: region, ready: true, used: s.env.Clock.Monotonic()}
	if !o.serves() {
		return false, nil
	}
	markSnapshotOutgoingFound.Reached()
	p.outgoing = o
	s.outgoing = append(s.outgoing, o)
	return true, nil
}

// loadIncoming takes over the beginning of a snapshot of which the rest can
// still come. The file of a snapshot that a peer has applied is a leftover, and
// that of one which was completed just now is deleted when that is durable.
func (s *Store) loadIncoming(id snapshotID) (kept bool, err error) {
	p := s.byRegion[id.region]
	switch {
	case p != nil && p.completing == id:
		return true, nil
	case p != nil && id.index <= p.applied, s.tombstones[id.region] != nil, s.receiver.find(id.region) != nil:
		return false, nil
	}
	f, err := s.snaps.reopen(id.name(incomingFile))
	if err != nil {
		return false, err
	}
	in := &incoming{id: id, file: f, seen: s.env.Clock.Monotonic()}
	if in.have, in.sum, err = eachFrame(f, id.size, func([]byte) {}); err != nil {
		return false, err
	}
	markSnapshotHalfFound.Sometimes(in.have < id.size)
	markSnapshotWholeFound.Sometimes(in.have == id.size)
	s.receiver.streams = append(s.receiver.streams, in)
	return true, nil
}
