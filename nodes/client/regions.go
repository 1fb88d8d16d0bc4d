package client

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// region is what the client believes of one region. The stores own the truth;
// placement has a copy that lags behind theirs, and this is a copy that may lag
// behind either. An outdated belief costs a round trip and never more: stores
// check the epoch that a request carries.
type region struct {
	meta *metapb.Region
	// at is the index in meta.Peers of the peer that is asked next: the leader,
	// as far as is known.
	at int
	// named is the monotonic time at which a peer named that one as the leader; 0 if
	// none did.
	named time.Duration
	// silent counts the peers in a row that did not serve a request.
	silent int
}

func (r *region) peer() *metapb.Peer { return r.meta.Peers[r.at] }

func (r *region) contains(key []byte) bool {
	return bytes.Compare(key, r.meta.StartKey) >= 0 && r.endsAfter(key)
}

// endsAfter reports whether key lies before the end of the region.
func (r *region) endsAfter(key []byte) bool {
	return len(r.meta.EndKey) == 0 || bytes.Compare(key, r.meta.EndKey) < 0
}

// endsAtOrAfter reports whether the region reaches up to the exclusive bound
// end; an empty end is the end of the key space.
func (r *region) endsAtOrAfter(end []byte) bool {
	if len(r.meta.EndKey) == 0 || len(end) == 0 {
		return len(r.meta.EndKey) == 0
	}
	return bytes.Compare(r.meta.EndKey, end) >= 0
}

// version returns the two parts of the region's epoch.
func version(meta *metapb.Region) (ver, confVer uint64) {
	return meta.GetRegionEpoch().GetVersion(), meta.GetRegionEpoch().GetConfVer()
}

// isOlder reports whether a precedes b, both being metadata of one region.
func isOlder(a, b *metapb.Region) bool {
	av, ac := version(a)
	bv, bc := version(b)
	return av < bv || ac < bc
}

// regionCache holds regions that do not overlap, in the order of their keys.
type regionCache struct {
	sorted []*region
}

