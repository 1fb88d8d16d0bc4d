// Package rpc carries requests and responses over a network that loses,
// delays, duplicates and reorders datagrams.
//
//	ep := rpc.NewEndpoint(e)
//	rpc.Handle(ep, rpc.KvGet, func(t env.Task, from env.Addr, req *kvrpcpb.GetRequest) *kvrpcpb.GetResponse { ... })
//	...
//	err := rpc.Call(t, ep, store, rpc.KvGet, req, resp, time.Second)
//
// It gives what a connection-oriented transport gives, and no more: a request
// is executed at most once. Each process has a random boot number. A request
// names the boot number of the process for which it is meant, and that process
// remembers the numbers of the requests it has seen; a process that is not
// meant answers with its own boot number and does not execute anything. The
// first request to a node therefore costs a round trip more, as connecting
// does. No request is repeated by this package: whoever repeats one decides
// that it may be executed twice.
package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

var (
	// ErrRefused means that the request was definitely not executed: no
	// connection came about, or the node has no such service.
	ErrRefused = errors.New("request refused")
	// ErrReset means that the node was restarted while the request was under
	// way. As after a timeout the request may or may not have been executed.
	ErrReset = fmt.Errorf("connection reset: %w", env.ErrTimeout)
)

//nolint:gochecknoglobals // marks register once
var (
	markDuplicate = invariant.NewMark("rpc: duplicated request dropped")
	markReset     = invariant.NewMark("rpc: request reached a later process of its node")
	markLate      = invariant.NewMark("rpc: response came after its caller had given up")
	markLateTo    = lateMarks()
)

// Message is a request or response, as generated from kvproto.
type Message interface {
	Size() int
	MarshalTo(buf []byte) (int, error)
	Unmarshal(buf []byte) error
}

// frame kinds.
const (
	frameOneWay byte = iota
	frameRequest
	frameResponse
	frameRefused // this boot has no such service
	frameReset   // this boot is not the one that was meant
)

// header is the length of the header of all frames but one-way ones: kind,
// method, boot of the client, boot of the server, number.
const header = 2 + 8 + 8 + 8

// Endpoint sends and receives for one process.
type Endpoint struct {
	env      *env.Env
	boot     uint64 // never 0
	links    map[env.Addr]*link
	seen     map[origin]*window
	handlers [numMethods]func(from env.Addr, f frame)
}

// origin is a process of another node, as a sender of requests.
type origin struct {
	addr env.Addr
	boot uint64
}

// link is the way to another node, as a receiver of requests.
type link struct {
	boot    uint64 // of the process there, as far as we know; 0: unknown
	next    uint64 // number of the next request
	pending map[uint64]*call
}

// call is a request that waits for its response.
type call struct {
	result env.Future[[]byte]
}

// frame is a received datagram.
type frame struct {
	method     Method
	clientBoot uint64
	serverBoot uint64
	number     uint64
	body       []byte
}

// NewEndpoint takes over the process's network.
func NewEndpoint(e *env.Env) *Endpoint {
	ep := &Endpoint{
		env:   e,
		boot:  e.Streams.Stream("rpc boot").Uint64() | 1,
		links: map[env.Addr]*link{},
		seen:  map[origin]*window{},
	}
	e.Net.Receive(ep.receive)
	return ep
}

// Send sends a one-way message; it may be lost, duplicated and reordered.
func (ep *Endpoint) Send(to env.Addr, m Method, body []byte) {
	buf := make([]byte, 2+len(body))
	buf[0], buf[1] = frameOneWay, byte(m)
	copy(buf[2:], body)
	ep.env.Net.Send(to, buf)
}

// HandleRaw installs the receiver of a one-way method.
func (ep *Endpoint) HandleRaw(m Method, h func(from env.Addr, body []byte)) {
	ep.handlers[m] = func(from env.Addr, f frame) { h(from, f.body) }
}

// Handle installs the handler of a method. It runs in a task of its own, so it
// may wait. If it returns nil, the caller gets no answer.
func Handle[Q, P any, Request pointer[Q], Response pointer[P]](
	ep *Endpoint, m Method, h func(t env.Task, from env.Addr, req Request) Response,
) {
	name := m.String()
	ep.handlers[m] = func(from env.Addr, f frame) {
		req := decode[Q, Request](f)
		ep.env.Sched.Go(name, func(t env.Task) {
			if resp := h(t, from, req); resp != nil {
				ep.respond(from, frameResponse, f, resp)
			}
		})
	}
}

// HandleFast installs a handler that does not wait. It runs in the callback.
func HandleFast[Q, P any, Request pointer[Q], Response pointer[P]](
	ep *Endpoint, m Method, h func(from env.Addr, req Request) Response,
) {
	ep.handlers[m] = func(from env.Addr, f frame) {
		if resp := h(from, decode[Q, Request](f)); resp != nil {
			ep.respond(from, frameResponse, f, resp)
		}
	}
}

// pointer is a message type, given the struct that it points to.
type pointer[T any] interface {
	*T
	Message
}

func decode[Q any, Request pointer[Q]](f frame) Request {
	req := Request(new(Q))
	err := req.Unmarshal(f.body)
	invariant.Check(err == nil, "rpc: malformed %s request: %v", f.method, err)
	return req
}

