package spacetime

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/host"
)

// A PublishOption says more about what Publish and PublishLinked do: Env.
type PublishOption interface{ apply(*publication) error }

// A publication is what the options of a Publish come to.
type publication struct{ header http.Header }

// Env gives environment variables of the module their values. Variables that it does not name keep those that the
// database has.
type Env map[string]string

func (e Env) apply(p *publication) error {
	if err := (&host.EnvUpdate{Values: e}).Check(); err != nil {
		return fmt.Errorf("environment variables %q: %w", slices.Sorted(maps.Keys(e)), err)
	}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		p.header.Add("Spacetime-Environment", host.EnvHeader(name, e[name]))
	}
	return nil
}

// A MissingEnvError refuses a module that wants environment variables which have no value; see Env.
type MissingEnvError struct {
	Names []string // ascending

	refused *StatusError
}

// Error names the variables and how they get values.
func (e *MissingEnvError) Error() string {
	return fmt.Sprintf("the module's environment variable %s has no value; give it one with the option spacetime.Env", strings.Join(e.Names, ", "))
}

// Unwrap returns the *StatusError.
func (e *MissingEnvError) Unwrap() error { return e.refused }

// missingEnv makes a MissingEnvError of a refusal that is one.
func missingEnv(refused *StatusError) error {
	var body struct {
		EnvironmentError struct {
			MissingRequiredEnvironment struct{ Keys []string }
		}
	}
	if json.Unmarshal([]byte(refused.Text), &body) != nil || len(body.EnvironmentError.MissingRequiredEnvironment.Keys) == 0 {
		return refused
	}
	return &MissingEnvError{Names: body.EnvironmentError.MissingRequiredEnvironment.Keys, refused: refused}
}
