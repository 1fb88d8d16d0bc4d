package placement

import (
	"errors"
	"fmt"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes/raftstore"
)

// Config configures a member.
type Config struct {
	// ClusterID identifies the cluster; requests of another one are rejected.
	ClusterID uint64
	// Members are the names of all members, in the same order on each of them;
	// default: this node alone.
	Members []string
	// Regions are the regions with which the cluster begins. They cover the whole
	// key space, in order. The first leader of all writes them down.
	Regions []*metapb.Region
	// TimestampWindow is how far the durable bound of timestamps runs ahead of
	// them. Default 3 s.
	TimestampWindow time.Duration
	// IDBatch is how many ids are reserved at once. Default 1000.
	IDBatch uint64
	// DisconnectedAfter and DownAfter are how long nothing was heard of a store
	// that is disconnected, or down. Defaults 20 s and 30 min.
	DisconnectedAfter time.Duration
	DownAfter         time.Duration
	// Scheduling is what the leader does about regions by itself.
	Scheduling Scheduling
	// Observer, if not nil, is told what happens.
	Observer Observer
	// Raft configures the members' raft group. The store's id, the periods of
	// heartbeats and RoleChanged are set here.
	Raft raftstore.Config
	// Grants, if not nil, is told what is handed out.
	Grants Grants
}

func setDefault[T uint64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func (c Config) withDefaults(self string) Config {
	if len(c.Members) == 0 {
		c.Members = []string{self}
	}
	setDefault(&c.TimestampWindow, 3*time.Second)
	setDefault(&c.IDBatch, 1000)
	setDefault(&c.DisconnectedAfter, 20*time.Second)
	setDefault(&c.DownAfter, 30*time.Minute)
	c.Scheduling = c.Scheduling.withDefaults(c.Regions)
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	return c
}

func (c Config) validate(self string) error {
	if c.ClusterID == 0 {
		return errors.New("placement: no cluster id")
	}
	if memberID(c.Members, self) == 0 {
		return fmt.Errorf("placement: %s is none of the members %v", self, c.Members)
	}
	if c.DownAfter < c.DisconnectedAfter {
		return fmt.Errorf("placement: a store is down after %v, before it is disconnected after %v", c.DownAfter, c.DisconnectedAfter)
	}
	if c.TimestampWindow < 2*time.Millisecond {
		return fmt.Errorf("placement: timestamp window %v is shorter than 2 ms", c.TimestampWindow)
	}
	if len(c.Regions) == 0 {
		return errors.New("placement: no regions to begin with")
	}
	if err := c.Scheduling.validate(); err != nil {
		return err
	}
	end := []byte(nil)
	for i, r := range c.Regions {
		if string(r.StartKey) != string(end) || i > 0 && len(end) == 0 {
			return fmt.Errorf("placement: region %d begins at %q, not at %q", r.Id, r.StartKey, end)
		}
		if r.Id == 0 || len(r.Peers) == 0 || r.RegionEpoch == nil {
			return fmt.Errorf("placement: region %d has no id, no peers or no epoch", r.Id)
		}
		end = r.EndKey
	}
	if len(end) != 0 {
		return fmt.Errorf("placement: the last region ends at %q", end)
	}
	return nil
}

// maxID is the highest id that the configuration uses.
func (c Config) maxID() uint64 {
	highest := uint64(0)
	for _, r := range c.Regions {
		highest = max(highest, r.Id)
		for _, p := range r.Peers {
			highest = max(highest, p.Id, p.StoreId)
		}
	}
	return highest
}