// Call sends a request and waits for the response, at most for limit. After
// env.ErrTimeout or ErrReset (which is one) the request may have been executed
// or still be; after ErrRefused it was not and will not be.
func Call(t env.Task, ep *Endpoint, to env.Addr, m Method, req, resp Message, limit time.Duration) error {
	deadline := ep.env.Clock.Monotonic() + limit
	l := ep.link(to)
	for l.boot == 0 {
		if err := ep.connect(t, to, l, m, deadline); err != nil {
			return err
		}
	}
	body, err := ep.exchange(t, to, l, m, req, deadline)
	if err != nil {
		return err
	}
	err = resp.Unmarshal(body)
	invariant.Check(err == nil, "rpc: malformed %s response: %v", m, err)
	return nil
}

// connect learns the boot number of the other side by a request that it will
// not execute.
func (ep *Endpoint) connect(t env.Task, to env.Addr, l *link, m Method, deadline time.Duration) error {
	_, err := ep.exchange(t, to, l, m, nil, deadline)
	if err != nil && !errors.Is(err, ErrReset) {
		return fmt.Errorf("%w: no connection", ErrRefused)
	}
	return nil
}

func (ep *Endpoint) exchange(t env.Task, to env.Addr, l *link, m Method, req Message, deadline time.Duration) ([]byte, error) {
	c := &call{}
	number := l.next
	l.next++
	l.pending[number] = c
	ep.env.Net.Send(to, encode(frameRequest, m, ep.boot, l.boot, number, req))
	body, err := c.result.Await(t, max(deadline-ep.env.Clock.Monotonic(), 0))
	delete(l.pending, number)
	return body, err
}

func (ep *Endpoint) link(to env.Addr) *link {
	l := ep.links[to]
	if l == nil {
		l = &link{pending: map[uint64]*call{}}
		ep.links[to] = l
	}
	return l
}

func (ep *Endpoint) respond(to env.Addr, kind byte, f frame, resp Message) {
	ep.env.Net.Send(to, encode(kind, f.method, f.clientBoot, ep.boot, f.number, resp))
}

func encode(kind byte, m Method, clientBoot, serverBoot, number uint64, body Message) []byte {
	size := 0
	if body != nil {
		size = body.Size()
	}
	buf := make([]byte, header+size)
	buf[0], buf[1] = kind, byte(m)
	binary.LittleEndian.PutUint64(buf[2:], clientBoot)
	binary.LittleEndian.PutUint64(buf[10:], serverBoot)
	binary.LittleEndian.PutUint64(buf[18:], number)
	if body != nil {
		n, err := body.MarshalTo(buf[header:])
		invariant.Check(err == nil && n == size, "rpc: cannot encode %s: %v", m, err)
	}
	return buf
}

// receive takes a datagram from the network.
func (ep *Endpoint) receive(from env.Addr, buf []byte) {
	invariant.Check(len(buf) >= 2 && buf[1] < byte(numMethods), "rpc: malformed datagram")
	f := frame{method: Method(buf[1])}
	if buf[0] == frameOneWay {
		f.body = buf[2:]
		if h := ep.handlers[f.method]; h != nil {
			h(from, f)
		}
		return
	}
	invariant.Check(len(buf) >= header, "rpc: datagram of %d bytes", len(buf))
	f.clientBoot = binary.LittleEndian.Uint64(buf[2:])
	f.serverBoot = binary.LittleEndian.Uint64(buf[10:])
	f.number = binary.LittleEndian.Uint64(buf[18:])
	f.body = buf[header:]
	if buf[0] == frameRequest {
		ep.receiveRequest(from, f)
	} else {
		ep.receiveResponse(from, buf[0], f)
	}
}

func (ep *Endpoint) receiveRequest(from env.Addr, f frame) {
	if f.serverBoot != ep.boot {
		if f.serverBoot != 0 {
			markReset.Reached()
		}
		ep.respond(from, frameReset, f, nil)
		return
	}
	key := origin{from, f.clientBoot}
	w := ep.seen[key]
	if w == nil {
		w = &window{}
		ep.seen[key] = w
	}
	if !w.admit(f.number) {
		markDuplicate.Reached()
		return
	}
	h := ep.handlers[f.method]
	if h == nil {
		ep.respond(from, frameRefused, f, nil)
		return
	}
	h(from, f)
}

func (ep *Endpoint) receiveResponse(from env.Addr, kind byte, f frame) {
	if f.clientBoot != ep.boot {
		return // for an earlier process of this node
	}
	l := ep.links[from]
	if l == nil {
		return
	}
	c := l.pending[f.number]
	if c == nil {
		markLate.Reached()
		if late := markLateTo[f.method]; late != nil && kind == frameResponse {
			late.Reached()
		}
		return
	}
	switch kind {
	case frameResponse:
		c.result.Resolve(f.body, nil)
	case frameRefused:
		c.result.Resolve(nil, ErrRefused)
	case frameReset:
		l.boot = f.serverBoot
		c.result.Resolve(nil, ErrReset)
	default:
		invariant.Fail("rpc: frame of kind %d", kind)
	}
}
