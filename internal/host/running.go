package host

// All returns the databases that run at the moment, in no order.
func (h *Host) All() []*Database {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*Database
	for _, l := range h.mu.replicas {
		select {
		case <-l.ready:
			if l.err == nil {
				all = append(all, l.db)
			}
		default:
		}
	}
	return all
}

// Running returns the replicas that run and are not about to end.
func (h *Host) Running() (list []uint64) {
	for _, db := range h.All() {
		if !db.isEnding() {
			list = append(list, db.info.Replica)
		}
	}
	return list
}
