package client

import (
	"testing"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// A read goes to a follower first and then to the leader; a write never goes to
// a follower. What a follower says does not change who is believed to lead.
func TestReplicaReads(t *testing.T) {
	c := newCluster(t, 1, Config{ReplicaRead: 1000}, true)
	c.run(func(t env.Task) {
		if err := c.client.RawPut(t, []byte("k"), []byte("v")); err != nil {
			c.Error(err)
		}
		for range 5 {
			if v, _, err := c.client.RawGet(t, []byte("k")); string(v) != "v" || err != nil {
				c.Errorf("k = %q, %v", v, err)
			}
		}
		if n := c.client.Stats().Calls[rpc.RawGet]; n != 5 {
			c.Errorf("%d attempts for 5 reads", n)
		}
		c.rules = []*rule{{method: rpc.RawGet, times: 1, dropReq: true}}
		if v, _, err := c.client.RawGet(t, []byte("k")); string(v) != "v" || err != nil {
			c.Errorf("k = %q, %v", v, err)
		}
		if n := c.client.Stats().Calls[rpc.RawGet]; n != 7 {
			c.Errorf("%d attempts for 6 reads, of which one was lost", n)
		}
		if err := c.client.RawPut(t, []byte("k"), []byte("w")); err != nil {
			c.Error(err)
		}
		if n := c.client.Stats().Calls[rpc.RawPut]; n != 2 {
			c.Errorf("%d attempts for 2 writes", n)
		}
	})
}
