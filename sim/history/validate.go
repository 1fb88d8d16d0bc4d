package history

import (
	"errors"
	"fmt"
	"slices"
)

// Validator checks that operations, given in the order of return, make a
// history that a checker can rely on. What it rejects is a fault of the record,
// never of the system under test.
type Validator struct {
	seen       map[int]struct{}
	lastReturn map[int]int64 // per client
	latest     int64         // latest return so far
	first      bool
}

// NewValidator returns a validator for one history.
func NewValidator() *Validator {
	return &Validator{seen: map[int]struct{}{}, lastReturn: map[int]int64{}, first: true}
}

// Validate checks a whole history.
func Validate(h *History) error {
	v := NewValidator()
	for i := range h.Ops {
		if err := v.Check(&h.Ops[i]); err != nil {
			return fmt.Errorf("history: operation %d of %d: %w", i+1, len(h.Ops), err)
		}
	}
	return nil
}

// Check takes the next operation.
func (v *Validator) Check(op *Op) error {
	if _, dup := v.seen[op.ID]; dup {
		return fmt.Errorf("id %d stands twice", op.ID)
	}
	switch op.Outcome {
	case OK, Failed, Unknown:
	default:
		return fmt.Errorf("outcome %q is none of %q, %q, %q", op.Outcome, OK, Failed, Unknown)
	}
	if op.Invoke < 0 {
		return fmt.Errorf("id %d is invoked at %d, before the beginning", op.ID, op.Invoke)
	}
	if op.Return < op.Invoke {
		return fmt.Errorf("id %d returns at %d, before its invocation at %d", op.ID, op.Return, op.Invoke)
	}
	if last, ok := v.lastReturn[op.Client]; ok && op.Invoke < last {
		return fmt.Errorf("client %d invokes id %d at %d while its previous operation runs until %d; a client is sequential",
			op.Client, op.ID, op.Invoke, last)
	}
	if !v.first && op.Return < v.latest {
		return fmt.Errorf("id %d returns at %d and stands after one that returns at %d; operations stand in the order of return",
			op.ID, op.Return, v.latest)
	}
	if err := op.validate(); err != nil {
		return fmt.Errorf("id %d: %w", op.ID, err)
	}
	v.first = false
	v.latest = op.Return
	v.seen[op.ID] = struct{}{}
	v.lastReturn[op.Client] = op.Return
	return nil
}

func (op *Op) validate() error {
	switch op.Kind {
	case "":
		return errors.New("it has no kind")
	case Txn:
		if op.Txn == nil {
			return errors.New(`a transaction needs the field "txn"`)
		}
		if op.Key != "" || op.Value != nil || op.Expected != nil || op.Swapped {
			return errors.New("a transaction has no key or value of its own")
		}
		if err := op.Txn.validateStatements(op.Invoke, op.Return); err != nil {
			return err
		}
		return op.Txn.validate(op.Outcome)
	case CAS, Append:
		if op.Value == nil {
			return fmt.Errorf("kind %q needs a value", op.Kind)
		}
	case Acquire, Release:
		if op.Value != nil {
			return fmt.Errorf("kind %q has no value", op.Kind)
		}
	case Timestamp:
		if op.Key != "" || (op.Value != nil) != (op.Outcome == OK) {
			return fmt.Errorf("kind %q has no key, and a value if and only if it is %q", op.Kind, OK)
		}
	case Read, Write:
	}
	if op.Txn != nil {
		return fmt.Errorf("kind %q has no transaction", op.Kind)
	}
	if op.Kind != CAS && (op.Expected != nil || op.Swapped) {
		return fmt.Errorf("kind %q has neither an expected value nor a swap", op.Kind)
	}
	if op.Swapped && op.Outcome != OK {
		return fmt.Errorf("a swap of outcome %q cannot be known to have happened", op.Outcome)
	}
	return nil
}

