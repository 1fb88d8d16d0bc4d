package placement

import (
	"errors"
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/sim"
)

// TestCallerLimit checks that a caller who has less time than the client's own
// deadline gets its answer, which is that there is none, when its time is over;
// also if it shares a request for timestamps with others who have more.
func TestCallerLimit(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 1}, Config{})
	s := c.addSession("client1", ClientConfig{Deadline: 3 * time.Second})
	c.Node("client1").Start() // and no member
	s.do(t, func(task env.Task, e *env.Env, pd *Client) {
		ask := map[string]func(task env.Task, limit time.Duration) error{
			"GetTS": func(task env.Task, limit time.Duration) error { _, err := pd.GetTS(task, limit); return err },
			"GetRegion": func(task env.Task, limit time.Duration) error {
				_, _, err := pd.GetRegion(task, []byte("x"), limit)
				return err
			},
			"GetStore": func(task env.Task, limit time.Duration) error { _, err := pd.GetStore(task, 1, limit); return err },
		}
		var patient env.Future[uint64]
		e.Sched.Go("patient", func(task env.Task) { patient.Resolve(pd.GetTS(task, noLimit)) })
		for _, name := range []string{"GetTS", "GetRegion", "GetStore"} {
			for _, c := range []struct{ limit, want time.Duration }{
				{0, 0},
				{10 * time.Millisecond, 10 * time.Millisecond},
				{700 * time.Millisecond, 700 * time.Millisecond},
				{time.Hour, 3 * time.Second},
				{noLimit, 3 * time.Second},
			} {
				before := e.Clock.Monotonic()
				err := ask[name](task, c.limit)
				took := e.Clock.Monotonic() - before
				if !errors.Is(err, ErrUnavailable) || !errors.Is(err, env.ErrTimeout) {
					t.Errorf("%s within %v: %v", name, c.limit, err)
				}
				longest := c.want
				if name == "GetTS" && c.want == pd.cfg.Deadline {
					longest *= 2 // there is the request under way, and the next
				}
				// A pause that would pass the deadline is not begun.
				if took > longest || took < c.want-250*time.Millisecond {
					t.Errorf("%s within %v took %v, want at most %v", name, c.limit, took, longest)
				}
			}
		}
		if _, err := patient.Await(task, -1); !errors.Is(err, ErrUnavailable) {
			t.Errorf("who has time: %v", err)
		}
	})
}

// TestTurn walks a client's guess from member to member. A redirection to a
// member that was silent is not followed as long as there is another one to ask,
// but when all were asked it is believed again: the leader may have been slow.
func TestTurn(t *testing.T) {
	c := &Client{cfg: ClientConfig{Members: []string{"a", "b", "c"}}}
	var on tour
	step := func(asked int, leader string, silent bool, want int) {
		t.Helper()
		if silent {
			on.silent = append(on.silent, asked)
		}
		c.turnFrom(asked, leader, &on)
		if c.member != want {
			t.Errorf("after %d, which names %q: %d, want %d", asked, leader, c.member, want)
		}
	}
	step(0, "", true, 1)   // a is silent
	step(1, "a", false, 2) // b names it
	step(2, "a", false, 0) // c too, and nobody else is left
	step(0, "c", false, 2)
	step(2, "a", false, 0) // the slate is clean
	step(1, "b", false, 0) // late: another answer has moved the guess
	step(0, "a", false, 1) // it names itself and does not lead; all were asked
	step(1, "x", false, 2) // no member
	step(2, "", false, 0)
}
