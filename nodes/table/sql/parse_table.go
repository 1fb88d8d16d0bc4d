package sql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"

	"simrun/nodes/table"
)

func (tr *translator) createTable(n *ast.CreateTableStmt) runner {
	tr.not(n.ReferTable != nil || n.Select != nil || n.Partition != nil || n.TemporaryKeyword != ast.TemporaryNone || len(n.SplitIndex) > 0, "this kind of CREATE TABLE")
	tr.not(len(n.Options) > 0, "an option of a table")
	d := table.Definition{Name: tr.tableName(n.Table)}
	for _, c := range n.Cols {
		tr.column(&d, c)
	}
	for _, c := range n.Constraints {
		def, primary := tr.constraint(c)
		switch {
		case primary && len(d.Primary) > 0:
			tr.fail(nil, "table %s has two primary keys", d.Name)
		case primary:
			d.Primary = def.Columns
		default:
			d.Indexes = append(d.Indexes, def)
		}
	}
	return createTable{d, n.IfNotExists}
}

// column adds a column, and the key that its options may make of it.
func (tr *translator) column(d *table.Definition, n *ast.ColumnDef) {
	c := table.Column{Name: tr.columnName(n.Name)}
	c.Type, c.Length = tr.columnType(n)
	c.Unsigned = mysql.HasUnsignedFlag(n.Tp.GetFlag())
	tr.not(mysql.HasZerofillFlag(n.Tp.GetFlag()), "ZEROFILL")
	for _, o := range n.Options {
		switch o.Tp {
		case ast.ColumnOptionNotNull:
			c.NotNull = true
		case ast.ColumnOptionNull:
		case ast.ColumnOptionPrimaryKey:
			if len(d.Primary) > 0 {
				tr.fail(nil, "table %s has two primary keys", d.Name)
			}
			d.Primary = []string{c.Name}
		case ast.ColumnOptionUniqKey:
			d.Indexes = append(d.Indexes, table.IndexDefinition{Name: c.Name, Unique: true, Columns: []string{c.Name}})
		default:
			tr.fail(o.Expr, "column %s: an option other than NULL, NOT NULL, PRIMARY KEY and UNIQUE is not offered", c.Name)
		}
	}
	d.Columns = append(d.Columns, c)
}

// varCharMax is the longest VARCHAR.
const varCharMax = 65535

// columnType returns the type of a column and, of a VARCHAR, its length.
func (tr *translator) columnType(n *ast.ColumnDef) (table.Type, int) {
	switch n.Tp.GetType() {
	case mysql.TypeLonglong:
		return table.BigInt, 0
	case mysql.TypeLong:
		return table.Int, 0
	case mysql.TypeDouble:
		tr.not(n.Tp.GetFlen() >= 0 || n.Tp.GetDecimal() >= 0, "DOUBLE of a certain width")
		return table.Double, 0
	case mysql.TypeVarchar:
		if length := n.Tp.GetFlen(); length > 0 && length <= varCharMax {
			return table.VarChar, length
		}
		tr.fail(nil, "column %s: a VARCHAR has 1 to %d bytes", n.Name.Name.O, varCharMax)
	case mysql.TypeDatetime:
		tr.not(n.Tp.GetDecimal() > 0 && n.Tp.GetDecimal() != 6, "DATETIME of a precision other than 0 or 6")
		return table.DateTime, 0
	default:
		tr.fail(nil, "column %s: a type other than BIGINT, INT, DOUBLE, VARCHAR, VARBINARY and DATETIME is not offered", n.Name.Name.O)
	}
	return "", 0
}

// constraint returns a key of a table. A key without a name has that of its
// first column.
func (tr *translator) constraint(n *ast.Constraint) (def table.IndexDefinition, primary bool) {
	tr.not(n.IfNotExists || n.Option != nil && !n.Option.IsEmpty(), "an option of an index")
	def = table.IndexDefinition{Name: n.Name, Columns: tr.parts(n.Keys)}
	switch n.Tp {
	case ast.ConstraintPrimaryKey:
		return def, true
	case ast.ConstraintKey, ast.ConstraintIndex:
	case ast.ConstraintUniq, ast.ConstraintUniqKey, ast.ConstraintUniqIndex:
		def.Unique = true
	default:
		tr.fail(nil, "a constraint other than PRIMARY KEY, UNIQUE and INDEX is not offered")
	}
	if def.Name == "" && len(def.Columns) > 0 {
		def.Name = def.Columns[0]
	}
	return def, false
}
