package faults

import (
	"slices"
	"time"

	"simrun/sim/stream"
)

// aims draws what a storm does to single kinds of messages, if it does: at one time
// or another, for a while, requests of one step are overtaken by their own
// repetitions, those of the next step are late, but not so late that they are sent
// again, and of the messages that go beside them some are lost.
//
// Faults of whole links do that as good as never. Where the first request is late
// enough to be sent again, so is whatever else takes that link: the repetition, and
// the step that comes after its answer. What comes to nothing then is what such
// protocols go wrong by: that an old request is executed behind its repetition, when
// things have moved on, and that something else comes close behind it.
func (c *StormConfig) aims(seed uint64) [][]Fault {
	if !c.Possible(Network) || len(c.Steps) == 0 || len(c.Clients) == 0 || !stream.New(seed, "storm aims").PerMille(c.Aimed) {
		return nil
	}
	length := int64(c.Length)
	period := stream.New(seed, "storm aims period").Between(max(length/3, 1), length)
	var list [][]Fault
	for i := int64(0); i*period < length; i++ {
		a := aim{draw: draw{stream.New(seed, "storm aims", uint64(i)), c}}
		a.from = rounded(i*period + a.Int64N(max(period/2, 1)))
		a.until = min(rounded((i+1)*period), a.from+2*turns*time.Duration(c.Patience), time.Duration(length))
		if a.from < a.until {
			list = append(list, a.spell())
		}
	}
	return list
}

// aim is one spell of faults that are aimed at kinds of messages, on the links from
// all clients to the leader of one region or to all stores.
type aim struct {
	draw
	from, until time.Duration
	faults      []Fault
}

// turns is how many times at most the requests of a spell are late.
const turns = 30

// spell draws what happens, to which step and where.
func (a *aim) spell() []Fault {
	to := AllStores()
	if len(a.c.Keys) > 0 && a.PerMille(700) {
		to = Leader(a.key())
	}
	step := a.IntN(len(a.c.Steps))
	late := a.patience(1000, 2500)
	if step+1 < len(a.c.Steps) {
		next := a.patience(100, 950)
		a.add(a.from, a.until, Degradation{Of: a.c.Steps[step+1], Latency: next}, to)
		if a.PerMille(500) { // just before the next step that follows its repetition
			late = time.Duration(a.c.Patience) + max(0, next-rounded(magnitude(a.Stream, int64(Resolution), max(int64(a.c.Patience)/4, int64(Resolution)))))
		}
	}
	a.overtaken(a.c.Steps[step], late, to)
	for _, kind := range a.c.Beside {
		if a.PerMille(500) {
			a.add(a.from, a.until, Degradation{Of: kind, Loss: perMille}, to)
		}
	}
	slices.SortStableFunc(a.faults, inOrder)
	return a.faults
}

// overtaken makes requests of one kind late by more than a client waits for an
// answer, in every other spell of that length: what it sends again is not late.
func (a *aim) overtaken(kind string, late time.Duration, to Target) {
	for at := a.from; at < a.until; at += 2 * time.Duration(a.c.Patience) {
		a.add(at, min(at+time.Duration(a.c.Patience), a.until), Degradation{Of: kind, Latency: late}, to)
	}
}

// patience draws a time between lo and hi per mille of what a client waits for an
// answer.
func (a *aim) patience(lo, hi int64) time.Duration {
	return max(rounded(a.Between(int64(a.c.Patience)/perMille*lo, int64(a.c.Patience)/perMille*hi)), Resolution)
}

func (a *aim) add(from, until time.Duration, d Degradation, to Target) {
	if until-from < Resolution {
		return
	}
	a.faults = append(a.faults, Fault{
		At: from, For: until - from, Kind: Network, Degradation: d,
		Targets: []Target{AllClients()}, Peers: []Target{to}, Directed: true,
	})
}
