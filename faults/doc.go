// Package faults holds what can go wrong as values, and the scheduler that
// makes it go wrong.
//
// A Fault says when, for how long, what and to whom. It prints as one line of
// text and parses back to itself:
//
//	at 1.5s partition store1,client2 | store2,store3 for 800ms
//	at 1.5s partition store1 -> store2 for 800ms
//	at 2s isolate leader(k017) for 1s
//	at 2s clog store1 -> store3 for 300ms
//	at 2s clog store1 -> all-clients for 300ms
//	at 2s network loss 5% duplicate 2% reorder 0.5% latency 20ms on store1 | store2 for 2s
//	at 2s network latency 200ms of KvPrewrite on client1 -> store2 for 2s
//	at 3s power-loss store2 for 500ms
//	at 3s power-loss store2 at-op 17 within 1s for 400ms
//	at 3s kill leader(k003) for 200ms
//	at 3s kill placement-leader for 200ms
//	at 3s power-loss snapshot-receiver for 200ms
//	at 4s pause store3 for 700ms
//	at 4s clock-jump pd1 -2s
//	at 4s clock-drift store1 +2000ppm for 3s
//	at 5s disk-stall store1 for 300ms
//	at 5s disk-slow store2 x20 for 1s
//	at 5s disk-error store1 read 3
//	at 5s disk-error store1 write 2 within 500ms
//	at 5s disk-full store2 for 500ms
//	at 6s split k0042
//	at 6s transfer-leader k0042
//	at 6s add-peer k0042 store4
//	at 6s remove-peer k0042 follower(k0042)
//	at 6s move-peer k0042 store1 store4
//	at 6s merge-regions k0042
//	at 2s restart store1 for 500ms
//	at 2s restart store1 within 1s for 500ms
//	at 6s isolate merging for 300ms
//	at 7s wipe store2 for 500ms
//	at 8s wipe store1,store2 regardless for 500ms
//	at 8s join store4
//	at 8s drain store1
//	at 8s destroy store2
//
// Instants count from the start of the schedule. A fault without "for" lasts
// until the calm, when everything is undone; the ones that only have an
// instant take no "for". split, transfer-leader, merge-regions, add-peer, remove-peer,
// move-peer, join and drain are no faults but what an administrator does; they stand in the same
// schedule because they belong to the same story. restart is what he does when a
// node gets a new version; within is how long it may take to hand its leaders over
// before. wipe ends a store's process,
// puts an empty disk in the place of its own, and starts it as a new store;
// whether it may happen without the loss of data is for the world to judge, unless
// the line says that it is to happen regardless. No storm draws that: what is lost
// then is lost for ever, and a run that finds it missing is UNRECOVERABLE.
//
// join starts a store that was held back, drain has one emptied and removed, and
// destroy ends one that is never started again: stores come and go.
//
// A network fault may be aimed at the messages of one kind, by the name that the
// system's protocol has for it: requests, their answers, or what has no answer, by the
// direction of the links. One that is late for its kind holds up nobody behind it.
//
// Where a fault names nodes it may name them late: leader(KEY) is the store
// that leads the region of KEY at the instant of the fault, follower(KEY) the
// first other store of that region, placement-leader the member that leads the
// placement driver, snapshot-receiver and snapshot-sender the first store that is
// at one end of a snapshot, merging the store that leads a region which is
// merging, merge-target the one that leads the region which that goes into;
// all-stores, all-clients and placement are what they say. A key that is more than letters,
// digits and _./:- is quoted as in Go.
//
// A fault takes effect if it meets something: a message on the links, an
// operation of the disk, a process that is up. Scheduler.Counts says how many
// of those that came up did.
//
// # Driving it
//
//	schedule := faults.Storm(seed, config)              // or faults.Parse, line by line
//	s := faults.NewScheduler(loop, world, schedule, observe)
//	s.Start()                                           // the storm begins
//	...
//	s.Calm()                                            // everything is undone
//	s.Counts()                                          // what was armed, and what took effect
//
// The world implements Injector.
package faults
