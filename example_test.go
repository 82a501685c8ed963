package spacetime_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/stdbgo/spacetime"
)

// A Server is an http.Handler, so it can stand behind any server or mux, or, as
// here, behind none.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "spacetime")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := spacetime.Open(dir, spacetime.Options{InMemory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	r := httptest.NewRequest(http.MethodGet, "/v1/database/nobody", nil)
	w := httptest.NewRecorder()
	db.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 404
}
