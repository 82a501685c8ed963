package module

import (
	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// An EnvVar is an environment variable of the database: text that whoever publishes the module gives it, such as the key of a
// foreign service. Make it with Env and keep it in a package variable.
type EnvVar struct {
	name     string
	optional bool
	allowed  []string
}

// An EnvOption says more about an environment variable: Optional or OneOf.
type EnvOption interface{ applyEnv(*EnvVar) }

// Optional makes an environment variable that need not have a value. Without it the module cannot be published before there is
// one.
const Optional optional = 0

type optional uint8

func (optional) applyEnv(v *EnvVar) { v.optional = true }

// OneOf lists the only values that an environment variable may have.
func OneOf(values ...string) EnvOption { return oneOf(values) }

type oneOf []string

func (o oneOf) applyEnv(v *EnvVar) { v.allowed = append(v.allowed, o...) }

// Env declares an environment variable. Its name has letters of A to z, digits and _ only.
func Env(name string, options ...EnvOption) *EnvVar {
	std.open("Env")
	v := &EnvVar{name: name}
	for _, o := range options {
		o.applyEnv(v)
	}
	std.addEnv(v)
	return v
}

func (r *registry) addEnv(v *EnvVar) {
	if !envName(v.name) {
		r.problem("environment variable %q: a name has 1 to 256 characters of A-Z, a-z, 0-9 and _, with no digit in front", v.name)
	}
	for _, other := range r.env {
		if other.name == v.name {
			r.problem("environment variable %q is declared twice", v.name)
		}
	}
	r.env = append(r.env, v)
}

func envName(s string) bool {
	if s == "" || len(s) > 256 || '0' <= s[0] && s[0] <= '9' {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
		default:
			return false
		}
	}
	return true
}

// A Caller is a *Context or a *ProcedureContext.
type Caller interface{ alive(op string) *instance }

// Get returns the variable's value; ok is false if it is optional and has none. A view that calls it is evaluated again when any
// environment variable changes.
func (v *EnvVar) Get(ctx Caller) (value string, ok bool) {
	b, set, e := ctx.alive("Get of the environment variable " + v.name).host.Env(v.name)
	if e != guest.OK {
		panic("module: the environment variable " + v.name + " cannot be read here")
	}
	return string(b), set
}

func (d *definer) environment() []byte {
	b := sats.AppendLen([]byte{sectionEnvironment}, len(d.r.env))
	for _, v := range d.r.env {
		const anyText, oneText, someTexts = 0, 1, 2
		b = sats.AppendString(b, v.name)
		switch len(v.allowed) {
		case 0:
			b = append(b, anyText)
		case 1:
			b = sats.AppendString(append(b, oneText), v.allowed[0])
		default:
			b = sats.AppendLen(append(b, someTexts), len(v.allowed))
			for _, text := range v.allowed {
				b = sats.AppendString(b, text)
			}
		}
		b = sats.AppendBool(b, v.optional)
	}
	return b
}
