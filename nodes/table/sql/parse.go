package sql

import (
	"fmt"
	"strings"
	"time"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver" // the parser needs a driver for constants; this is its small one

	"simrun/nodes/client"
	"simrun/nodes/table"
	"simrun/nodes/table/kv"
)

// Parse reads statements, each ended by a semicolon or by the end of the text.
// The error is an *Error.
func Parse(text string) ([]*Statement, error) {
	nodes, _, err := parser.New().ParseSQL(text)
	if err != nil {
		return nil, syntax(text, err)
	}
	var statements []*Statement
	offset := 0
	for _, node := range nodes {
		written := node.OriginalText()
		if i := strings.Index(text[offset:], written); i >= 0 {
			offset += i
		}
		tr := &translator{text: text, start: offset + len(written) - len(strings.TrimLeft(written, " \t\r\n"))}
		run := tr.statement(node)
		if tr.err != nil {
			return nil, tr.err
		}
		statements = append(statements, &Statement{Text: strings.TrimRight(strings.TrimSpace(written), "; \t\r\n"), Variables: tr.variables, run: run})
		offset += len(written)
	}
	return statements, nil
}

// translator makes a statement of what the parser has made of the text. After an
// error its methods return anything.
type translator struct {
	text  string
	start int // of the statement
	err   *Error
	// variables are those of the expressions so far.
	variables []string
}

// fail records the first error. The parser knows where expressions stand; of
// anything else only the statement is known.
func (tr *translator) fail(n ast.Node, format string, args ...any) {
	if tr.err != nil {
		return
	}
	offset := tr.start
	if n != nil && n.OriginTextPosition() > tr.start {
		offset = n.OriginTextPosition()
	}
	tr.err = at(tr.text, offset, format, args...)
}

// not refuses a part of a statement that is not offered, if it is there.
func (tr *translator) not(there bool, what string) {
	if there {
		tr.fail(nil, "%s is not offered", what)
	}
}

func (tr *translator) statement(node ast.StmtNode) runner {
	switch n := node.(type) {
	case *ast.CreateTableStmt:
		return tr.createTable(n)
	case *ast.DropTableStmt:
		tr.not(n.IfExists || n.IsView || n.TemporaryKeyword != ast.TemporaryNone || len(n.Tables) != 1, "DROP of anything but one table")
		return dropTable{tr.tableName(n.Tables[0])}
	case *ast.CreateIndexStmt:
		return tr.createIndex(n)
	case *ast.DropIndexStmt:
		tr.not(n.IfExists || n.IsHypo || n.LockAlg != nil, "DROP INDEX IF EXISTS, or with ALGORITHM or LOCK,")
		return dropIndex{tr.tableName(n.Table), n.IndexName}
	case *ast.AlterTableStmt:
		return tr.alterTable(n)
	case *ast.InsertStmt:
		return tr.insert(n)
	case *ast.SelectStmt:
		return tr.query(n)
	case *ast.UpdateStmt:
		tr.not(n.MultipleTable || n.IgnoreErr || n.With != nil || n.Priority != 0 || len(n.TableHints) > 0, "this kind of UPDATE")
		u := update{source: tr.source(n.TableRefs, n.Where, n.Order, n.Limit)}
		for _, a := range n.List {
			u.sets = append(u.sets, assignment{tr.columnName(a.Column), tr.expr(a.Expr)})
		}
		return u
	case *ast.DeleteStmt:
		tr.not(n.IsMultiTable || n.IgnoreErr || n.Quick || n.With != nil || n.Priority != 0 || len(n.TableHints) > 0, "this kind of DELETE")
		return remove{tr.source(n.TableRefs, n.Where, n.Order, n.Limit)}
	case *ast.BeginStmt:
		tr.not(n.ReadOnly || n.CausalConsistencyOnly || n.AsOf != nil, "BEGIN with options other than PESSIMISTIC and OPTIMISTIC")
		return begin{map[string]kv.Mode{ast.Pessimistic: kv.Pessimistic, ast.Optimistic: kv.Optimistic}[n.Mode]}
	case *ast.CommitStmt:
		tr.not(n.CompletionType != ast.CompletionTypeDefault, "COMMIT with options")
		return commit{}
	case *ast.RollbackStmt:
		tr.not(n.CompletionType != ast.CompletionTypeDefault || n.SavepointName != "", "ROLLBACK with options")
		return rollback{}
	case *ast.AdminStmt:
		tr.not(n.Tp != ast.AdminCheckTable, "ADMIN of anything but CHECK TABLE")
		var c checkTable
		for _, name := range n.Tables {
			c.tables = append(c.tables, tr.tableName(name))
		}
		return c
	}
	tr.fail(nil, "this statement is not offered: there are CREATE TABLE, DROP TABLE, CREATE INDEX, DROP INDEX, ALTER TABLE, "+
		"INSERT, SELECT, UPDATE, DELETE, BEGIN, COMMIT, ROLLBACK and ADMIN CHECK TABLE")
	return nil
}

