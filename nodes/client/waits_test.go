package client

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/sim/stream"
)

// pessimist begins a pessimistic transaction and locks keys. Its client is one of its own,
// as the others would be beside it.
func (c *cluster) pessimist(task env.Task, name string, keys ...string) *Txn {
	c.Helper()
	client := NewWithTransport(c.env, c, c, c.client.cfg)
	client.jitter = stream.New(uint64(name[0]), "jitter")
	tx, err := client.BeginWith(task, TxnOptions{Pessimistic: true})
	if err == nil {
		c.tsNames[tx.StartTS()] = name
		err = tx.Lock(task, keysIn(keys)...)
	}
	if err != nil {
		c.Fatal(err)
	}
	return tx
}

// together runs what several clients do, to the end of all of them.
func (c *cluster) together(task env.Task, all ...func(task env.Task)) {
	done := 0
	for _, fn := range all {
		c.env.Sched.Go("beside", func(task env.Task) {
			fn(task)
			done++
		})
	}
	for done < len(all) {
		task.Sleep(time.Millisecond)
	}
}

// TestLongCircle: six transactions wait for one another in a circle. It is found when all
// the waits are in the graph at once, so whoever waits has to be there most of the time,
// however long it has waited; and when the lock comes free it is at hand.
func TestLongCircle(t *testing.T) {
	const n, timeout = 6, 200 * time.Millisecond
	for seed := range uint64(10) {
		c := newCluster(t, seed, Config{RPCTimeout: timeout}, false)
		c.run(func(task env.Task) {
			var txs []*Txn
			for i := range n {
				txs = append(txs, c.pessimist(task, string(rune('A'+i)), string(rune('a'+i))))
			}
			closed, over := int64(0), false
			var all []func(env.Task)
			for i, tx := range txs {
				all = append(all, func(task env.Task) {
					if i < n-1 {
						task.Sleep(time.Duration((i*317+int(seed)*13)%250) * time.Millisecond)
					} else {
						task.Sleep(3 * time.Second)
						closed = c.world.Now()
					}
					err := tx.Lock(task, []byte{byte('a' + (i+1)%n)})
					took := time.Duration(c.world.Now() - closed)
					switch {
					case !over && (!errors.Is(err, ErrDeadlock) || took > 5*timeout):
						t.Errorf("seed %d: %v after the circle was closed the first wait ended: %v", seed, took, err)
					case over && err != nil:
						t.Errorf("seed %d: behind the one that was ended: %v", seed, err)
					case took > 6*timeout:
						t.Errorf("seed %d: the locks were had after %v", seed, took)
					}
					over = true
					tx.Rollback(task)
				})
			}
			c.together(task, all...)
		})
	}
}

// TestPlaceInTheQueue: whoever has waited for a lock for long gets it as soon as it is
// released.
func TestPlaceInTheQueue(t *testing.T) {
	for seed := range uint64(10) {
		c := newCluster(t, seed, Config{}, false)
		c.run(func(task env.Task) {
			holder, waiter := c.pessimist(task, "H", "a"), c.pessimist(task, "W", "b")
			released := int64(0)
			c.together(task, func(task env.Task) {
				if err := waiter.Lock(task, []byte("a")); err != nil {
					t.Error(err)
				}
				if took := time.Duration(c.world.Now() - released); took > 20*time.Millisecond {
					t.Errorf("seed %d: the lock was had %v after its release", seed, took)
				}
				waiter.Rollback(task)
			}, func(task env.Task) {
				task.Sleep(4*time.Second + time.Duration(seed)*20*time.Millisecond)
				holder.Rollback(task)
				released = c.world.Now()
			})
		})
	}
}

