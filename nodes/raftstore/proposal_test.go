package raftstore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"simrun/nodes/env"
)

// proposeTest proposes and expects a decision.
func proposeTest(c *cluster, t env.Task, s *testStore, ctx *kvrpcpb.Context, term uint64, reqs ...*raft_cmdpb.Request) *errorpb.Error {
	regionErr, err := s.Propose(t, ctx, term, reqs, 5*time.Second)
	if err != nil {
		c.t.Error(err)
	}
	return regionErr
}

// Proposals of a leader that was cut off have no answer until it is back and
// sees other entries in their places: then they were definitely not applied.
func TestOverwritten(t *testing.T) {
	overwritten, late, tail := reached("proposal overwritten by another leader"),
		reached("proposal still undecided at its deadline"), reached("conflicting log tail erased")
	c := newCluster(t, clusterOptions{seed: 1})
	old := c.waitLeader("")
	heal := c.isolate(old)
	var outcomes []string
	for i := range 5 {
		limit := time.Duration(-1)
		if i == 0 {
			limit = 10 * time.Millisecond
		}
		c.w.Go("doomed", func(t env.Task) {
			regionErr, err := old.Propose(t, old.context("k"), 0, []*raft_cmdpb.Request{putRequest("k", "doomed")}, limit)
			switch {
			case errors.Is(err, ErrUnknownOutcome):
				outcomes = append(outcomes, "unknown")
			case regionErr.GetStaleCommand() != nil:
				outcomes = append(outcomes, "stale")
			default:
				outcomes = append(outcomes, fmt.Sprint(regionErr, err))
			}
		})
	}
	c.until("another leader", func() bool { s := c.leaderOf(""); return s != nil && s != old })
	c.do(func(t env.Task) { c.put(t, "k", "v") })
	if want := []string{"unknown"}; !slices.Equal(outcomes, want) {
		t.Errorf("before it is back: %v", outcomes)
	}
	heal()
	c.converged()
	if want := []string{"unknown", "stale", "stale", "stale", "stale"}; !slices.Equal(outcomes, want) {
		t.Errorf("afterwards: %v", outcomes)
	}
	c.do(func(t env.Task) {
		if got := c.get(t, "k"); got != "v" {
			c.t.Errorf("k = %q", got)
		}
	})
	if overwritten() != 5 || late() != 1 || tail() == 0 {
		t.Errorf("%d overwritten, %d late, %d tails", overwritten(), late(), tail())
	}
}

// While leadership is handed over nothing is proposed, and the answer says that
// it was not.
func TestTransfer(t *testing.T) {
	transfers, dropped := reached("leadership transfer begun"), reached("proposal dropped by raft")
	c := newCluster(t, clusterOptions{seed: 2})
	old := c.waitLeader("")
	c.run(time.Second)
	region, _ := old.RegionOf(nil)
	target := c.stores[old.id%3]
	if e := old.TransferLeader(region.Id, peerOnStore(region, target.id).Id); e != nil {
		t.Fatal(e)
	}
	c.do(func(t env.Task) {
		e := proposeTest(c, t, old, old.context("k"), 0, putRequest("k", "v"))
		if e.GetServerIsBusy() == nil && e.GetNotLeader() == nil {
			c.t.Errorf("proposal during a transfer: %v", e)
		}
	})
	c.until("transfer", func() bool { return c.leaderOf("") == target })
	if transfers() != 1 || dropped() != 1 {
		t.Errorf("%d transfers, %d dropped", transfers(), dropped())
	}
}

// The number of undecided proposals is bounded.
func TestTooManyProposals(t *testing.T) {
	c := newCluster(t, clusterOptions{seed: 3, raft: Config{PendingProposalsMax: 3}})
	s := c.waitLeader("")
	applied, busy := 0, 0
	for range 5 {
		c.w.Go("writer", func(t env.Task) {
			e := proposeTest(c, t, s, s.context("k"), 0, putRequest("k", "v"))
			switch {
			case e == nil:
				applied++
			case e.GetServerIsBusy() != nil:
				busy++
			}
		})
	}
	c.run(time.Second)
	if applied != 3 || busy != 2 {
		t.Errorf("%d applied, %d refused", applied, busy)
	}
}

// The log decides the fate of proposals whatever the order of their places:
// table of what is logged and what applying one entry decides.
func TestDecide(t *testing.T) {
	type place struct{ term, index uint64 }
	for _, test := range []struct {
		name        string
		logged      []place
		entry       place
		applied     bool
		overwritten int
	}{
		{"own entry", []place{{6, 10}, {6, 11}}, place{6, 10}, true, 0},
		{"other entry before", []place{{6, 10}}, place{6, 9}, false, 0},
		{"later term", []place{{6, 10}, {6, 11}}, place{7, 10}, false, 2},
		{"later term before the place", []place{{6, 10}}, place{7, 8}, false, 1},
		{"leader again, first term lives", []place{{6, 10}, {6, 11}, {8, 11}}, place{6, 10}, true, 0},
		{"leader again, first term dies", []place{{6, 10}, {6, 11}, {8, 10}}, place{8, 10}, true, 2},
		{"leader again, second term dies", []place{{6, 10}, {8, 10}}, place{6, 10}, true, 1},
		{"leader again, both die", []place{{6, 10}, {8, 10}}, place{7, 10}, false, 2},
		{"earlier term at a later place", []place{{6, 12}, {8, 11}}, place{6, 11}, false, 0},
	} {
		ps := &proposals{}
		for _, l := range test.logged {
			ps.logged = append(ps.logged, &proposal{term: l.term, index: l.index})
		}
		a := &applier{}
		pr := ps.decide(a, &raftpb.Entry{Term: proto.Uint64(test.entry.term), Index: proto.Uint64(test.entry.index)})
		if (pr != nil) != test.applied || len(a.results) != test.overwritten {
			t.Errorf("%s: applied %v, %d overwritten", test.name, pr != nil, len(a.results))
		}
	}
}
