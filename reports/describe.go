package reports

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"simrun/sim/history"
)

// maxValue is how many characters of a value are shown.
const maxValue = 48

// seconds is a virtual instant as people read it: 1234567890 is 1.234567s.
func seconds(ns int64) string {
	sign := ""
	if ns < 0 {
		sign, ns = "-", -ns
	}
	return fmt.Sprintf("%s%d.%06ds", sign, ns/1e9, ns%1e9/1e3)
}

// grouped writes a number with commas between groups of three digits.
func grouped[T int | int64 | uint64](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// byteSize writes a number of bytes with three or four digits.
func byteSize(n uint64) string {
	for _, unit := range []string{"bytes", "KiB", "MiB"} {
		if n < 10_000 {
			return grouped(n) + " " + unit
		}
		n /= 1024
	}
	return grouped(n) + " GiB"
}

// plural joins a number and a noun.
func plural[T int | int64 | uint64](n T, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "sh"):
		return grouped(n) + " " + noun + "es"
	}
	return grouped(n) + " " + noun + "s"
}

// describeTimes says who did an operation when, and how it ended.
func describeTimes(op *history.Op) string {
	s := fmt.Sprintf("client %d, %s to %s, %s", op.Client, seconds(op.Invoke), seconds(op.Return), op.Outcome)
	if op.Error != "" {
		s += " (" + Visible(clip(op.Error, 2*maxValue)) + ")"
	}
	return s
}

// describeOp says in one line what an operation was asked and answered; value writes the
// values.
func describeOp(op *history.Op, value func(*string) string) string {
	switch op.Kind {
	case history.Read:
		return "read " + op.Key + result(op, "="+value(op.Value))
	case history.Write:
		return "write " + op.Key + "=" + value(op.Value)
	case history.CAS:
		swapped := ": not swapped"
		if op.Swapped {
			swapped = ": swapped"
		}
		return fmt.Sprintf("compare-and-swap %s from %s to %s%s", op.Key, value(op.Expected), value(op.Value), result(op, swapped))
	case history.Append:
		return "append " + value(op.Value) + " to " + op.Key
	case history.Acquire, history.Release:
		return string(op.Kind) + " " + op.Key
	case history.Timestamp:
		return "timestamp" + result(op, " "+value(op.Value))
	case history.Txn:
		if op.Txn != nil {
			return describeTxn(op, value)
		}
	}
	return strings.TrimSpace(string(op.Kind) + " " + op.Key)
}

// result is what an operation answered, which only one that is OK did.
func result(op *history.Op, text string) string {
	if op.Outcome == history.OK {
		return text
	}
	return ""
}

func describeTxn(op *history.Op, value func(*string) string) string {
	var b strings.Builder
	switch {
	case op.Txn.Newest:
		b.WriteString("newest version")
	case op.Txn.AsOf:
		fmt.Fprintf(&b, "snapshot of the past, %d", op.Txn.StartTS)
	default:
		fmt.Fprintf(&b, "transaction, start %d", op.Txn.StartTS)
	}
	if op.Txn.ReadCommitted {
		b.WriteString(", read committed")
	}
	if op.Txn.CommitTS != 0 {
		fmt.Fprintf(&b, ", commit %d", op.Txn.CommitTS)
	}
	b.WriteString(":")
	for i := range op.Txn.Ops {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(" " + describeTxnOp(&op.Txn.Ops[i], value))
	}
	if len(op.Txn.Ops) == 0 {
		b.WriteString(" nothing")
	}
	return b.String()
}

func describeTxnOp(op *history.TxnOp, value func(*string) string) string {
	if op.TS != 0 {
		plain := *op
		plain.TS = 0
		return fmt.Sprintf("%s at %d", describeTxnOp(&plain, value), op.TS)
	}
	switch op.Kind {
	case history.TxnRead:
		return "read " + op.Key + "=" + value(op.Value)
	case history.TxnWrite:
		return "write " + op.Key + "=" + value(op.Value)
	case history.TxnDelete:
		return "delete " + op.Key
	case history.TxnAppend:
		return "append " + value(op.Value) + " to " + op.Key
	case history.TxnLock:
		return "lock " + op.Key
	case history.TxnScan:
		return describeScan(op, value)
	}
	return string(op.Kind) + " " + op.Key
}

func describeScan(op *history.TxnOp, value func(*string) string) string {
	var b strings.Builder
	if op.Reverse {
		b.WriteString("reverse ")
	}
	fmt.Fprintf(&b, "scan [%s, %s)", op.Key, op.EndKey)
	if op.Limit > 0 {
		fmt.Fprintf(&b, " limit %d", op.Limit)
	}
	b.WriteString(" = {")
	for i, p := range op.Pairs {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(p.Key + "=" + value(&p.Value))
	}
	b.WriteString("}")
	return b.String()
}

// value is a value as people read it; nil is an absent key.
func value(v *string) string { return valueText(v, maxValue) }

// ready is a value that has been made readable already.
func ready(v *string) string {
	if v == nil {
		return "none"
	}
	return *v
}

func valueText(v *string, limit int) string {
	switch {
	case v == nil:
		return "none"
	case *v == "" || strings.ContainsAny(*v, " \t\r\n\"{}=,"):
		return strconv.Quote(clip(*v, limit))
	}
	return clip(*v, limit)
}

// clip shortens a string to so many characters.
func clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
