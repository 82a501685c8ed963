package store

// OnCommit has fn called when the transaction commits, after the functions given
// before; a rollback forgets it. It is for state that belongs to a transaction and
// lies outside of the store. fn must not use the store.
func (tx *Tx) OnCommit(fn func()) {
	tx.mustBeOpen()
	tx.onCommit = append(tx.onCommit, fn)
}
