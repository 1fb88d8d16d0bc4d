package network_test

import (
	"fmt"
	"time"

	"simrun/network"
	"simrun/nodes/env"
)

// A partition loses what is sent meanwhile; the other direction is not
// concerned.
func Example() {
	l := &loop{}
	deliver := func(from, to env.Addr, payload []byte) {
		fmt.Printf("%v: %d -> %d %s\n", time.Duration(l.Now()), from, to, payload)
	}
	link := network.LinkConfig{LatencyMin: time.Millisecond, LatencyMax: time.Millisecond}
	n, err := network.New(l, 7, deliver, network.Config{Default: link})
	if err != nil {
		fmt.Println(err)
		return
	}

	n.Cut(1, 2)
	n.Send(1, 2, []byte("lost"))
	n.Send(2, 1, []byte("ping"))
	l.drain()
	n.Heal(1, 2)
	n.Send(1, 2, []byte("pong"))
	l.drain()
	// Output:
	// 1ms: 2 -> 1 ping
	// 2ms: 1 -> 2 pong
}
