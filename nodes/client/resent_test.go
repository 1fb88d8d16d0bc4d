package client

import (
	"testing"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

// TestReadsSentAgain: a read whose answer is lost is sent again.
func TestReadsSentAgain(t *testing.T) {
	keys := [][]byte{[]byte("a"), []byte("b")}
	for _, kind := range []struct {
		method rpc.Method
		read   func(t env.Task, c *Client) ([]Pair, error)
	}{
		{rpc.KvBatchGet, func(t env.Task, c *Client) ([]Pair, error) { return c.Snapshot(lastTS).BatchGet(t, keys) }},
		{rpc.KvScan, func(t env.Task, c *Client) ([]Pair, error) {
			tx, err := c.Begin(t)
			if err != nil {
				return nil, err
			}
			return tx.Scan(t, nil, nil, 0)
		}},
		{rpc.RawBatchGet, func(t env.Task, c *Client) ([]Pair, error) { return c.RawBatchGet(t, keys) }},
		{rpc.RawScan, func(t env.Task, c *Client) ([]Pair, error) { return c.RawScan(t, nil, nil, 10) }},
	} {
		t.Run(kind.method.String(), func(t *testing.T) {
			cl := newCluster(t, 1, Config{}, false)
			cl.run(func(task env.Task) {
				cl.rules = []*rule{{method: kind.method, dropResp: true, times: 1}}
				pairs, err := kind.read(task, cl.client)
				if err != nil || len(pairs) != 0 {
					t.Errorf("an empty database has %v: %v", pairs, err)
				}
				if n := cl.client.stats.Calls[kind.method]; n != 3 { // the second time to a peer that does not lead
					t.Errorf("sent %d times", n)
				}
			})
		})
	}
}

// lastTS is a timestamp of a far future, at which a read meets everything.
const lastTS = 1 << 62