func (t *TxnRecord) validate(outcome Outcome) error {
	if t.StartTS == 0 && t.CommitTS != 0 {
		return errors.New("it has a commit timestamp and no start timestamp")
	}
	if outcome == OK && t.StartTS != 0 && t.CommitTS == 0 && t.Writes() {
		return errors.New("it wrote, is committed, and has no commit timestamp")
	}
	if err := t.validateReader(outcome); err != nil {
		return err
	}
	for i := range t.Ops {
		if err := t.Ops[i].validate(); err != nil {
			return fmt.Errorf("its operation %d: %w", i, err)
		}
	}
	return nil
}

// validateStatements checks that the transaction's statements were issued one after
// another while it ran, and that its operations are of these statements. Whether their
// timestamps are right is not for the record to say.
func (t *TxnRecord) validateStatements(invoke, ret int64) error {
	if len(t.Statements) > 0 && (t.Newest || t.AsOf) {
		return errors.New("it reads at a single instant, and has statements with others")
	}
	earliest, latest := invoke, ret
	for i := range t.Statements {
		s := &t.Statements[i]
		if s.TS == 0 || s.Invoke < earliest || s.Invoke > latest {
			return fmt.Errorf("its statement %d of timestamp %d is invoked at %d, which is not between %d and %d", i, s.TS, s.Invoke, earliest, latest)
		}
		earliest = s.Invoke
	}
	for i := range t.Ops {
		op := &t.Ops[i]
		listed := func(s Statement) bool { return s.TS == op.TS }
		if op.TS != 0 && len(t.Statements) > 0 && !slices.ContainsFunc(t.Statements, listed) {
			return fmt.Errorf("its operation %d is at %d, and it has no such statement", i, op.TS)
		}
		if t.ReadCommitted && op.TS == 0 && !op.Kind.Writes() && !t.wrote(op.Key, i) {
			return fmt.Errorf("it reads what is committed, and its operation %d does not say at which timestamp", i)
		}
	}
	return nil
}

// wrote says whether one of the first n operations wrote the key.
func (t *TxnRecord) wrote(key string, n int) bool {
	return slices.ContainsFunc(t.Ops[:n], func(op TxnOp) bool {
		return op.Key == key && op.Kind.Writes() && op.Kind != TxnLock
	})
}

// validateReader checks what the special ways of reading must not hold.
func (t *TxnRecord) validateReader(outcome Outcome) error {
	switch {
	case t.Newest && t.StartTS != 0:
		return errors.New("it reads what is newest, and has a start timestamp")
	case t.Newest && (len(t.Ops) > 1 || len(t.Ops) == 1 && (t.Ops[0].Kind != TxnRead || t.Ops[0].TS != 0)):
		return errors.New("it reads what is newest, which is one read without a timestamp")
	case t.Newest && outcome == OK && len(t.Ops) == 0:
		return errors.New("it reads what is newest, is ok, and holds no answer")
	case t.AsOf && t.StartTS == 0:
		return errors.New("it reads at a timestamp of the past, and has none")
	case t.AsOf && (t.Writes() || t.CommitTS != 0):
		return errors.New("it reads at a timestamp of the past, and writes")
	}
	return nil
}

func (o *TxnOp) validate() error {
	if o.Kind != TxnScan && (o.EndKey != "" || o.Limit != 0 || o.Reverse || o.Pairs != nil) {
		return fmt.Errorf("kind %q has none of the fields of a scan", o.Kind)
	}
	if o.TS != 0 && o.Kind != TxnRead && o.Kind != TxnScan && o.Kind != TxnLock {
		return fmt.Errorf("kind %q has no timestamp of its own", o.Kind)
	}
	switch o.Kind {
	case TxnRead:
	case TxnWrite, TxnAppend:
		if o.Value == nil {
			return fmt.Errorf("kind %q needs a value", o.Kind)
		}
	case TxnDelete, TxnLock:
		if o.Value != nil {
			return fmt.Errorf("kind %q has no value", o.Kind)
		}
	case TxnScan:
		switch {
		case o.Value != nil:
			return errors.New("a scan has pairs, no value")
		case o.Limit < 0:
			return fmt.Errorf("a limit of %d", o.Limit)
		}
	default:
		return fmt.Errorf("kind %q is unknown", o.Kind)
	}
	return nil
}
