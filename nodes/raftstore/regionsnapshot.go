package raftstore

import (
	"bytes"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/engine"
	"simrun/nodes/invariant"
)

// RegionSnapshot is a consistent view of one region's data. It implements
// engine.Reader; reads outside of the region are bugs of the caller.
type RegionSnapshot struct {
	region *metapb.Region
	term   uint64
	data   *engine.Snapshot
}

var _ engine.Reader = (*RegionSnapshot)(nil)

func (p *peer) snapshot() *RegionSnapshot {
	return &RegionSnapshot{p.region, p.term(), p.s.eng.KV.NewSnapshot()}
}

// Region returns the region as of the snapshot. It must not be changed.
func (r *RegionSnapshot) Region() *metapb.Region { return r.region }

// Term returns the term in which the peer was leader.
func (r *RegionSnapshot) Term() uint64 { return r.term }

// Close frees the view.
func (r *RegionSnapshot) Close() { r.data.Close() }

// Get implements engine.Reader.
func (r *RegionSnapshot) Get(cf engine.CF, key []byte) ([]byte, error) {
	invariant.Check(cf != engine.Raft && contains(r.region, key), "raftstore: read of %s %q outside of region %d [%q, %q)",
		cf, key, r.region.GetId(), r.region.GetStartKey(), r.region.GetEndKey())
	return r.data.Get(cf, key)
}

// NewIter implements engine.Reader. Bounds beyond the region's are those of the
// region.
func (r *RegionSnapshot) NewIter(cf engine.CF, opts engine.IterOptions) (*engine.Iterator, error) {
	invariant.Check(cf != engine.Raft, "raftstore: iteration over local states")
	if bytes.Compare(opts.Lower, r.region.GetStartKey()) < 0 {
		opts.Lower = r.region.GetStartKey()
	}
	end := r.region.GetEndKey()
	if len(end) > 0 && (len(opts.Upper) == 0 || bytes.Compare(opts.Upper, end) > 0) {
		opts.Upper = end
	}
	opts.Upper = orNil(opts.Upper)
	return r.data.NewIter(cf, opts)
}
