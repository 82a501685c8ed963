package host

// Settle returns when no scheduled procedure is under way, and no call to another
// database either. Whoever moves the database's clock waits so for what became due.
func (db *Database) Settle() {
	db.sched.settle()
	db.outboxes.settle()
}
