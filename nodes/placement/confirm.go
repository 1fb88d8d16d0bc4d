package placement

import (
	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var (
	markConfirmShared = invariant.NewMark("placement: one confirmation of leadership for several requests")
	markConfirmFailed = invariant.NewMark("placement: confirmation of leadership failed")
)

// confirmation is one round in which leadership is made certain.
type confirmation struct {
	shared bool
	result env.Future[struct{}]
}

// confirmer confirms a leadership for requests. A round serves the requests that
// came before it was begun; those that come while it is under way share the
// next.
type confirmer struct {
	next, current *confirmation
	running       bool // a task runs rounds as long as somebody waits
}

func (c *confirmer) busy() bool { return c.next != nil || c.current != nil }

// abandon turns away who waits.
func (c *confirmer) abandon() {
	for _, round := range []*confirmation{c.current, c.next} {
		if round != nil {
			round.result.Resolve(struct{}{}, errNotLeader)
		}
	}
	c.next, c.current = nil, nil
}

// confirm returns nil if at some instant after the call this leadership was
// certain to be the latest of all members: what any other had handed out by
// then, this one begins above. See the package documentation for what follows.
func (l *leadership) confirm(t env.Task) error {
	c := &l.confirmer
	switch {
	case c.next == nil:
		c.next = &confirmation{}
	case !c.next.shared:
		c.next.shared = true
		markConfirmShared.Reached()
	}
	round := c.next
	if !c.running {
		c.running = true
		l.s.env.Sched.Go("placement confirmation", l.runConfirmations)
	}
	if _, err := round.result.Await(t, -1); err != nil {
		return err
	}
	// Time has passed since the answer came.
	if !l.Leads() {
		return errNotLeader
	}
	return nil
}

func (l *leadership) runConfirmations(t env.Task) {
	c := &l.confirmer
	for c.next != nil && !l.ended {
		c.current, c.next = c.next, nil
		round := c.current
		err := l.s.replica.confirm(t, l.term)
		if err != nil {
			markConfirmFailed.Reached()
			err = errNotLeader
		}
		c.current = nil
		round.result.Resolve(struct{}{}, err)
	}
	c.running = false
}
