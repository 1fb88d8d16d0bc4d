package network_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"simrun/network"
	"simrun/nodes/env"
)

// TestScripts runs the stories under testdata. A line of input is a command;
// the output is what was delivered meanwhile.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var r *rig
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "network":
				r = newRig(t, 1, parseLink(t, d))
				return ""
			case "do":
				for _, line := range strings.Split(d.Input, "\n") {
					do(t, r, strings.Fields(line))
				}
				return r.takeLog()
			case "stats":
				r.checkBalance(t)
				return fmt.Sprintf("%+v in flight:%d\n", r.Stats(), r.InFlight())
			}
			t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
			return ""
		})
	})
}

// parseLink reads the arguments of the network command: fields of LinkConfig.
func parseLink(t *testing.T, d *datadriven.TestData) network.LinkConfig {
	var c network.LinkConfig
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "latency":
			c.LatencyMin = parseDuration(t, arg.Vals[0])
			c.LatencyMax = c.LatencyMin
		case "jitter":
			c.Jitter = parseDuration(t, arg.Vals[0])
		case "detour":
			c.Detour = parseDuration(t, arg.Vals[0])
		case "queue":
			c.QueueMax = parseDuration(t, arg.Vals[0])
		case "loss":
			arg.Scan(t, 0, &c.Loss)
		case "duplicate":
			arg.Scan(t, 0, &c.Duplicate)
		case "reorder":
			arg.Scan(t, 0, &c.Reorder)
		case "bandwidth":
			arg.Scan(t, 0, &c.Bandwidth)
		default:
			t.Fatalf("%s: unknown argument %q", d.Pos, arg.Key)
		}
	}
	return c
}

// do runs one line of a script.
func do(t *testing.T, r *rig, words []string) {
	link := func() (env.Addr, env.Addr) {
		var from, to env.Addr
		if _, err := fmt.Sscanf(words[1], "%d->%d", &from, &to); err != nil {
			t.Fatalf("%q is no link: %v", words[1], err)
		}
		return from, to
	}
	switch words[0] {
	case "run":
		r.runUntil(r.now + int64(parseDuration(t, words[1])))
	case "send":
		from, to := link()
		for _, payload := range words[2:] {
			r.send(from, to, payload)
		}
	case "set": // a link's own latency
		from, to := link()
		latency := parseDuration(t, words[2])
		if err := r.SetLink(from, to, network.LinkConfig{LatencyMin: latency, LatencyMax: latency}); err != nil {
			t.Fatal(err)
		}
	case "cut":
		r.Cut(link())
	case "heal":
		r.Heal(link())
	case "clog":
		r.Clog(link())
	case "unclog":
		r.Unclog(link())
	case "delay":
		r.Degrade(delay(t, words))
	case "undelay":
		r.Restore(delay(t, words))
	case "lose":
		from, to := link()
		r.DegradeLink(from, to, network.Degradation{Loss: 1000, Of: words[2]})
	case "keep":
		from, to := link()
		r.RestoreLink(from, to, network.Degradation{Loss: 1000, Of: words[2]})
	case "heal-all":
		r.HealAll()
	default:
		t.Fatalf("unknown line %q", words)
	}
}

// delay reads a duration and, perhaps, of which kind of messages.
func delay(t *testing.T, words []string) network.Degradation {
	d := network.Degradation{Latency: parseDuration(t, words[1])}
	if len(words) > 2 {
		d.Of = words[2]
	}
	return d
}

func parseDuration(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
