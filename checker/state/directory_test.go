package state

import (
	"slices"
	"strings"
	"testing"

	"simrun/checker/verdict"
)

// TestDirectory: what agrees is OK, and every damage to the listing is found.
func TestDirectory(t *testing.T) {
	stores := []string{"store1", "store2"}
	replicas := []Replica{
		{Store: "store1", Region: 10, Peer: 11, Leader: true, End: []byte("m"), ConfVer: 1, Version: 2},
		{Store: "store2", Region: 10, Peer: 12, End: []byte("m"), ConfVer: 1, Version: 2},
		{Store: "store1", Region: 20, Peer: 21, Start: []byte("m"), ConfVer: 3, Version: 2},
		{Store: "store2", Region: 20, Peer: 22, Leader: true, Start: []byte("m"), ConfVer: 3, Version: 2},
	}
	for _, c := range []struct {
		name   string
		want   string // in a finding; empty: there is none
		damage func(l *Listing)
	}{
		{"nothing", "", func(*Listing) {}},
		{"peers in another order", "", func(l *Listing) { slices.Reverse(l.Regions[0].Peers) }},
		{"a store is missing", "store2 is not listed", func(l *Listing) { l.Stores = l.Stores[:1] }},
		{"a store is down", "store1 is up, and not", func(l *Listing) { l.Stores[0].Up = false }},
		{"a store too many", "store3 is listed, and does not", func(l *Listing) { l.Stores = append(l.Stores, ListedStore{"store3", true}) }},
		{"a store twice", "listed twice", func(l *Listing) { l.Stores = append(l.Stores, l.Stores[0]) }},
		{"a gap", "no region has the keys in", func(l *Listing) { l.Regions[0].End = []byte("k") }},
		{"an overlap", "overlap at", func(l *Listing) { l.Regions[0].End = []byte("n") }},
		{"no end", "no region has the keys from", func(l *Listing) { l.Regions[1].End = []byte("z") }},
		{"a region is missing", "no region has the keys in", func(l *Listing) { l.Regions = l.Regions[1:] }},
		{"nothing is listed", "not listed", func(l *Listing) { *l = Listing{} }},
		{"a region that was split", "listed, and no store has it", func(l *Listing) { l.Regions[0].Region = 9 }},
		{"another border", "the range is", func(l *Listing) { l.Regions[0].End, l.Regions[1].Start = []byte("n"), []byte("n") }},
		{"an old version", "conf 1 version 1 is listed", func(l *Listing) { l.Regions[0].Version-- }},
		{"an old configuration", "conf 2 version 2 is listed", func(l *Listing) { l.Regions[1].ConfVer-- }},
		{"another peer", "the peers are [11 12], and [11 13] are", func(l *Listing) { l.Regions[0].Peers[1] = 13 }},
		{"no leader", "none is listed", func(l *Listing) { l.Regions[0].Leader = 0 }},
		{"a former leader", "the leader is peer 22, and peer 21", func(l *Listing) { l.Regions[1].Leader = 21 }},
	} {
		l := Listing{
			Regions: []ListedRegion{
				{Region: 10, End: []byte("m"), ConfVer: 1, Version: 2, Peers: []uint64{11, 12}, Leader: 11},
				{Region: 20, Start: []byte("m"), ConfVer: 3, Version: 2, Peers: []uint64{22, 21}, Leader: 22},
			},
			Stores: []ListedStore{{"store1", true}, {"store2", true}},
		}
		c.damage(&l)
		got := Directory(l, stores, replicas)
		switch {
		case c.want == "" && (got.Verdict != verdict.OK || got.Checked != 4):
			t.Errorf("%s: %+v", c.name, got)
		case c.want != "" && (got.Verdict != verdict.Violation || got.Findings[0].Anomaly != verdict.StaleDirectory ||
			!slices.ContainsFunc(got.Findings, func(f verdict.Finding) bool { return strings.Contains(f.Message, c.want) })):
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := Directory(Listing{}, nil, nil); got.Verdict == verdict.OK {
		t.Errorf("nothing at all: %+v", got)
	}
}
