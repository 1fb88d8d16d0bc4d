package raftstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pingcap/kvproto/pkg/metapb"
)

// The peers within a range are those that a look at all of them finds.
func TestWithin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	key := func(n int) []byte { return fmt.Appendf(nil, "%02d", n) }
	found := 0
	for range 2000 {
		s := &Store{}
		for at := random.IntN(4); at < 20; at += random.IntN(3) {
			r := &metapb.Region{Id: uint64(at + 1), StartKey: key(at), EndKey: key(at + 1)}
			at++
			if len(s.ranges) == 0 && random.IntN(2) == 0 {
				r.StartKey = nil
			}
			if at >= 20 && random.IntN(2) == 0 {
				r.EndKey = nil
			}
			s.addRange(&peer{s: s, regionID: r.Id, region: r})
		}
		start, end := key(random.IntN(22)), key(random.IntN(22))
		if random.IntN(6) == 0 {
			start = nil
		}
		if random.IntN(6) == 0 {
			end = nil
		}
		var want []*peer
		for _, p := range s.ranges {
			if overlaps(p.region.StartKey, p.region.EndKey, start, end) {
				want = append(want, p)
			}
		}
		found += len(want)
		if got := s.within(start, end); !slices.Equal(got, want) {
			t.Fatalf("within [%s, %s): %v, want %v, of %v", start, end, got, want, s.ranges)
		}
	}
	if found < 2000 {
		t.Errorf("found %d peers", found)
	}
}

// What peers claim is what a look at all of them finds, whatever becomes of the
// snapshots that they have received.
func TestClaimedByReceivers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	region := func(id uint64, at int) *metapb.Region {
		return &metapb.Region{Id: id, StartKey: fmt.Appendf(nil, "%02d", at), EndKey: fmt.Appendf(nil, "%02d", at+2)}
	}
	claimed := [2]int{}
	for range 100 {
		s := &Store{byRegion: map[uint64]*peer{}}
		for id := range uint64(6) {
			p := &peer{s: s, regionID: id, region: region(id, 0)}
			s.peers, s.byRegion[id] = append(s.peers, p), p
		}
		for range 100 {
			p := s.peers[random.IntN(len(s.peers))]
			switch random.IntN(12) {
			case 0, 1, 2:
				p.receive(&receivedSnapshot{region: region(p.regionID, random.IntN(20))})
			case 3:
				if len(p.received) > 0 && p.restored == nil {
					p.restored, p.received = p.received[0], p.received[1:]
				}
			case 4, 5, 6:
				p.received = nil
			case 7, 8:
				p.restored = nil
			case 9:
				p.destroyed = true
			case 10:
				next := &peer{s: s, regionID: p.regionID, region: p.region}
				s.peers[slices.Index(s.peers, p)], s.byRegion[p.regionID] = next, next
			}
			r := region(random.Uint64N(6), random.IntN(20))
			want := slices.ContainsFunc(s.peers, func(q *peer) bool {
				claims := func(o *receivedSnapshot) bool {
					return q.regionID != r.Id && overlaps(o.region.StartKey, o.region.EndKey, r.StartKey, r.EndKey)
				}
				return slices.ContainsFunc(q.received, claims) || !q.destroyed && q.restored != nil && claims(q.restored)
			})
			if got := s.claimed(r.Id, r.StartKey, r.EndKey); got != want {
				t.Fatalf("region %d, from %s: claimed %t, want %t", r.Id, r.StartKey, got, want)
			}
			claimed[map[bool]int{true: 1}[want]]++
		}
	}
	if claimed[0] < 1000 || claimed[1] < 1000 {
		t.Errorf("claimed or not: %v", claimed)
	}
}
