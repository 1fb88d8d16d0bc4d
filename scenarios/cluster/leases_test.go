package cluster

import (
	"errors"
	"testing"
	"time"

	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/sim/plan"
)

// Goal: a lease that overlaps a later term, or the end of its region, is found,
// whichever begins last. Method: a sound cluster serves reads under leases; then one
// of its stores tells of a term, or of a merge, that cannot be, while another holds
// its lease.
func TestOverlappingLeasesAreFound(t *testing.T) {
	p := plan.Default()
	p.Cluster.API, p.Workload.Name = plan.Raw, "register"
	c, err := New(&p, Options{Client: func(n int, e *env.Env, db *client.Client) {
		if n == 0 {
			e.Sched.Go("reader", func(t env.Task) {
				for {
					_, _, _ = db.RawGet(t, []byte("k"))
					t.Sleep(10 * time.Millisecond)
				}
			})
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.World.StartAll()
	if err := c.World.RunFor(2 * time.Second); err != nil {
		t.Fatal(err)
	}
	if c.Reads().Lease < 100 {
		t.Fatalf("%+v: hardly a read under a lease", c.Reads())
	}
	leader, status := c.leader("k")
	region := status.Region.Id
	if _, leased := leader.server.Leased(region); !leased {
		t.Fatal("the leader holds no lease")
	}
	other := witness{&c.leases, c.stores[leader.id%3]}
	violated := func(fn func()) (violated bool) {
		defer func() {
			err, _ := recover().(error)
			violated = errors.As(err, &invariant.Violation{})
		}()
		fn()
		return false
	}
	if violated(func() { other.TermOpened(region, status.Term) }) || violated(func() { other.LeaseRenewed(region, status.Term) }) {
		t.Error("the leader's own term is taken for a later one")
	}
	if !violated(func() { other.TermOpened(region, status.Term+1) }) {
		t.Error("a term begins while the lease of an earlier one lasts, and nobody minds")
	}
	if !violated(func() { witness{&c.leases, leader}.LeaseRenewed(region, status.Term) }) {
		t.Error("a lease is renewed when a later term has begun, and nobody minds")
	}
	if !leader.server.UsesLease(region) || violated(func() { c.leases.merged(region, leader.node.Name()) }) {
		t.Error("the peer that ends with the merge is taken for one that goes on")
	}
	if !violated(func() { witness{&c.leases, leader}.LeaseRenewed(region, status.Term+1) }) {
		t.Error("the lease of a region that was merged away is renewed, and nobody minds")
	}
	if !violated(func() { c.leases.merged(region, other.store.node.Name()) }) {
		t.Error("a region is merged away while a lease of it lasts, and nobody minds")
	}
}
