package placement

import (
	"errors"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/env"
	"simrun/sim"
)

// TestRequestsSentAgain: without an answer every kind of request is repeated until its
// time is over; each has its mark (again insists on it, and the package that it is reached).
func TestRequestsSentAgain(t *testing.T) {
	c := newCluster(t, 1, sim.Config{Seed: 1}, Config{})
	s := c.addSession("client1", ClientConfig{Deadline: time.Second, RequestTimeout: 100 * time.Millisecond})
	c.StartAll()
	member := c.awaitLeader(t)
	s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
		if _, err := pd.GetTS(task, noLimit); err != nil { // who was never answered has no connection
			t.Fatal(err)
		}
	})
	c.Network.Cut(member.Addr(), c.Node("client1").Addr())
	second := func(_ any, err error) error { return err }
	s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
		for name, ask := range map[string]func() error{
			"Tso":     func() error { return second(pd.GetTS(task, noLimit)) },
			"AllocID": func() error { return second(pd.AllocID(task)) },
			"GetRegion": func() error {
				_, _, err := pd.GetRegion(task, []byte("x"), noLimit)
				return err
			},
			"GetRegionByID": func() error {
				_, _, err := pd.GetRegionByID(task, 1)
				return err
			},
			"GetStore":                 func() error { return second(pd.GetStore(task, 1, noLimit)) },
			"GetAllStores":             func() error { return second(pd.GetAllStores(task)) },
			"PutStore":                 func() error { return pd.PutStore(task, &metapb.Store{Id: 1}) },
			"AskBatchSplit":            func() error { return second(pd.AskBatchSplit(task, &metapb.Region{}, 1)) },
			"UpdateGCSafePoint":        func() error { return second(pd.UpdateGCSafePoint(task, 1)) },
			"UpdateServiceGCSafePoint": func() error { return second(pd.AdvanceSafePoint(task, 1)) },
			"GetGCSafePoint": func() error {
				_, _, err := pd.SafePoints(task)
				return err
			},
		} {
			if err := ask(); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s without members: %v", name, err)
			}
		}
	})
}