// after returns the index of the first region that starts after key.
func (rc *regionCache) after(key []byte) int {
	lo, hi := 0, len(rc.sorted)
	for lo < hi {
		mid := (lo + hi) / 2
		if bytes.Compare(rc.sorted[mid].meta.StartKey, key) > 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// find returns the cached region that holds key, or nil.
func (rc *regionCache) find(key []byte) *region {
	if i := rc.after(key); i > 0 && rc.sorted[i-1].endsAfter(key) {
		return rc.sorted[i-1]
	}
	return nil
}

// findBefore returns the cached region that holds the keys just before the
// exclusive bound end (empty: the end of the key space), or nil.
func (rc *regionCache) findBefore(end []byte) *region {
	i := len(rc.sorted)
	if len(end) > 0 {
		for i = rc.after(end); i > 0 && bytes.Equal(rc.sorted[i-1].meta.StartKey, end); {
			i--
		}
	}
	if i > 0 && rc.sorted[i-1].endsAtOrAfter(end) {
		return rc.sorted[i-1]
	}
	return nil
}

// remove forgets r, if it is still the cached one.
func (rc *regionCache) remove(r *region) {
	if i := rc.after(r.meta.StartKey) - 1; i >= 0 && rc.sorted[i] == r {
		rc.sorted = slices.Delete(rc.sorted, i, i+1)
	}
}

// insert puts r in the place of what it overlaps. It reports false, and changes
// nothing, if some of that is newer.
func (rc *regionCache) insert(r *region) bool {
	lo := rc.after(r.meta.StartKey)
	if lo > 0 && rc.sorted[lo-1].endsAfter(r.meta.StartKey) {
		lo--
	}
	hi := lo
	for hi < len(rc.sorted) && r.endsAfter(rc.sorted[hi].meta.StartKey) {
		old := rc.sorted[hi].meta
		// Regions of different ids overlap only if one was split from or merged
		// into the other, which raises the version beyond both.
		if ver, _ := version(r.meta); ver < old.GetRegionEpoch().GetVersion() || old.Id == r.meta.Id && isOlder(r.meta, old) {
			return false
		}
		hi++
	}
	rc.sorted = slices.Replace(rc.sorted, lo, hi, r)
	return true
}

//nolint:gochecknoglobals // marks register once
var (
	markStaleRegion    = invariant.NewMark("client: placement returned a region older than the cached ones")
	markAllSilent      = invariant.NewMark("client: no peer of a region served, asking placement again")
	markSuspectAvoided = invariant.NewMark("client: leader on a store that was silent passed over")
	markBeforeByWalk   = invariant.NewMark("client: region before a bound found by walking")
)

// locate returns the region that holds key (encoded as region bounds are).
func (c *Client) locate(t env.Task, b *backoff, key []byte) (*region, error) {
	if r := c.regions.find(key); r != nil {
		return r, nil
	}
	for {
		r, err := c.load(t, b, key)
		if err == nil {
			return r, nil
		}
		if err = b.wait(t, causePlacement, 0, err); err != nil {
			return nil, err
		}
		if r := c.regions.find(key); r != nil {
			return r, nil // another task has found it meanwhile
		}
	}
}

// locateBefore returns the region that holds the keys just before the exclusive
// bound end; an empty end is the end of the key space.
func (c *Client) locateBefore(t env.Task, b *backoff, end []byte) (*region, error) {
	if r := c.regions.findBefore(end); r != nil {
		return r, nil
	}
	// Placement finds regions by a key that they hold. No key comes directly
	// before end, so take one that is close, and walk if that was not close enough.
	key := keyBefore(end)
	for walked := false; ; walked = true {
		r, err := c.locate(t, b, key)
		if err != nil {
			return nil, err
		}
		if r.endsAtOrAfter(end) {
			markBeforeByWalk.Sometimes(walked)
			return r, nil
		}
		key = r.meta.EndKey
	}
}

// keyBefore returns a key before end with few possible bounds in between.
func keyBefore(end []byte) []byte {
	const fill = 64
	key := make([]byte, 0, len(end)+fill)
	if n := len(end); n > 0 {
		key = append(key, end[:n-1]...)
		if end[n-1] == 0 {
			return key // the direct predecessor
		}
		key = append(key, end[n-1]-1)
	}
	for range fill {
		key = append(key, 0xff)
	}
	return key
}

// load asks placement for the region that holds key.
func (c *Client) load(t env.Task, b *backoff, key []byte) (*region, error) {
	meta, leader, err := c.placement.GetRegion(t, key, b.left())
	if err != nil {
		return nil, fmt.Errorf("region of %q: %w", key, err)
	}
	if meta == nil || len(meta.Peers) == 0 {
		return nil, fmt.Errorf("region of %q: %w", key, errNoRegion)
	}
	r := &region{meta: meta}
	if !r.contains(key) {
		return nil, fmt.Errorf("region of %q: placement returned region %d of other keys: %w", key, meta.Id, errNoRegion)
	}
	c.choosePeer(r, leader)
	// What the stores said may be newer than what placement knows. Then the
	// answer is good for one attempt, on which the store corrects us.
	markStaleRegion.Sometimes(!c.regions.insert(r))
	return r, nil
}

// choosePeer makes r begin with leader, unless that is unknown.
func (c *Client) choosePeer(r *region, leader *metapb.Peer) {
	r.at = -1
	if leader.GetId() != 0 {
		r.at = r.indexOf(leader)
	}
	if r.at < 0 {
		r.at = len(r.meta.Peers) - 1
		r.next()
	}
}

// avoidSuspect turns from a leader on a store that has just been silent to another
// peer, which may know better: a client that waits in vain once for a store must not
// do so again for each of its regions (as TiKV's client does not turn to a store that
// it has found unreachable). But if a peer has named the leader after that, the store
// gets another chance.
func (c *Client) avoidSuspect(r *region) {
	leader := r.at
	for range r.meta.Peers {
		if !c.isSuspect(r.peer().StoreId, r.named) {
			markSuspectAvoided.Sometimes(r.at != leader)
			return
		}
		r.next()
	}
	r.at = leader // nobody is left
}

// indexOf returns the place of a peer in the region, or -1.
func (r *region) indexOf(p *metapb.Peer) int {
	return slices.IndexFunc(r.meta.Peers, func(q *metapb.Peer) bool { return q.Id == p.Id && q.StoreId == p.StoreId })
}

// next turns to the next peer that can be a leader.
func (r *region) next() {
	r.named = 0
	for range r.meta.Peers {
		r.at = (r.at + 1) % len(r.meta.Peers)
		if p := r.peer(); p.Role != metapb.PeerRole_Learner && !p.IsWitness {
			return
		}
	}
}

// tryNext turns to the peer after from, which did not serve. When none did, the
// region is forgotten, so that placement is asked again.
func (c *Client) tryNext(r *region, from *metapb.Peer) {
	if r.peer() != from {
		return // another task has turned to a better one meanwhile
	}
	r.silent++
	if r.silent >= len(r.meta.Peers) {
		markAllSilent.Reached()
		c.regions.remove(r)
		return
	}
	r.next()
}