// TestStoreThatDoesNotWait: a store that answers at once that a key is locked, or that it
// is busy, is not asked again and again without a pause.
func TestStoreThatDoesNotWait(t *testing.T) {
	for name, does := range map[string]func(c *cluster, holder *Txn) *rule{
		"locked": func(_ *cluster, holder *Txn) *rule {
			return &rule{keyError: &kvrpcpb.KeyError{Locked: &kvrpcpb.LockInfo{
				PrimaryLock: []byte("a"), LockVersion: holder.StartTS(), Key: []byte("a"),
				LockTtl: 3000, LockType: kvrpcpb.Op_PessimisticLock, LockForUpdateTs: holder.StartTS(),
			}}}
		},
		"busy": func(*cluster, *Txn) *rule { return &rule{answer: regionErrorNamed("ServerIsBusy")} },
	} {
		c := newCluster(t, 1, Config{OpTimeout: 5 * time.Second}, false)
		c.run(func(task env.Task) {
			holder, waiter := c.pessimist(task, "H", "a"), c.pessimist(task, "W", "b")
			asked := 0
			c.hooks = func(_ env.Task, m rpc.Method) *rule {
				if m != rpc.KvPessimisticLock {
					return nil
				}
				asked++
				return does(c, holder)
			}
			for _, wait := range []LockWait{WaitAlways, LockWait(5 * time.Second)} {
				asked = 0
				err := waiter.Statement(task, wait, func(uint64) ([][]byte, error) { return [][]byte{[]byte("a")}, nil })
				if !errors.Is(err, ErrFailed) || asked < 3 || asked > 50 {
					t.Errorf("%s, %v: asked %d times in 5 s: %v", name, wait, asked, err)
				}
			}
			holder.Rollback(task)
			waiter.Rollback(task)
		})
	}
}

// TestCircleOfStatements: transactions that hold nothing, and lock the same keys in orders
// of their own, get all of them one after the other.
func TestCircleOfStatements(t *testing.T) {
	repeated := 0
	for seed := range uint64(10) {
		c := newCluster(t, seed, Config{}, false, "h", "p")
		c.trace = func(line string) {
			if strings.Contains(line, "=> deadlock") {
				repeated++
			}
		}
		late := stream.New(seed, "late")
		c.hooks = func(_ env.Task, m rpc.Method) *rule {
			if m != rpc.KvPessimisticLock {
				return nil
			}
			return &rule{delay: time.Duration(late.IntN(5)+1) * time.Millisecond}
		}
		c.run(func(task env.Task) {
			var all []func(env.Task)
			for i := range 3 {
				tx := c.pessimist(task, string(rune('A'+i)))
				all = append(all, func(task env.Task) {
					task.Sleep(time.Duration((uint64(i)*317+seed*13)%5) * time.Millisecond)
					if err := tx.Lock(task, keysIn([]string{string(rune('a' + i)), "i", "j", "q", "r"})...); err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
					task.Sleep(10 * time.Millisecond)
					tx.Rollback(task)
				})
			}
			c.together(task, all...)
			if took := time.Duration(c.world.Now()); took > time.Second {
				t.Errorf("seed %d: %v", seed, took)
			}
		})
	}
	if repeated < 5 {
		t.Errorf("%d circles were closed", repeated)
	}
}

// TestCircleForEver: a statement that is told again and again that a lock of its own closes
// a circle tries for as long as it is to wait, with pauses, and it alone fails.
func TestCircleForEver(t *testing.T) {
	c := newCluster(t, 1, Config{OpTimeout: 2 * time.Second}, false)
	c.run(func(task env.Task) {
		tx := c.pessimist(task, "P", "b")
		asked := 0
		c.hooks = func(_ env.Task, m rpc.Method) *rule {
			if m != rpc.KvPessimisticLock {
				return nil
			}
			asked++
			return &rule{keyError: &kvrpcpb.KeyError{Deadlock: &kvrpcpb.Deadlock{
				LockTs: 1, LockKey: []byte("i"), DeadlockKey: []byte("a"), DeadlockKeyHash: 1,
			}}}
		}
		for wait, want := range map[LockWait]error{WaitAlways: ErrDeadline, LockWait(time.Second): ErrLockWait} {
			asked = 0
			began := c.world.Now()
			err := tx.Statement(task, wait, func(uint64) ([][]byte, error) { return [][]byte{[]byte("a"), []byte("i")}, nil })
			took := time.Duration(c.world.Now() - began)
			if !errors.Is(err, want) || errors.Is(err, ErrDeadlock) || asked < 5 || asked > 250 || took > 2100*time.Millisecond {
				t.Errorf("%v: asked %d times in %v: %v", wait, asked, took, err)
			}
		}
		err := tx.Statement(task, WaitAlways, func(uint64) ([][]byte, error) { return [][]byte{[]byte("i")}, nil })
		if !errors.Is(err, ErrDeadlock) {
			t.Errorf("others wait for another key than that of the statement: %v", err)
		}
		c.hooks = nil
		if err = tx.Lock(task, []byte("c")); err != nil {
			t.Error(err)
		}
		tx.Rollback(task)
	})
}

