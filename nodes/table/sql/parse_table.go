package sql

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/charset"
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
	tr.notNull(n.Cols, d.Primary)
	nameKeys(d.Indexes)
	return createTable{d, n.IfNotExists}
}

// nameKeys gives keys without names theirs, as TiDB does: that of the first column, or with
// _2, _3 and so on behind it, whichever nobody has. Names that were written come first, and
// PRIMARY is the name of the primary key.
func nameKeys(keys []table.IndexDefinition) {
	taken := func(name string) bool {
		is := func(k table.IndexDefinition) bool { return strings.EqualFold(k.Name, name) }
		return strings.EqualFold(name, mysql.PrimaryKeyName) || slices.ContainsFunc(keys, is)
	}
	for i := range keys {
		if keys[i].Name != "" || len(keys[i].Columns) == 0 {
			continue
		}
		name := keys[i].Columns[0]
		for n := 2; taken(name); n++ {
			name = keys[i].Columns[0] + "_" + strconv.Itoa(n)
		}
		keys[i].Name = name
	}
}

// column adds a column, and the key that its options may make of it.
func (tr *translator) column(d *table.Definition, n *ast.ColumnDef) {
	c := table.Column{Name: tr.columnName(n.Name)}
	c.Type, c.Length = tr.columnType(n)
	if c.Type == table.DateTime {
		c.Precision = max(n.Tp.GetDecimal(), 0) // none is 0
		tr.not(c.Precision > table.PrecisionMax, "DATETIME with more than 6 digits of a second")
	}
	c.Binary = c.Type == table.VarChar && n.Tp.GetCharset() == charset.CharsetBin
	c.Unsigned = mysql.HasUnsignedFlag(n.Tp.GetFlag())
	tr.not(mysql.HasZerofillFlag(n.Tp.GetFlag()), "ZEROFILL")
	for _, o := range n.Options {
		tr.not(o.PrimaryKeyTp != ast.PrimaryKeyTypeDefault, "PRIMARY KEY CLUSTERED or NONCLUSTERED")
		switch o.Tp {
		case ast.ColumnOptionNotNull:
			c.NotNull = true
		case ast.ColumnOptionNull:
			c.NotNull = false // the last one counts
		case ast.ColumnOptionPrimaryKey:
			if len(d.Primary) > 0 {
				tr.fail(nil, "table %s has two primary keys", d.Name)
			}
			d.Primary = []string{c.Name}
		case ast.ColumnOptionUniqKey:
			tr.not(o.StrValue != "", "UNIQUE GLOBAL")
			d.Indexes = append(d.Indexes, table.IndexDefinition{Unique: true, Columns: []string{c.Name}})
		default:
			tr.fail(o.Expr, "column %s: an option other than NULL, NOT NULL, PRIMARY KEY and UNIQUE is not offered", c.Name)
		}
	}
	d.Columns = append(d.Columns, c)
}

// notNull refuses columns of the primary key that say NULL.
func (tr *translator) notNull(columns []*ast.ColumnDef, primary []string) {
	for _, c := range columns {
		says := func(o *ast.ColumnOption) bool { return o.Tp == ast.ColumnOptionNull }
		is := func(name string) bool { return strings.EqualFold(name, c.Name.Name.O) }
		if slices.ContainsFunc(c.Options, says) && slices.ContainsFunc(primary, is) {
			tr.fail(nil, "column %s is of the primary key, which is never NULL", c.Name.Name.O)
		}
	}
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
		// VARBINARY and VARCHAR CHARACTER SET binary are the same. The others compare by
		// bytes, too, but for their charsets that would not be right.
		text := n.Tp.GetCharset() != charset.CharsetBin && (n.Tp.GetCharset() != "" || n.Tp.GetCollate() != "" || mysql.HasBinaryFlag(n.Tp.GetFlag()))
		tr.not(text, "VARCHAR of a certain character set or collation")
		if length := n.Tp.GetFlen(); length > 0 && length <= varCharMax {
			return table.VarChar, length
		}
		tr.fail(nil, "column %s: a VARCHAR has a length of 1 to %d", n.Name.Name.O, varCharMax)
	case mysql.TypeDatetime:
		return table.DateTime, 0
	default:
		tr.fail(nil, "column %s: a type other than BIGINT, INT, DOUBLE, VARCHAR, VARBINARY and DATETIME is not offered", n.Name.Name.O)
	}
	return "", 0
}

// constraint returns a key of a table.
func (tr *translator) constraint(n *ast.Constraint) (def table.IndexDefinition, primary bool) {
	tr.not(n.IfNotExists, "an index IF NOT EXISTS")
	tr.indexOption(n.Option)
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
	return def, false
}

// indexOption refuses all options of an index.
func (tr *translator) indexOption(o *ast.IndexOption) {
	tr.not(o != nil && (!o.IsEmpty() || o.AddColumnarReplicaOnDemand != 0), "an option of an index")
}
