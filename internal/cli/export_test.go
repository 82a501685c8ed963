package cli

import (
	"testing"
	"time"
)

// ClientsFailAtOnce makes dev wait until a client ends, however long a busy machine
// takes to start one.
func ClientsFailAtOnce(t *testing.T) {
	before := failsAtOnce
	failsAtOnce = time.Hour
	t.Cleanup(func() { failsAtOnce = before })
}
