package raftstore

import (
	"testing"
	"time"
)

// The defaults are valid, and what is not is named with its value.
func TestConfigIsValidated(t *testing.T) {
	if err := (Config{StoreID: 1}).withDefaults().validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(c *Config)
		want   string
	}{
		{func(c *Config) { c.StoreID = 0 }, "raftstore: a store needs an id"},
		{func(c *Config) { c.TickInterval = -time.Second }, "raftstore: TickInterval is -1s, which must not be less than 0s"},
		{func(c *Config) { c.ElectionTick = 2 }, "raftstore: ElectionTick is 2, which must not be less than 3"},
		{func(c *Config) { c.ClockDriftBound = million }, "raftstore: ClockDriftBound is 1000000, which must be less than a million"},
		{func(c *Config) { c.MaxInflightBytes = 1 }, "raftstore: MaxInflightBytes is 1, which must not be less than 262144"},
		{func(c *Config) { c.SnapshotKeep = time.Millisecond }, "raftstore: SnapshotKeep is 1ms, which must not be less than 2s"},
		{func(c *Config) { c.StoreHeartbeatInterval = -1 }, "raftstore: StoreHeartbeatInterval is -1ns, which must not be less than 0s"},
	} {
		cfg := (Config{StoreID: 1}).withDefaults()
		c.change(&cfg)
		if err := cfg.validate(); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
