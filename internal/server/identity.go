package server

import (
	"math/big"
	"net/http"
	"runtime/pprof"
	"strconv"

	"github.com/stdbgo/spacetime/sats"
)

func (s *Server) ping(q *request) error { return q.nothing() }

func (s *Server) health(q *request) error {
	q.json(http.StatusOK, []byte(`{"package_name":"spacetimedb-client-api","version":`+strconv.Quote(s.version)+
		`,"nodes":[0],"schedulable":true}`))
	return nil
}

func (s *Server) sdConfig(q *request) error {
	q.json(http.StatusOK, []byte(`[{"targets":["node:80"],"labels":{}}]`))
	return nil
}

func (s *Server) newIdentity(q *request) error {
	id, token, err := s.auth.NewIdentity()
	if err != nil {
		return internal(err)
	}
	q.json(http.StatusOK, []byte(`{"identity":"`+id.String()+`","token":"`+token+`"}`))
	return nil
}

func (s *Server) publicKey(q *request) error {
	q.w.Header().Set("Content-Type", "application/pem-certificate-chain")
	_, _ = q.w.Write(s.auth.PublicKeyPEM())
	return nil
}

func (s *Server) websocketToken(q *request) error {
	token, err := s.auth.ShortLived(q.caller.claims)
	if err != nil {
		return internal(err)
	}
	q.json(http.StatusOK, []byte(`{"token":"`+token+`"}`))
	return nil
}

// identityParam reads a path parameter that takes no names and no prefix (spec 06 §2.4).
func (q *request) identityParam() (sats.Identity, error) {
	text := q.params["identity"]
	id, err := sats.ParseIdentity(text)
	if err != nil {
		return id, badRequest("Invalid URL: %s", hexError(text, len(id)))
	}
	return id, nil
}

// verify compares the caller's identity with that of the path, whose errors come
// before those of the token.
func (s *Server) verify(q *request) error {
	id, err := q.identityParam()
	if err != nil {
		return err
	}
	if err := q.authenticate(classRequired); err != nil {
		return err
	}
	status := http.StatusNoContent
	if id != q.caller.identity {
		status = http.StatusBadRequest
	}
	q.w.WriteHeader(status)
	return nil
}

func (s *Server) ownedDatabases(q *request) error {
	id, err := q.identityParam()
	if err != nil {
		return err
	}
	owned, err := s.control.Owned(id)
	if err != nil {
		return controlError(err)
	}
	q.json(http.StatusOK, marshal(struct {
		Identities []sats.Identity `json:"identities"`
	}{owned}))
	return nil
}

// energy answers with a balance, which means nothing here (spec 06 §4.4).
func (s *Server) energy(q *request) error {
	id, err := q.identityParam()
	if err != nil {
		return err
	}
	balance, err := s.control.Energy(id)
	if err != nil {
		return controlError(err)
	}
	q.balance(balance)
	return nil
}

func (q *request) balance(n *big.Int) { q.json(http.StatusOK, []byte(`{"balance":"`+n.String()+`"}`)) }

// addEnergy adds to the balance of the caller, whatever the path says.
func (s *Server) addEnergy(q *request) error {
	if _, err := q.identityParam(); err != nil {
		return err
	}
	if err := q.authenticate(classRequired); err != nil {
		return err
	}
	text, found, err := q.query.get("amount")
	if err != nil {
		return err
	}
	amount := new(big.Int)
	if found {
		if _, ok := amount.SetString(text, 10); !ok || amount.Sign() < 0 || amount.BitLen() > 128 {
			return &httpError{status: http.StatusBadRequest, empty: true}
		}
	}
	balance, err := s.control.AddEnergy(q.caller.identity, amount)
	if err != nil {
		return controlError(err)
	}
	q.balance(balance)
	return nil
}

// setEnergy is always refused.
func (s *Server) setEnergy(q *request) error {
	if _, err := q.identityParam(); err != nil {
		return err
	}
	if err := q.authenticate(classRequired); err != nil {
		return err
	}
	return &httpError{status: http.StatusUnauthorized, empty: true}
}

// heap answers with a heap profile in the form of the pprof tool.
func (s *Server) heap(q *request) error {
	if format, found, err := q.query.get("format"); err != nil {
		return err
	} else if found && format != "" {
		return failure(http.StatusNotImplemented, "only the pprof form of the heap profile is available")
	}
	q.w.Header().Set("Content-Type", "application/octet-stream")
	return pprof.Lookup("heap").WriteTo(q.w, 0)
}

// heapSettings: the profile is always on.
func (s *Server) heapSettings(q *request) error {
	q.json(http.StatusOK, []byte(`{"enabled":true}`))
	return nil
}

func (s *Server) setHeapSettings(q *request) error {
	enabled, err := q.query.boolean("enabled", true)
	if err != nil {
		return err
	}
	if !enabled {
		return errHeapAlwaysOn
	}
	q.text(http.StatusOK, "Heap profiling activated")
	return nil
}

var errHeapAlwaysOn = failure(http.StatusInternalServerError, "heap profiling cannot be deactivated")

func (s *Server) taskDump(*request) error {
	return failure(http.StatusNotImplemented, "task dumps are not available; see /internal/heap")
}
