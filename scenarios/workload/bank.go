package workload

import (
	"fmt"
	"strconv"

	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// bank moves money between accounts that lie in many regions, and reads all of
// them at once: the total never changes. Parameters: balance, what each account
// holds at the beginning; read, the share of full reads in per mille.
type bank struct {
	cfg      Config
	accounts []string
	balance  int
	readRate int
}

const accountPrefix = "acct/"

func newBank(cfg Config) *bank {
	return &bank{
		cfg:      cfg,
		accounts: keys(accountPrefix, cfg.Keys),
		balance:  cfg.param("balance"),
		readRate: cfg.param("read"),
	}
}

// Header implements Workload.
func (b *bank) Header(h *history.Header) {
	total := int64(b.balance) * int64(len(b.accounts))
	h.Bank = &history.Bank{Accounts: b.accounts, Total: &total}
}

// Setup implements Workload.
func (b *bank) Setup(t env.Task, s *Session) error {
	return s.transaction(t, func(x *txn) error {
		first, err := x.read(t, b.accounts[0])
		if err != nil || first != "" {
			return err
		}
		for _, a := range b.accounts {
			x.write(a, strconv.Itoa(b.balance))
		}
		return nil
	})
}

// Step implements Workload.
func (b *bank) Step(t env.Task, s *Session, r *stream.Stream) {
	draw := r.IntN(1000)
	switch {
	case draw < b.readRate:
		_ = b.readAll(t, s, r.PerMille(250))
	case draw < b.readRate+50 || len(b.accounts) < 2:
		_ = s.transaction(t, func(x *txn) error {
			_, err := x.readAll(t, pick(r, b.accounts, 4))
			return err
		})
	default:
		pair := pick(r, b.accounts, 2)
		amount := 1 + r.IntN(5)
		_ = s.transaction(t, func(x *txn) error { return transfer(t, x, pair[0], pair[1], amount) })
	}
}

// Probe implements Workload: it writes every account's balance back.
func (b *bank) Probe(t env.Task, s *Session) error {
	return s.transaction(t, func(x *txn) error {
		pairs, err := x.scan(t, accountPrefix, after(accountPrefix), false)
		for _, p := range pairs {
			x.write(p.Key, p.Value)
		}
		return err
	})
}

// Audit implements Workload.
func (b *bank) Audit(t env.Task, s *Session) error { return b.readAll(t, s, false) }

func (b *bank) readAll(t env.Task, s *Session, reverse bool) error {
	return s.transaction(t, func(x *txn) error {
		_, err := x.scan(t, accountPrefix, after(accountPrefix), reverse)
		return err
	})
}

// transfer moves an amount, or nothing if the balance does not suffice.
func transfer(t env.Task, x *txn, from, to string, amount int) error {
	balances, err := x.readAll(t, []string{from, to})
	if err != nil {
		return err
	}
	a, err := strconv.Atoi(balances[from])
	if err != nil {
		return fmt.Errorf("account %s holds %q: %w", from, balances[from], err)
	}
	b, err := strconv.Atoi(balances[to])
	if err != nil {
		return fmt.Errorf("account %s holds %q: %w", to, balances[to], err)
	}
	if a < amount {
		return nil
	}
	x.write(from, strconv.Itoa(a-amount))
	x.write(to, strconv.Itoa(b+amount))
	return nil
}
