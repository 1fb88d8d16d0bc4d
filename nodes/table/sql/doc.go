// Package sql runs statements of a small part of SQL on package table.
//
//	statements, err := sql.Parse("SELECT * FROM accounts WHERE id = @id FOR UPDATE")
//	s := sql.NewSession(db)
//	s.Set("id", codec.Int(7))
//	result, err := s.Exec(t, statements[0])
//
// The text is parsed by TiDB's own parser, so what is a statement and what is not
// is as in TiDB, and so are the names of types. What is understood of it:
//
//	CREATE TABLE [IF NOT EXISTS] t (column type [NOT NULL] [PRIMARY KEY] [UNIQUE], ...,
//	    PRIMARY KEY (...), [UNIQUE] INDEX name (...))
//	DROP TABLE t
//	CREATE [UNIQUE] INDEX name ON t (...)      ALTER TABLE t ADD [UNIQUE] INDEX name (...)
//	DROP INDEX name ON t                       ALTER TABLE t DROP INDEX name
//	INSERT INTO t [(columns)] VALUES (...), ...
//	SELECT * | columns | COUNT(*) FROM t [WHERE ...] [ORDER BY columns [DESC]] [LIMIT n]
//	    [FOR UPDATE [NOWAIT | WAIT seconds]]
//	UPDATE t SET column = ..., ... [WHERE ...] [ORDER BY ...] [LIMIT n]
//	DELETE FROM t [WHERE ...] [ORDER BY ...] [LIMIT n]
//	BEGIN [PESSIMISTIC | OPTIMISTIC]    START TRANSACTION    COMMIT    ROLLBACK
//	ADMIN CHECK TABLE t
//
// Types are those of package table: VARCHAR(n) has n characters, VARBINARY(n), or VARCHAR(n)
// CHARACTER SET binary, n bytes, and DATETIME(n) n digits of a second, none without n, to
// which what is stored is rounded, as in MySQL. Expressions have columns, constants,
// variables (@name), + - * over numbers, = <> < <= > >= and <=>, AND, OR, NOT,
// IS [NOT] NULL, [NOT] BETWEEN and [NOT] IN over a list. NULL is neither true nor
// false, as ever. Nothing is converted silently: a text compared with a number is
// an error, not zero, except that a constant or a variable that is a text beside a
// DATETIME is one; DATETIME goes with nothing else. No column is set to what is of another
// kind: texts, numbers and DATETIME are three, and an integer is set to no floating point
// number either. Names are resolved, and operands
// looked at, before anything is read, whether a row would come upon them or not. An
// UPDATE sees the old values of all columns, as in TiDB; of a column that is set twice the
// last value counts. A result out of range is an error. An integer of more than 64 bits is
// refused. A number with a point is a floating point number, there being no DECIMAL, and
// an integer that is compared with one is compared as one.
//
// Everything else is an error that says where it stands.
//
// A statement outside BEGIN and COMMIT is an optimistic transaction of its own. One that
// fails inside leaves the transaction as it was before it, except that a deadlock by the
// locks of earlier statements ends the transaction (ErrDeadlock). Statements that change the
// schema stand outside of transactions.
//
// In an optimistic transaction everything reads the snapshot of the start, and FOR UPDATE
// locks the rows that are returned when the transaction commits: of two that lock the
// same row, one fails. In a pessimistic one a plain SELECT reads that snapshot, with the
// rows that the transaction has changed as it has left them, and INSERT, UPDATE, DELETE
// and SELECT FOR UPDATE read what is newest when they run and lock it at once, as TiDB
// does; so they may see more than a SELECT before. They wait for locks as long as an
// operation may last. FOR UPDATE NOWAIT fails at a row that somebody else has locked, and
// WAIT n does if n seconds have passed since the statement began (client.ErrLockWait); the
// transaction goes on. That is about locking alone: before, the statement reads, and reads
// wait for commits that are under way (client.LockWait). In an optimistic transaction they
// say nothing. BEGIN without a word takes the mode of the store. There is no READ
// COMMITTED, whatever the options of the store say.
package sql
