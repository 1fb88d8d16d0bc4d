package placement

import "testing"

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
