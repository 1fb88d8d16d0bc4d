package state

import (
	"bytes"
	"fmt"
	"slices"

	"simrun/checker/verdict"
)

// Listing is what the placement driver tells those who ask where data is.
type Listing struct {
	Regions []ListedRegion
	Stores  []ListedStore
}

// ListedRegion is a region as its leader has reported it.
type ListedRegion struct {
	Region           uint64
	Start, End       []byte
	ConfVer, Version uint64
	Peers            []uint64
	Leader           uint64 // the peer that leads; 0 if it is not known
}

// ListedStore is a store that has registered.
type ListedStore struct {
	Store string
	Up    bool // it is taken for up, and has been heard of
}

// Directory checks that the placement driver tells what is so: that it lists the
// given stores and no other ones, and the regions that they hold, of the newest
// epoch and with their leaders. It holds when all stores are up and nothing
// is under way, some heartbeats later.
func Directory(l Listing, stores []string, replicas []Replica) verdict.Result {
	d := directory{r: verdict.Result{Checker: DirectoryName, Checked: len(l.Regions) + len(l.Stores)}}
	d.stores(l.Stores, stores)
	listed := make([]*Replica, 0, len(l.Regions))
	for i := range l.Regions {
		e := &l.Regions[i]
		listed = append(listed, &Replica{Region: e.Region, Start: e.Start, End: e.End, ConfVer: e.ConfVer, Version: e.Version})
	}
	covered(&d.r, verdict.StaleDirectory, inOrder(listed))
	d.regions(l.Regions, regionsOf(replicas), replicas)
	if len(replicas) == 0 && d.r.Verdict == verdict.OK {
		d.r.Undecided("there is no region")
	}
	return d.r
}

type directory struct{ r verdict.Result }

func (d *directory) add(format string, args ...any) {
	d.r.Add(verdict.Finding{Anomaly: verdict.StaleDirectory, Message: fmt.Sprintf(format, args...)})
}

func (d *directory) stores(listed []ListedStore, stores []string) {
	for _, name := range stores {
		is := func(s ListedStore) bool { return s.Store == name }
		switch i := slices.IndexFunc(listed, is); {
		case i < 0:
			d.add("%s is not listed", name)
		case !listed[i].Up:
			d.add("%s is up, and not listed as such", name)
		case slices.ContainsFunc(listed[i+1:], is):
			d.add("%s is listed twice", name)
		}
	}
	for _, s := range listed {
		if !slices.Contains(stores, s.Store) {
			d.add("%s is listed, and does not exist", s.Store)
		}
	}
}

// regions compares what is listed with the newest replicas.
func (d *directory) regions(listed []ListedRegion, newest []*Replica, replicas []Replica) {
	for _, e := range listed {
		if !slices.ContainsFunc(newest, func(p *Replica) bool { return p.Region == e.Region }) {
			d.add("region %d is listed, and no store has it", e.Region)
		}
	}
	for _, p := range newest {
		i := slices.IndexFunc(listed, func(e ListedRegion) bool { return e.Region == p.Region })
		if i < 0 {
			d.add("region %d is not listed", p.Region)
			continue
		}
		if difference := listed[i].differ(p, replicas); difference != "" {
			d.add("region %d: %s", p.Region, difference)
		}
	}
}

// differ says in what a listed region differs from its newest replica, empty if
// in nothing.
func (e *ListedRegion) differ(p *Replica, replicas []Replica) string {
	var peers []uint64
	leader := uint64(0)
	for i := range replicas {
		if o := &replicas[i]; o.Region == e.Region {
			peers = append(peers, o.Peer)
			if o.Leader {
				leader = o.Peer
			}
		}
	}
	listed := slices.Sorted(slices.Values(e.Peers))
	slices.Sort(peers)
	switch {
	case e.ConfVer != p.ConfVer || e.Version != p.Version:
		return fmt.Sprintf("the epoch is conf %d version %d, and conf %d version %d is listed", p.ConfVer, p.Version, e.ConfVer, e.Version)
	case !bytes.Equal(e.Start, p.Start) || !bytes.Equal(e.End, p.End):
		return fmt.Sprintf("the range is [%x, %x), and [%x, %x) is listed", p.Start, p.End, e.Start, e.End)
	case !slices.Equal(listed, peers):
		return fmt.Sprintf("the peers are %v, and %v are listed", peers, listed)
	case e.Leader == 0:
		return fmt.Sprintf("the leader is peer %d, and none is listed", leader)
	case e.Leader != leader:
		return fmt.Sprintf("the leader is peer %d, and peer %d is listed", leader, e.Leader)
	}
	return ""
}
