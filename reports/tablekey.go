package reports

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"simrun/nodes/codec"
	"simrun/sim/history"
)

// A history of tables has keys and values in hexadecimal, for they are bytes. People
// read them as what they mean:
//
//	t21_r7              the row 7 of table 21
//	t21_i1("ann", 7)    an entry of its index 1
//	m[DB:1/Table:15]    a field of a map of the schema
//	end of t21_r        the bound of a scan that is just after all of a prefix

// describe says in one line what an operation of a history was about, asked and answered.
// Of tables it leaves out what was read of the schema, which every transaction begins with.
func (t tables) describe(h *history.Header, op *history.Op) string {
	if op.Note != "" {
		plain := *op
		plain.Note = ""
		return op.Note + ": " + t.describe(h, &plain)
	}
	if !h.Hex || op.Txn == nil {
		return Visible(describeOp(op, value))
	}
	plain, record := *op, *op.Txn
	record.Ops = nil
	for _, o := range op.Txn.Ops {
		if isSchemaKey(o.Key) && (o.Kind == history.TxnRead || o.Kind == history.TxnScan) {
			continue
		}
		record.Ops = append(record.Ops, t.readable(o))
	}
	plain.Txn = &record
	text := Visible(describeOp(&plain, ready))
	switch n := len(op.Txn.Ops) - len(record.Ops); {
	case n > 0 && len(record.Ops) == 0:
		text = strings.TrimSuffix(text, "nothing") + plural(n, "read") + " of the schema"
	case n > 0:
		text += ", and " + plural(n, "read") + " of the schema"
	}
	return text
}

// readable returns a part of a transaction with keys and values as people read them.
func (t tables) readable(o history.TxnOp) history.TxnOp {
	if o.Value != nil {
		text := t.value(o.Key, *o.Value)
		o.Value = &text
	}
	pairs := make([]history.Pair, len(o.Pairs))
	for i, p := range o.Pairs {
		pairs[i] = history.Pair{Key: readableKey(p.Key), Value: t.value(p.Key, p.Value)}
	}
	o.Key, o.EndKey, o.Pairs = readableKey(o.Key), readableKey(o.EndKey), pairs
	return o
}

// hexKey finds the keys of tables and of the schema in a message.
var hexKey = regexp.MustCompile(`\b(0x)?(74|6d)[0-9a-f]{16,}\b`)

// readableMessage replaces the keys of tables in a message.
func readableMessage(h *history.Header, message string) string {
	if !h.Hex {
		return message
	}
	return hexKey.ReplaceAllStringFunc(message, func(key string) string {
		return readableKey(strings.TrimPrefix(key, "0x"))
	})
}

// readableKey is a key as people read it. What is no key of a table or of the schema
// stays as it is.
func readableKey(text string) string {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) == 0 {
		return text
	}
	words, known := "", false
	switch key[0] {
	case 't':
		words, known = tableKey(key[1:])
	case 'm':
		words, known = metaKey(key[1:])
	}
	if !known {
		return text
	}
	return words
}

// tableKey reads what follows the t of a key, or of the beginning of one.
func tableKey(b []byte) (words string, known bool) {
	table, rest, err := codec.DecodeInt64(b)
	if err != nil {
		return "", false
	}
	words = fmt.Sprintf("t%d", table)
	if len(rest) == 0 {
		return words, true
	}
	if len(rest) < 2 || rest[0] != '_' {
		return "", false
	}
	infix, rest := string(rest[:2]), rest[2:]
	switch infix {
	case "_r", "_i":
		return words + infix + identified(infix, rest), true
	case "_s", "_j":
		if len(rest) == 0 {
			return "end of " + words + string([]byte{'_', infix[1] - 1}), true
		}
	}
	return "", false
}

// identified reads the handle of a row, or the number of an index with its columns.
func identified(infix string, b []byte) string {
	if len(b) == 0 {
		return ""
	}
	id, rest, err := codec.DecodeInt64(b)
	if err != nil {
		return "+" + hex.EncodeToString(b)
	}
	words := fmt.Sprint(id)
	if infix == "_i" && len(rest) > 0 {
		var data []string
		for len(rest) > 0 {
			d, after, err := codec.DecodeDatum(rest)
			if err != nil {
				break
			}
			data, rest = append(data, d.String()), after
		}
		words += "(" + strings.Join(data, ", ") + ")"
	}
	if len(rest) > 0 { // a bound between two keys
		words += "+" + hex.EncodeToString(rest)
	}
	return words
}

// metaKey reads what follows the m of a key of the schema.
func metaKey(b []byte) (words string, known bool) {
	name, rest, err := codec.DecodeBytes(nil, b)
	if err != nil || !printable(name) {
		return "", false
	}
	kind, rest, err := codec.DecodeUint64(rest)
	switch {
	case err != nil:
		return "", false
	case kind == 's' && len(rest) == 0:
		return fmt.Sprintf("m[%s]", name), true
	case kind == 'h' && len(rest) == 0:
		return fmt.Sprintf("m[%s/]", name), true
	case kind == 'h'+1 && len(rest) == 0:
		return fmt.Sprintf("end of m[%s/]", name), true
	case kind != 'h':
		return "", false
	}
	field, rest, err := codec.DecodeBytes(nil, rest)
	if err != nil || len(rest) > 0 || !printable(field) {
		return "", false
	}
	return fmt.Sprintf("m[%s/%s]", name, field), true
}

// readableValue is a value that is text as that text. Others, such as rows, whose
// columns only the schema knows, stay as they are.
func readableValue(v *string) *string {
	if v == nil {
		return nil
	}
	b, err := hex.DecodeString(*v)
	if err != nil || len(b) == 0 || !printable(b) {
		return v
	}
	text := string(b)
	return &text
}

func printable(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return !unicode.IsPrint(r) })
}
