package host

// Settle returns when no scheduled procedure is under way. Whoever moves the
// database's clock waits so for what became due.
func (db *Database) Settle() { db.sched.settle() }
