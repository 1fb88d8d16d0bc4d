package client

import (
	"fmt"
	"strings"
	"testing"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// There is no snapshot of what is newest: several keys would not be of one instant.
func TestNoSnapshotOfTheNewest(t *testing.T) {
	c := newCluster(t, 1, Config{}, false)
	c.run(func(env.Task) {
		defer func() {
			if got := recover(); !strings.Contains(fmt.Sprint(got), "no snapshot at the greatest timestamp") {
				t.Errorf("got %v", got)
			}
		}()
		c.client.Snapshot(codec.MaxTS)
	})
}
