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
	fmt.Println("with write-back:   ", searchRegister(true).Result.Verdict)
	run := searchRegister(false)
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
	// VIOLATION  abd, seed 17
	//
	//   not-linearizable: no order of the operations explains the results  (found by linear)
	//     key "x": no order of these 73 operations explains read() -> "192" by client 2 (id 69)
	//       at 1.602034s
	//       operation 69, client 2, 1.555629s to 1.602034s, ok
	//         read x=192
	//       operation 53, client 1, 1.100060s to 1.147635s, ok
	//         read x=162
	//       operation 54, client 3, 1.109238s to 1.207422s, ok
	//         write x=173
	//       operation 55, client 2, 1.126898s to 1.209204s, ok
	//         write x=172
	//       operation 56, client 1, 1.147635s to 1.235278s, ok
	//         write x=231
	//       operation 57, client 3, 1.207422s to 1.241268s, ok
	//         read x=173
	//       and 14 more operations
	//
	//   checked      assertion: OK, 1 checked
	//                linear: VIOLATION, 184 checked, 1 finding
	//   operations   115 read: 114 ok, 0 failed, 1 unknown
	//                72 write: 70 ok, 0 failed, 2 unknown
	//   faults       2 of 2 took effect: pause 2/2
	//   nodes        0 crashes, 0 restarts
}

// searchRegister runs 60 seeds and returns the first run with a violation, or the
// last one.
func searchRegister(writeBack bool) (run *reports.Run) {
	for seed := range uint64(60) {
		run = runRegister(seed, writeBack)
		if run.Result.Verdict == checker.Violation {
			break
		}
	}
	return run
}

const replicas = 3

// runRegister simulates three replicas and three clients under message loss and
// partitions, and checks what the clients saw.
func runRegister(seed uint64, writeBack bool) *reports.Run {
	t := trial.New(trial.Config{
		Name: "abd", Command: fmt.Sprintf("go run ./abd -seed %d", seed),
		World: sim.Config{Seed: seed, Network: network.Config{Default: network.LinkConfig{
			LatencyMin: time.Millisecond, LatencyMax: 10 * time.Millisecond, Jitter: 30 * time.Millisecond,
			Unordered: true, Loss: 50,
		}}},
	})
	defer t.Close()
	var names []string
	for i := range replicas {
		names = append(names, fmt.Sprintf("replica%d", i+1))
		t.World.AddNode(sim.NodeConfig{Name: names[i], Main: replica})
	}
	for i := range 3 {
		c := &registerClient{id: i + 1, writeBack: writeBack, rec: t.Recorder, now: t.World.Now}
		t.World.AddNode(sim.NodeConfig{Name: fmt.Sprintf("client%d", i+1), Main: c.main})
	}
	storm := faults.Storm(seed, faults.StormConfig{
		Length: faults.Duration(3 * time.Second), Kinds: []faults.Kind{faults.Partition, faults.Pause},
		Stores: names, Clients: []string{"client1", "client2", "client3"},
	})
	return t.Run(storm, trial.Phases{Storm: 3 * time.Second, Calm: time.Second})
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

// registerClient reads and writes the register in turn.
type registerClient struct {
	id        int
	writeBack bool
	rec       *history.Recorder
	now       func() int64

	env     *env.Env
	request uint64                 // the number of the current request
	answers map[env.Addr]versioned // its answers, by replica
	enough  env.Future[struct{}]   // resolved by a majority of them
}

func (c *registerClient) main(e *env.Env) func() {
	c.env = e
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
	e.Sched.Go("client", func(t env.Task) {
		r := e.Streams.Stream("client")
		for n := uint64(1); ; n++ {
			if r.IntN(3) == 0 {
				c.write(t, n*10+uint64(c.id))
			} else {
				c.read(t)
			}
		}
	})
	return nil
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
	op := c.rec.Begin(history.Op{Client: c.id, Kind: history.Read, Key: "x"}, c.now())
	v := c.ask(t, versioned{})
	if c.writeBack && v.version > 0 {
		c.ask(t, v)
	}
	if v.version > 0 {
		s := fmt.Sprint(v.value)
		op.Value = &s
	}
	c.rec.End(op, history.OK, c.now())
}

func (c *registerClient) write(t env.Task, value uint64) {
	s := fmt.Sprint(value)
	op := c.rec.Begin(history.Op{Client: c.id, Kind: history.Write, Key: "x", Value: &s}, c.now())
	newest := c.ask(t, versioned{})
	c.ask(t, versioned{(newest.version/10+1)*10 + uint64(c.id), value})
	c.rec.End(op, history.OK, c.now())
}