func (tr *translator) tableName(n *ast.TableName) string {
	tr.not(n.Schema.O != "", "a table of another database")
	tr.not(len(n.PartitionNames) > 0 || n.TableSample != nil || n.AsOf != nil || len(n.IndexHints) > 0, "an option of a table")
	return n.Name.O
}

func (tr *translator) columnName(n *ast.ColumnName) string {
	tr.not(n.Schema.O != "" || n.Table.O != "", "the name of a table before that of a column")
	return n.Name.O
}

// refs returns the one table of a FROM.
func (tr *translator) refs(n *ast.TableRefsClause) string {
	if n == nil || n.TableRefs == nil || n.TableRefs.Right != nil {
		tr.fail(nil, "anything but one table is not offered")
		return ""
	}
	from, ok := n.TableRefs.Left.(*ast.TableSource)
	if !ok {
		tr.fail(nil, "anything but one table is not offered")
		return ""
	}
	name, ok := from.Source.(*ast.TableName)
	if !ok || from.AsName.O != "" {
		tr.fail(nil, "a table by another name, or a query in place of one, is not offered")
		return ""
	}
	return tr.tableName(name)
}

func (tr *translator) source(from *ast.TableRefsClause, where ast.ExprNode, order *ast.OrderByClause, limit *ast.Limit) source {
	src := source{table: tr.refs(from)}
	if where != nil {
		src.where = tr.expr(where)
	}
	if order != nil {
		for _, item := range order.Items {
			c, ok := item.Expr.(*ast.ColumnNameExpr)
			if !ok {
				tr.fail(item.Expr, "ORDER BY anything but columns is not offered")
				return src
			}
			src.order = append(src.order, ordering{tr.columnName(c.Name), item.Desc})
		}
	}
	if limit != nil {
		tr.not(limit.Offset != nil, "OFFSET")
		src.limit = tr.expr(limit.Count)
	}
	return src
}

func (tr *translator) query(n *ast.SelectStmt) runner {
	tr.not(n.Distinct || n.Having != nil || n.GroupBy != nil || len(n.WindowSpecs) > 0 || n.SelectIntoOpt != nil || n.With != nil ||
		n.Kind != ast.SelectStmtKindSelect || len(n.TableHints) > 0, "SELECT with anything but WHERE, ORDER BY, LIMIT and FOR UPDATE")
	if o := n.SelectStmtOpts; o != nil {
		tr.not(o.Distinct || o.SQLBigResult || o.SQLBufferResult || o.SQLSmallResult || o.CalcFoundRows || o.StraightJoin || o.Priority != 0 || !o.SQLCache, "an option of SELECT")
	}
	q := query{}
	if n.From == nil {
		tr.fail(nil, "SELECT without a table is not offered")
		return q
	}
	q.source = tr.source(n.From, n.Where, n.OrderBy, n.Limit)
	if n.LockInfo != nil && n.LockInfo.LockType != ast.SelectLockNone {
		q.forUpdate, q.wait = true, tr.wait(n.LockInfo)
	}
	for _, f := range n.Fields.Fields {
		tr.not(f.AsName.O != "", "a column by another name")
		tr.field(&q, f, len(n.Fields.Fields) == 1)
	}
	tr.not(q.count && (len(q.order) > 0 || q.limit != nil || q.forUpdate), "COUNT(*) with ORDER BY, LIMIT or FOR UPDATE")
	return q
}

// maxWait is the longest wait that FOR UPDATE WAIT may ask for, in seconds.
const maxWait = 3600

