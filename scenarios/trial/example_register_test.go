package trial_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"simrun/checker"
	"simrun/faults"
	"simrun/network"
	"simrun/nodes/env"
	"simrun/reports"
	"simrun/scenarios/trial"
	"simrun/sim"
	"simrun/sim/history"
)

// A protocol of one's own under test: the majority register of Attiya, Bar-Noy
// and Dolev (1995). Three replicas each hold a value with a version. A client
// asks a majority for the newest version; a writer then stores a newer one at a
// majority, and a reader stores what it is about to return, so that no later
// reader returns something older. Without that write-back the register is not
// linearizable, and the simulator finds an execution that shows it.
func Example() {
	fmt.Println("with write-back:   ", searchRegister(register()).Result.Verdict)
	run := searchRegister(register().With("no-write-back", 1))
	fmt.Println("without write-back:", run.Result.Verdict)
	fmt.Println()

	// What was found goes into a folder: the verdict, the history, a page.
	dir, err := os.MkdirTemp("", "abd")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	folder, err := reports.Create(filepath.Join(dir, "abd"), "")
	if err != nil {
		panic(err)
	}
	if err = folder.Save(run); err != nil {
		panic(err)
	}
	var text strings.Builder
	if err = reports.WriteText(&text, run, reports.TextOptions{}); err != nil {
		panic(err)
	}
	found, _, _ := strings.Cut(text.String(), "\n  network")
	fmt.Println(found)
	// Output:
	// with write-back:    OK
	// without write-back: VIOLATION
	//
	// VIOLATION  abd, seed 8
	//
	//   not-linearizable: no order of the operations explains the results  (found by linear)
	//     key "x": no order of these 4 operations explains read() -> "71" by client 1 (id 74)
	//       at 1.520582s
	//       operation 74, client 1, 1.485666s to 1.520582s, ok
	//         read x=71
	//       operation 70, client 3, 1.369108s to 1.665526s, ok
	//         write x=70
	//       operation 72, client 2, 1.408210s to 1.694600s, ok
	//         write x=72
	//       operation 73, client 1, 1.459778s to 1.485666s, ok
	//         read x=70
	//
	//   checked      assertion: OK, 1 checked
	//                liveness: OK, 3 checked
	//                linear: VIOLATION, 235 checked, 1 finding
	//   operations   151 read: 151 ok, 0 failed, 0 unknown
	//                84 write: 84 ok, 0 failed, 0 unknown
	//   faults       3 of 3 took effect: partition 3/3
	//   nodes        0 crashes, 0 restarts
}

// searchRegister runs 60 seeds and returns the first run with a violation, or the
// last one.
func searchRegister(system *trial.System) (run *reports.Run) {
	for seed := range uint64(60) {
		var err error
		if run, err = system.Run(system.Plan(seed), trial.Options{}); err != nil {
			panic(err)
		}
		if run.Result.Verdict == checker.Violation {
			break
		}
	}
	return run
}

const replicas = 3

// register is three replicas and three clients, whose messages are lost and late, under
// partitions and pauses.
func register() *trial.System {
	names := trial.Names("replica", replicas)
	return &trial.System{
		Name: "abd",
		World: sim.Config{Network: network.Config{Default: network.LinkConfig{
			LatencyMin: time.Millisecond, LatencyMax: 10 * time.Millisecond, Jitter: 30 * time.Millisecond,
			Unordered: true, Loss: 50,
		}}},
		Phases: trial.Phases{Storm: 3 * trial.Second, Calm: 2 * trial.Second},
		Params: []trial.Param{{Name: "no-write-back", Most: 1}},
		Faults: faults.StormConfig{Kinds: []faults.Kind{faults.Partition, faults.Pause}, Stores: names},
		Build: func(t *trial.Trial) {
			for _, name := range names {
				t.World.AddNode(sim.NodeConfig{Name: name, Main: replica})
			}
			t.Clients(func(e *env.Env, c *trial.Client) func(env.Task) {
				return newRegisterClient(e, c, !t.On("no-write-back")).operate
			})
		},
	}
}

// versioned is a value and its version; the writer breaks ties.
type versioned struct{ version, value uint64 }

// A message is three numbers: which request it belongs to, version and value.
// Version 0 in a request asks; another one stores.
func message(request uint64, v versioned) []byte {
	b := binary.LittleEndian.AppendUint64(nil, request)
	b = binary.LittleEndian.AppendUint64(b, v.version)
	return binary.LittleEndian.AppendUint64(b, v.value)
}

func parseMessage(b []byte) (request uint64, v versioned) {
	return binary.LittleEndian.Uint64(b), versioned{binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}
}

// replica answers every request with what it holds then.
func replica(e *env.Env) func() {
	var held versioned
	e.Net.Receive(func(from env.Addr, payload []byte) {
		request, v := parseMessage(payload)
		if v.version > held.version {
			held = v
		}
		e.Net.Send(from, message(request, held))
	})
	return nil
}

// registerClient reads and writes the register.
type registerClient struct {
	*trial.Client
	writeBack bool

	env     *env.Env
	request uint64                 // the number of the current request
	answers map[env.Addr]versioned // its answers, by replica
	enough  env.Future[struct{}]   // resolved by a majority of them
}

func newRegisterClient(e *env.Env, client *trial.Client, writeBack bool) *registerClient {
	c := &registerClient{Client: client, writeBack: writeBack, env: e}
	e.Net.Receive(func(from env.Addr, payload []byte) {
		request, v := parseMessage(payload)
		if request != c.request {
			return
		}
		c.answers[from] = v
		if len(c.answers) > replicas/2 {
			c.enough.Resolve(struct{}{}, nil)
		}
	})
	return c
}

func (c *registerClient) operate(t env.Task) {
	if c.Rand.IntN(3) == 0 {
		c.write(t)
	} else {
		c.read(t)
	}
}

// ask sends a request to all replicas and returns the newest answer of a
// majority. It tries for ever.
func (c *registerClient) ask(t env.Task, v versioned) versioned {
	c.request++
	c.answers = map[env.Addr]versioned{}
	c.enough = env.Future[struct{}]{}
	for {
		for i := range replicas {
			c.env.Net.Send(env.Addr(i+1), message(c.request, v))
		}
		if _, err := c.enough.Await(t, 200*time.Millisecond); err == nil {
			break
		}
	}
	var newest versioned
	for i := range replicas {
		if a := c.answers[env.Addr(i+1)]; a.version > newest.version {
			newest = a
		}
	}
	return newest
}

func (c *registerClient) read(t env.Task) {
	op := c.Begin(history.Op{Kind: history.Read, Key: "x"})
	v := c.ask(t, versioned{})
	if c.writeBack && v.version > 0 {
		c.ask(t, v)
	}
	if v.version > 0 {
		s := fmt.Sprint(v.value)
		op.Value = &s
	}
	c.End(op, history.OK)
}

func (c *registerClient) write(t env.Task) {
	op := c.Begin(history.Op{Kind: history.Write, Key: "x"})
	value := fmt.Sprint(op.ID)
	op.Value = &value
	newest := c.ask(t, versioned{})
	c.ask(t, versioned{(newest.version/10+1)*10 + uint64(c.ID), uint64(op.ID)})
	c.End(op, history.OK)
}
