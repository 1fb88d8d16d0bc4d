package client

import (
	"simrun/nodes/env"
)

// Timestamp returns a timestamp that is greater than every one that was returned
// to anybody before the call.
func (c *Client) Timestamp(t env.Task) (uint64, error) {
	b := c.newBackoff(c.cfg.OpTimeout)
	ts, err := c.timestamp(t, &b)
	return ts, failed("timestamp", err)
}