// wait is for how long FOR UPDATE waits for locks. WAIT 0 is NOWAIT.
func (tr *translator) wait(lock *ast.SelectLockInfo) client.LockWait {
	tr.not(len(lock.Tables) > 0, "FOR UPDATE OF")
	switch {
	case lock.LockType == ast.SelectLockForUpdate:
		return client.WaitAlways
	case lock.LockType == ast.SelectLockForUpdateNoWait, lock.LockType == ast.SelectLockForUpdateWaitN && lock.WaitSec == 0:
		return client.NoWait
	case lock.LockType == ast.SelectLockForUpdateWaitN:
		tr.not(lock.WaitSec > maxWait, fmt.Sprintf("FOR UPDATE WAIT with more than %d seconds", maxWait))
		return client.LockWait(time.Duration(min(lock.WaitSec, maxWait)) * time.Second)
	}
	tr.fail(nil, "a lock that is not FOR UPDATE, with NOWAIT or WAIT n, is not offered")
	return client.WaitAlways
}

// field is one of what a query returns.
func (tr *translator) field(q *query, f *ast.SelectField, only bool) {
	if f.WildCard != nil {
		tr.not(!only || f.WildCard.Table.O != "", "* beside other columns")
		return
	}
	switch e := f.Expr.(type) {
	case *ast.ColumnNameExpr:
		q.columns = append(q.columns, tr.columnName(e.Name))
		return
	case *ast.AggregateFuncExpr:
		if only && strings.EqualFold(e.F, ast.AggFuncCount) && !e.Distinct && len(e.Args) == 1 {
			if one, ok := tr.expr(e.Args[0]).(constant); ok && !one.IsNull() {
				q.count = true
				return
			}
		}
	}
	tr.fail(f.Expr, "SELECT of anything but *, columns or COUNT(*) alone is not offered")
}

func (tr *translator) insert(n *ast.InsertStmt) runner {
	tr.not(n.IsReplace, "REPLACE")
	tr.not(n.IgnoreErr || len(n.OnDuplicate) > 0 || n.Select != nil || n.Setlist || n.Priority != 0 || len(n.PartitionNames) > 0 || len(n.TableHints) > 0,
		"INSERT of anything but VALUES")
	in := insert{table: tr.refs(n.Table)}
	for _, c := range n.Columns {
		in.columns = append(in.columns, tr.columnName(c))
	}
	for _, list := range n.Lists {
		var row []expr
		for _, e := range list {
			row = append(row, tr.expr(e))
		}
		in.rows = append(in.rows, row)
	}
	return in
}

// parts returns the columns of an index.
func (tr *translator) parts(keys []*ast.IndexPartSpecification) []string {
	var names []string
	for _, k := range keys {
		if k.Column == nil || k.Length > 0 || k.Desc {
			tr.fail(nil, "an index over anything but whole columns, ascending, is not offered")
			return nil
		}
		names = append(names, tr.columnName(k.Column))
	}
	return names
}

func (tr *translator) createIndex(n *ast.CreateIndexStmt) runner {
	tr.not(n.IfNotExists, "CREATE INDEX IF NOT EXISTS")
	tr.not(n.KeyType != ast.IndexKeyTypeNone && n.KeyType != ast.IndexKeyTypeUnique, "this kind of index")
	tr.not(n.LockAlg != nil, "ALGORITHM or LOCK of CREATE INDEX")
	tr.indexOption(n.IndexOption)
	return createIndex{tr.tableName(n.Table), table.IndexDefinition{
		Name: n.IndexName, Unique: n.KeyType == ast.IndexKeyTypeUnique, Columns: tr.parts(n.IndexPartSpecifications),
	}}
}

func (tr *translator) alterTable(n *ast.AlterTableStmt) runner {
	name := tr.tableName(n.Table)
	if len(n.Specs) != 1 {
		tr.fail(nil, "ALTER TABLE of anything but one index is not offered")
		return nil
	}
	spec := n.Specs[0]
	switch {
	case spec.Tp == ast.AlterTableAddConstraint && spec.Constraint != nil:
		if def, primary := tr.constraint(spec.Constraint); !primary {
			// What other names the table has is not known here.
			if def.Name == "" && len(def.Columns) > 0 {
				def.Name = def.Columns[0]
			}
			return createIndex{name, def}
		}
	case spec.Tp == ast.AlterTableDropIndex:
		tr.not(spec.IfExists, "DROP INDEX IF EXISTS")
		return dropIndex{name, spec.Name}
	}
	tr.fail(nil, "ALTER TABLE of anything but one index is not offered")
	return nil
}
