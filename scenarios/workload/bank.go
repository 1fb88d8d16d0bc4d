package workload

import (
	"fmt"
	"maps"
	"strconv"

	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// bank moves money between accounts that lie in many regions, and reads all of
// them at once: the total never changes. Accounts are closed - deleted, after
// their money was moved - and opened again by an insert, which fails if the
// account is open. Parameters: balance, what each account holds at the
// beginning; read, the share of full reads in per mille; turnover, the share of
// closings and openings among the changes; noted, the share of transfers that also
// note, in keys that follow the accounts, what they did; singly, the share of changes
// that read - and if they are pessimistic lock - one account after the other, so
// that two of them may wait for each other; newest and past, see instants.
type bank struct {
	instants instants
	accounts []string
	balance  int
	readRate int
	turnover int
	noted    int
	singly   int
}

const (
	accountPrefix = "acct/"
	// notePrefix begins the keys that tell of the last transfer of an account.
	notePrefix = "acct.note/"
	// partRate is the share of reads of some accounts, in per mille.
	partRate = 50
)

func newBank(cfg Config) *bank {
	return &bank{
		instants: newInstants(&cfg),
		accounts: Keys(accountPrefix, cfg.Keys),
		balance:  cfg.param("balance"),
		readRate: cfg.param("read"),
		turnover: cfg.param("turnover"),
		noted:    cfg.param("noted"),
		singly:   cfg.param("singly"),
	}
}

// Header implements Workload.
func (b *bank) Header(h *history.Header) {
	total := int64(b.balance) * int64(len(b.accounts))
	h.Bank = &history.Bank{Accounts: b.accounts, Total: &total, Closable: true}
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
	if b.instants.step(t, s, r, b.accounts, accountPrefix) {
		return
	}
	draw := r.IntN(1000)
	if draw < b.readRate {
		b.readAll(t, s, r)
		return
	}
	if draw < b.readRate+partRate || len(b.accounts) < 2 {
		_ = s.transaction(t, func(x *txn) error { return b.readPart(t, x, pick(r, b.accounts, 4)) })
		return
	}
	pair := pick(r, b.accounts, 2)
	amount := 1 + r.IntN(5)
	change := transfer
	if r.PerMille(b.turnover) {
		change = []func(env.Task, *txn, string, string, int) error{closing, opening, openingBlind, reservation}[r.IntN(4)]
	}
	noted, singly := r.PerMille(b.noted), r.PerMille(b.singly)
	_ = s.transaction(t, func(x *txn) error {
		x.noted, x.singly = noted, singly
		return change(t, x, pair[0], pair[1], amount)
	})
}

// readPart reads some accounts, at one instant, or each for itself under read
// committed.
func (*bank) readPart(t env.Task, x *txn, accounts []string) error {
	if !x.Options().ReadCommitted {
		_, err := x.readAll(t, accounts)
		return err
	}
	x.plain = true
	for _, a := range accounts {
		if _, err := x.read(t, a); err != nil {
			return err
		}
	}
	return nil
}

// Probe implements Workload: it writes every account's balance back, and opens
// those that are closed.
func (b *bank) Probe(t env.Task, s *Session) error {
	return s.transaction(t, func(x *txn) error {
		balances, err := x.readAll(t, b.accounts)
		if err != nil {
			return err
		}
		for _, a := range b.accounts {
			if balance, open := balances[a]; open {
				x.write(a, balance)
			} else if err := x.insert(t, a, "0"); err != nil {
				return err
			}
		}
		return nil
	})
}

// Audit implements Workload.
func (*bank) Audit(t env.Task, s *Session) error {
	return s.reading(t, func(x *txn) error {
		_, err := x.scan(t, accountPrefix, after(accountPrefix), 0, false)
		return err
	})
}

// readAll reads all accounts in one of the ways in which a user can. That it fails is in
// the record; the next step comes all the same.
func (b *bank) readAll(t env.Task, s *Session, r *stream.Stream) {
	way, page, reverse := r.IntN(4), 1+r.IntN(len(b.accounts)), r.PerMille(300)
	_ = s.reading(t, func(x *txn) error {
		switch way {
		case 0:
			_, err := x.readAll(t, b.accounts)
			return err
		case 1:
			return x.pages(t, accountPrefix, after(accountPrefix), page, reverse)
		}
		_, err := x.scan(t, accountPrefix, after(accountPrefix), 0, reverse)
		return err
	})
}

// balances reads two accounts and says which of them are open.
func balances(t env.Task, x *txn, from, to string) (a, b int, isOpen [2]bool, err error) {
	texts, err := x.readBoth(t, from, to)
	if err != nil {
		return 0, 0, isOpen, err
	}
	var both [2]int
	for i, account := range []string{from, to} {
		text, open := texts[account]
		if !open {
			continue
		}
		isOpen[i] = true
		if both[i], err = strconv.Atoi(text); err != nil {
			return 0, 0, isOpen, fmt.Errorf("account %s holds %q: %w", account, text, err)
		}
	}
	return both[0], both[1], isOpen, nil
}

// readBoth reads two accounts, together or one after the other; one that is closed
// is missing in the result.
func (x *txn) readBoth(t env.Task, from, to string) (map[string]string, error) {
	if !x.singly {
		return x.readAll(t, []string{from, to})
	}
	texts := map[string]string{}
	for _, account := range []string{from, to} {
		one, err := x.readAll(t, []string{account})
		if err != nil {
			return nil, err
		}
		maps.Copy(texts, one)
	}
	return texts, nil
}

// transfer moves an amount, or nothing if the balance does not suffice or an
// account is closed.
func transfer(t env.Task, x *txn, from, to string, amount int) error {
	a, b, isOpen, err := balances(t, x, from, to)
	if err != nil || !isOpen[0] || !isOpen[1] || a < amount {
		return err
	}
	x.write(from, strconv.Itoa(a-amount))
	x.write(to, strconv.Itoa(b+amount))
	if x.noted {
		x.derive(notePrefix+from, fmt.Sprintf("%d to %s", amount, to))
		x.derive(notePrefix+to, fmt.Sprintf("%d from %s", amount, from))
	}
	return nil
}

// closing closes an account and moves what it holds to another, which is opened
// if need be.
func closing(t env.Task, x *txn, from, to string, _ int) error {
	a, b, isOpen, err := balances(t, x, from, to)
	if err != nil || !isOpen[0] {
		return err
	}
	x.remove(from)
	if !isOpen[1] {
		return x.insert(t, to, strconv.Itoa(a))
	}
	x.write(to, strconv.Itoa(a+b))
	return nil
}

// opening opens an account that is closed, with money from another.
func opening(t env.Task, x *txn, from, to string, amount int) error {
	a, _, isOpen, err := balances(t, x, from, to)
	if err != nil || !isOpen[0] || isOpen[1] || a < amount {
		return err
	}
	x.write(from, strconv.Itoa(a-amount))
	return x.insert(t, to, strconv.Itoa(amount))
}

// openingBlind is opening by somebody who does not look whether the account is
// open: the insert does.
func openingBlind(t env.Task, x *txn, from, to string, amount int) error {
	text, err := x.read(t, from)
	if err != nil || text == "" {
		return err
	}
	a, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("account %s holds %q: %w", from, text, err)
	}
	if a < amount {
		return nil
	}
	x.write(from, strconv.Itoa(a-amount))
	return x.insert(t, to, strconv.Itoa(amount))
}

// reservation inserts an account and deletes it again: it succeeds if the
// account was closed, and changes nothing.
func reservation(t env.Task, x *txn, _, account string, _ int) error {
	if err := x.insert(t, account, "0"); err != nil {
		return err
	}
	x.remove(account)
	return nil
}
