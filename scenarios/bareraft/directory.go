package bareraft

import (
	"time"

	"simrun/faults"
	"simrun/sim"
)

// The group is asked for nothing else: it has no regions to split or merge, its members are
// those of the beginning and are restarted as they are, and one that forgot its votes would
// be none.
var (
	_ sim.Directory   = (*Cluster)(nil)
	_ sim.LeaderMover = (*Cluster)(nil)
)

// Resolve implements sim.Directory. There is one group: whatever the key, its
// leader is the group's.
func (c *Cluster) Resolve(target faults.Target) []string {
	switch target.Kind {
	case faults.TargetAllStores:
		return c.plan.StoreNames()
	case faults.TargetAllClients:
		return c.plan.ClientNames()
	case faults.TargetLeader:
		if m, _ := c.leader(); m != nil {
			return []string{m.node.Name()}
		}
	case faults.TargetFollower:
		leader, _ := c.leader()
		for _, m := range c.members {
			if m != leader && m.replica != nil {
				return []string{m.node.Name()}
			}
		}
	default:
	}
	return nil
}

// leader returns the member that leads, in the highest term if several believe
// to, and its position.
func (c *Cluster) leader() (*member, int) {
	var (
		best     *member
		position int
		term     uint64
	)
	for i, m := range c.members {
		if m.replica == nil {
			continue
		}
		if s := m.replica.Status(); s.Leading && s.Term > term {
			best, position, term = m, i, s.Term
		}
	}
	return best, position
}

// transfer is a transfer of leadership under way.
type transfer struct {
	to       uint64 // number of the member
	until    int64  // when it counts as having failed
	happened func()
}

// transferMax is how long a transfer may take.
const transferMax = 400 * time.Millisecond

// TransferLeader implements sim.LeaderMover: the leader hands over to the member
// after it.
func (c *Cluster) TransferLeader(_ string, happened func()) bool {
	leader, position := c.leader()
	if leader == nil || len(c.members) == 1 {
		return false
	}
	to := uint64((position+1)%len(c.members) + 1)
	asked := leader.node.Do(func() { leader.replica.TransferLeader(to) })
	if asked {
		c.moving = transfer{to, c.World.Now() + int64(transferMax), happened}
	}
	return asked
}

// moved notes that a member leads.
func (c *Cluster) moved(number uint64) {
	m := c.moving
	c.moving = transfer{}
	if m.happened != nil && m.to == number && c.World.Now() <= m.until {
		m.happened()
	}
}
