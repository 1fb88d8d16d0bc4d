// Package network is the virtual network: it carries bytes between addresses
// in virtual time and breaks, under control of a plan, as real networks do.
//
// # Driving it
//
//	n, err := network.New(loop, seed, deliver, network.Config{Default: link})
//	n.Send(from, to, payload)     // deliver is called from the loop, later
//	n.Cut(a, b)                   // from now on nothing gets from a to b
//	n.Heal(a, b)
//
// # What a link promises
//
// Every ordered pair of addresses is a link of its own; what happens to one
// direction says nothing about the other. Messages are datagrams: one arrives
// once, several times or never, but never altered. A link is first in, first
// out, as one connection would be, however much latency and jitter vary; a
// message overtakes another only
//
//   - where it drew a reordering: it takes a detour, and others pass it; or
//   - where LinkConfig.Unordered lets jitter alone decide.
//
// Copies take detours too. First in, first out holds whatever order the loop
// gives to simultaneous events: arrivals on a link are at least 1 ns apart.
//
// # Cuts and clogs
//
// Cuts are counted: a link that was cut by two overlapping partitions heals
// when both have ended. What is in flight when a cut begins is lost with it. A
// clogged link holds what arrives and releases it in that order at the end.
//
// # Randomness
//
// A draw is a pure function of (seed, "network", from, to), of the instant at
// which the message was sent, of its ordinal among the messages of the link at
// that instant, and of the draw's purpose. A message or fault that is taken
// away therefore shifts the draws of no message that is sent when it was sent
// before, and a change of one rate changes no other draw.
package network
