package rpc_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/network"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/sim"
	"simrun/sim/disk"
)

// server answers RawPut and counts how often each value was put.
type server struct {
	puts  map[string]int
	delay time.Duration
}

func (s *server) main(e *env.Env) func() {
	ep := rpc.NewEndpoint(e)
	rpc.Handle(ep, rpc.RawPut, func(t env.Task, _ env.Addr, req *kvrpcpb.RawPutRequest) *kvrpcpb.RawPutResponse {
		s.puts[string(req.Value)]++
		t.Sleep(s.delay)
		return &kvrpcpb.RawPutResponse{}
	})
	rpc.HandleFast(ep, rpc.RawGet, func(_ env.Addr, req *kvrpcpb.RawGetRequest) *kvrpcpb.RawGetResponse {
		return &kvrpcpb.RawGetResponse{Value: append([]byte("got "), req.Key...)}
	})
	return nil
}

func world(t *testing.T, link network.LinkConfig, s *server, client func(t env.Task, ep *rpc.Endpoint)) *sim.World {
	t.Helper()
	w := sim.NewWorld(sim.Config{Seed: 1, Network: network.Config{Default: link}})
	t.Cleanup(w.Close)
	w.AddNode(sim.NodeConfig{Name: "server", Main: s.main})
	w.AddNode(sim.NodeConfig{Name: "client", Main: func(e *env.Env) func() {
		ep := rpc.NewEndpoint(e)
		e.Sched.Go("client", func(t env.Task) { client(t, ep) })
		return nil
	}})
	w.StartAll()
	return w
}

const serverAddr = 1

func put(t env.Task, ep *rpc.Endpoint, value string, limit time.Duration) error {
	return rpc.Call(t, ep, serverAddr, rpc.RawPut, &kvrpcpb.RawPutRequest{Value: []byte(value)}, &kvrpcpb.RawPutResponse{}, limit)
}

func TestCall(t *testing.T) {
	done := false
	w := world(t, network.LinkConfig{LatencyMin: time.Millisecond, LatencyMax: time.Millisecond}, &server{puts: map[string]int{}},
		func(task env.Task, ep *rpc.Endpoint) {
			resp := &kvrpcpb.RawGetResponse{}
			if err := rpc.Call(task, ep, serverAddr, rpc.RawGet, &kvrpcpb.RawGetRequest{Key: []byte("k")}, resp, time.Second); err != nil {
				t.Error(err)
			}
			if string(resp.Value) != "got k" {
				t.Errorf("value %q", resp.Value)
			}
			err := rpc.Call(task, ep, serverAddr, rpc.KvGet, &kvrpcpb.GetRequest{}, &kvrpcpb.GetResponse{}, time.Second)
			if !errors.Is(err, rpc.ErrRefused) {
				t.Errorf("a service that is not there: %v", err)
			}
			done = true
		})
	if err := w.RunFor(time.Minute); err != nil || !done {
		t.Fatal(err, done)
	}
}

// However the network behaves, a request is executed at most once; one that was
// answered, exactly once; one that was refused, never.
func TestAtMostOnce(t *testing.T) {
	s := &server{puts: map[string]int{}, delay: 3 * time.Millisecond}
	outcomes := map[string]error{}
	link := network.LinkConfig{
		LatencyMin: time.Millisecond, LatencyMax: 5 * time.Millisecond, Jitter: 20 * time.Millisecond, Unordered: true,
		Loss: 200, Duplicate: 300, Reorder: 200,
	}
	w := world(t, link, s, func(task env.Task, ep *rpc.Endpoint) {
		for i := range 500 {
			value := fmt.Sprint(i)
			outcomes[value] = put(task, ep, value, 50*time.Millisecond)
		}
	})
	server := w.Node("server")
	for range 20 { // restarts in the middle of everything
		if err := w.RunFor(700 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		server.Crash(disk.ProcessKill)
		_ = w.RunFor(15 * time.Millisecond)
		server.Start()
	}
	if err := w.RunFor(10 * time.Minute); err != nil {
		t.Fatal(err)
	}
	answered, unknown, refused := 0, 0, 0
	for value, err := range outcomes {
		n := s.puts[value]
		switch {
		case n > 1:
			t.Errorf("request %s was executed %d times", value, n)
		case err == nil && n != 1:
			t.Errorf("request %s was answered and executed %d times", value, n)
		case errors.Is(err, rpc.ErrRefused) && n != 0:
			t.Errorf("request %s was refused and executed", value)
		}
		switch {
		case err == nil:
			answered++
		case errors.Is(err, rpc.ErrRefused):
			refused++
		case errors.Is(err, env.ErrTimeout):
			unknown++
		default:
			t.Errorf("request %s: %v", value, err)
		}
	}
	if len(outcomes) != 500 || answered < 100 || unknown < 20 {
		t.Fatalf("%d requests: %d answered, %d unknown, %d refused", len(outcomes), answered, unknown, refused)
	}
}

// A node that cannot be reached executes nothing, and the caller knows.
func TestNoConnection(t *testing.T) {
	s := &server{puts: map[string]int{}}
	var err error
	w := world(t, network.LinkConfig{Loss: 1000}, s, func(task env.Task, ep *rpc.Endpoint) {
		err = put(task, ep, "v", time.Second)
	})
	if e := w.RunFor(time.Minute); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, rpc.ErrRefused) || len(s.puts) != 0 {
		t.Fatalf("outcome %v, puts %v", err, s.puts)
	}
}

// A restart of the server during a request is an unknown outcome, and soon.
func TestReset(t *testing.T) {
	s := &server{puts: map[string]int{}}
	var errs []error
	w := world(t, network.LinkConfig{LatencyMin: 10 * time.Millisecond, LatencyMax: 10 * time.Millisecond}, s, func(task env.Task, ep *rpc.Endpoint) {
		for range 2 {
			errs = append(errs, put(task, ep, "v", time.Minute))
			task.Sleep(100 * time.Millisecond)
		}
	})
	_ = w.RunFor(100 * time.Millisecond) // the first is answered
	w.Node("server").Crash(disk.ProcessKill)
	w.Node("server").Start()
	if err := w.RunFor(time.Second); err != nil {
		t.Fatal(err)
	}
	if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], rpc.ErrReset) || !errors.Is(errs[1], env.ErrTimeout) {
		t.Fatalf("outcomes %v", errs)
	}
}

func BenchmarkCall(b *testing.B) {
	w := sim.NewWorld(sim.Config{Seed: 1, Network: network.Config{Default: network.LinkConfig{LatencyMin: time.Millisecond, LatencyMax: time.Millisecond}}})
	defer w.Close()
	s := &server{puts: map[string]int{}}
	w.AddNode(sim.NodeConfig{Name: "server", Main: s.main})
	w.AddNode(sim.NodeConfig{Name: "client", Main: func(e *env.Env) func() {
		ep := rpc.NewEndpoint(e)
		e.Sched.Go("client", func(t env.Task) {
			for range b.N {
				if err := put(t, ep, "value", time.Second); err != nil {
					b.Error(err)
				}
			}
			w.Stop()
		})
		return nil
	}})
	b.ReportAllocs()
	w.StartAll()
	if err := w.RunFor(time.Duration(b.N+10) * time.Second); err != nil {
		b.Fatal(err)
	}
}
