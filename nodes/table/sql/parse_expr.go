package sql

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/charset"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"simrun/nodes/codec"
)

func (tr *translator) expr(node ast.ExprNode) expr {
	switch n := node.(type) {
	case *ast.ParenthesesExpr:
		return tr.expr(n.Expr)
	case *ast.ColumnNameExpr:
		return columnRef{tr.columnName(n.Name)}
	case *ast.VariableExpr:
		if n.IsSystem || n.IsGlobal || n.Value != nil {
			break
		}
		tr.variables = append(tr.variables, n.Name)
		return variable{n.Name}
	case *ast.BinaryOperationExpr:
		return tr.binary(n)
	case *ast.UnaryOperationExpr:
		return tr.unary(n)
	case *ast.IsNullExpr:
		return negated(isNull{tr.expr(n.Expr)}, n.Not)
	case *ast.BetweenExpr:
		x := tr.expr(n.Expr)
		both := conjunction{compared{greaterEqual, x, tr.expr(n.Left)}, compared{lessEqual, x, tr.expr(n.Right)}}
		return negated(both, n.Not)
	case *ast.PatternInExpr:
		if n.Sel != nil || len(n.List) == 0 {
			break
		}
		x := tr.expr(n.Expr)
		var one expr
		for _, item := range n.List {
			next := compared{equal, x, tr.expr(item)}
			if one == nil {
				one = next
			} else {
				one = disjunction{one, next}
			}
		}
		return negated(one, n.Not)
	case ast.ParamMarkerExpr: // which is a ValueExpr too, of NULL
		tr.fail(node, "a parameter (?) is not offered: write a variable, @name")
		return constant{}
	case ast.ValueExpr:
		return tr.constant(n)
	}
	tr.fail(node, "this expression is not offered")
	return constant{}
}

func negated(e expr, not bool) expr {
	if not {
		return negation{e}
	}
	return e
}

func (tr *translator) binary(n *ast.BinaryOperationExpr) expr {
	a, b := tr.expr(n.L), tr.expr(n.R)
	switch n.Op {
	case opcode.LogicAnd:
		return conjunction{a, b}
	case opcode.LogicOr:
		return disjunction{a, b}
	case opcode.Plus:
		return calculated{'+', a, b}
	case opcode.Minus:
		return calculated{'-', a, b}
	case opcode.Mul:
		return calculated{'*', a, b}
	case opcode.EQ:
		return compared{equal, a, b}
	case opcode.NE:
		return compared{different, a, b}
	case opcode.LT:
		return compared{less, a, b}
	case opcode.LE:
		return compared{lessEqual, a, b}
	case opcode.GT:
		return compared{greater, a, b}
	case opcode.GE:
		return compared{greaterEqual, a, b}
	case opcode.NullEQ:
		return compared{same, a, b}
	default:
		tr.fail(n, "the operator %s is not offered", n.Op)
	}
	return constant{}
}

func (tr *translator) unary(n *ast.UnaryOperationExpr) expr {
	a := tr.expr(n.V)
	switch n.Op {
	case opcode.Plus:
		return a
	case opcode.Minus:
		if c, ok := a.(constant); ok {
			return tr.minus(n, c)
		}
		return opposite{a}
	case opcode.Not, opcode.Not2:
		return negation{a}
	default:
		tr.fail(n, "the operator %s is not offered", n.Op)
	}
	return constant{}
}

// minus is a constant with its sign; the least integer is one.
func (tr *translator) minus(n ast.Node, c constant) expr {
	switch {
	case c.Kind() == codec.KindInt && c.Int() != math.MinInt64:
		return constant{codec.Int(-c.Int())}
	case c.Kind() == codec.KindUint && c.Uint() == 1<<63:
		return constant{codec.Int(math.MinInt64)}
	case c.Kind() == codec.KindFloat:
		return constant{codec.Float(-c.Float())}
	case c.IsNull():
		return c
	}
	tr.fail(n, "-(%v) is no number, or out of range", c.Datum)
	return c
}

// constant is a number, a text or NULL. A number with a decimal point is a
// floating point number here. One without is an integer, and the parser makes a decimal
// number of it if that has more than 64 bits.
func (tr *translator) constant(n ast.ValueExpr) expr {
	switch v := n.GetValue().(type) {
	case nil:
		return constant{codec.Null()}
	case int64:
		return constant{codec.Int(v)}
	case uint64:
		return constant{codec.Uint(v)}
	case string:
		// The parser writes its default where the text has no charset.
		if set := n.GetType().GetCharset(); set != "" && set != mysql.DefaultCharset && set != charset.CharsetBin {
			tr.fail(n, "a text of a certain character set is not offered")
		}
		return constant{codec.Bytes(v)}
	case float64:
		return constant{codec.Float(v)}
	case interface{ String() string }: // a decimal number
		_, err := strconv.ParseUint(v.String(), 10, 64)
		if errors.Is(err, strconv.ErrRange) && !strings.Contains(v.String(), ".") {
			tr.fail(n, "%s has more than 64 bits: write %s.0 for a floating point number", v, v)
		}
		f, err := strconv.ParseFloat(v.String(), 64)
		if err == nil {
			return constant{codec.Float(f)}
		}
	}
	tr.fail(n, "this constant is not offered")
	return constant{}
}