// TestCommitsInACircle: each of two transactions prewrites a key that the other one has
// locked. The younger one gives way, and the older one commits, whichever began to commit
// first and wherever the keys are. Only if one has waited for about as long as it would
// anyhow, when the other one begins, may both have given way.
func TestCommitsInACircle(t *testing.T) {
	const timeout = 400 * time.Millisecond
	for _, splits := range [][]string{nil, {"h"}} {
		for _, late := range []time.Duration{-150, -80, -10, 0, 10, 80, 150} {
			c := newCluster(t, uint64(late+200), Config{RPCTimeout: timeout}, false, splits...)
			c.run(func(task env.Task) {
				p, q := c.pessimist(task, "P", "a"), c.pessimist(task, "Q", "i")
				if p.Insert([]byte("i"), []byte("p")) != nil || q.Insert([]byte("a"), []byte("q")) != nil {
					t.Fatal("no lazy inserts")
				}
				commit := func(tx *Txn, after time.Duration, want error) func(env.Task) {
					return func(task env.Task) {
						task.Sleep(max(after, 0) * time.Millisecond)
						began := c.world.Now()
						err := tx.Commit(task)
						if took := time.Duration(c.world.Now() - began); !errors.Is(err, want) || took > 3*timeout {
							t.Errorf("splits %v, %d begins %v after the other one: after %v %v", splits, tx.StartTS(), after*time.Millisecond, took, err)
						}
					}
				}
				c.together(task, commit(p, -late, nil), commit(q, late, ErrWriteConflict))
				c.settle(task)
				if locks := c.lockedKeys(); locks != "" {
					t.Errorf("locks are left: %s", locks)
				}
			})
		}
	}
}

// TestCommitAgainstStatement: a transaction prewrites a key that another one has locked,
// which waits on its store for a key of the first one: that gives way, older or younger.
func TestCommitAgainstStatement(t *testing.T) {
	const timeout = 400 * time.Millisecond
	for _, older := range []bool{false, true} {
		c := newCluster(t, 1, Config{RPCTimeout: timeout}, false, "h")
		c.run(func(task env.Task) {
			p, q := c.pessimist(task, "P"), c.pessimist(task, "Q")
			if !older {
				p, q = q, p
			}
			if err := errors.Join(p.Lock(task, []byte("a")), q.Lock(task, []byte("i"))); err != nil {
				t.Fatal(err)
			}
			p.Set([]byte("i"), []byte("p"))
			c.together(task, func(task env.Task) {
				began := c.world.Now()
				err := p.Commit(task)
				if took := time.Duration(c.world.Now() - began); !errors.Is(err, ErrWriteConflict) || took > 2*timeout {
					t.Errorf("older %v: after %v %v", older, took, err)
				}
			}, func(task env.Task) {
				task.Sleep(5 * time.Millisecond)
				if err := q.Lock(task, []byte("a")); err != nil {
					t.Errorf("older %v: %v", older, err)
				}
				q.Set([]byte("i"), []byte("q"))
				if err := q.Commit(task); err != nil {
					t.Errorf("older %v: %v", older, err)
				}
			})
		})
	}
}

// TestPatienceAtDerivedKeys: whoever has locked a key that is written by itself is given
// way to. The lock at a key that another one stands for is waited for: its holder is on the
// way to its end, slow as it may be.
func TestPatienceAtDerivedKeys(t *testing.T) {
	for _, derived := range []bool{false, true} {
		c := newCluster(t, 1, Config{}, false)
		c.run(func(task env.Task) {
			slow := c.pessimist(task, "S", "a")
			slow.SetDerived([]byte("entry"), []byte("s"))
			slow.BeforeCommit(func(t env.Task, _ uint64) error {
				t.Sleep(2 * time.Second)
				return nil
			}, 0)
			c.together(task, func(task env.Task) {
				if err := slow.Commit(task); err != nil {
					t.Error(err)
				}
			}, func(task env.Task) {
				task.Sleep(20 * time.Millisecond)
				tx := c.pessimist(task, "T", "b")
				write, want := tx.Set, ErrWriteConflict
				if derived {
					write, want = tx.SetDerived, nil
				}
				write([]byte("entry"), []byte("t"))
				if err := tx.Commit(task); !errors.Is(err, want) {
					t.Errorf("derived %v: %v", derived, err)
				}
			})
		})
	}
}
