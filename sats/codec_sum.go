package sats

import (
	"reflect"
	"sync"
)

// A ResultOf is the Go form of Result(T, E): IsErr says which of the two fields counts.
type ResultOf[T, E any] struct {
	Ok    T // zero if IsErr
	Err   E // zero unless IsErr
	IsErr bool
}

// OkResult returns the result of a success.
func OkResult[T, E any](v T) ResultOf[T, E] { return ResultOf[T, E]{Ok: v} }

// ErrResult returns the result of a failure.
func ErrResult[T, E any](e E) ResultOf[T, E] { return ResultOf[T, E]{Err: e, IsErr: true} }

func (ResultOf[T, E]) isResult() {}

type resultType interface{ isResult() }

// A SumVariant describes one variant of a sum given to RegisterSum.
type SumVariant struct {
	name      string
	goType    reflect.Type
	zero, ptr any
	unwrap    bool
}

// Variant returns the variant called name whose payload is what T maps to: a struct gives a product, a struct without
// fields unit, type Radius float32 gives F32.
func Variant[T any](name string) SumVariant {
	var zero T
	return SumVariant{name: name, goType: reflect.TypeFor[T](), zero: zero, ptr: new(T)}
}

// WrappedVariant is Variant for a struct of exactly one field: the payload is what the field maps to.
func WrappedVariant[T any](name string) SumVariant {
	v := Variant[T](name)
	v.unwrap = true
	return v
}

// sumInfo is what the codec knows of a registered interface.
type sumInfo struct {
	goType   reflect.Type
	variants []variantInfo
}

type variantInfo struct {
	name    string
	goType  reflect.Type
	unwrap  bool
	direct  bool // the interface holds the value itself, which is a pointer
	word    addr // first word of the interface when it holds a T
	ptrWord addr // … when it holds a *T
}

var (
	sums  sync.Map // reflect.Type of the interface to *sumInfo
	enums sync.Map // reflect.Type to []string
)

// RegisterSum makes the interface I a sum: a value of I is the variant whose type it has, or a non-nil pointer to
// that type. Tags follow the order of the variants. Call it from init, before a codec of a type that contains I is
// used. It panics if I is no interface, a variant does not implement I, is itself an interface or pointer, or comes
// twice.
func RegisterSum[I any](variants ...SumVariant) {
	t := reflect.TypeFor[I]()
	if t.Kind() != reflect.Interface {
		panic("sats: RegisterSum of " + t.String() + ", which is not an interface")
	}
	if len(variants) > MaxVariants {
		panic("sats: sum type " + t.String() + " has more than 256 variants")
	}
	info := &sumInfo{goType: t}
	for _, v := range variants {
		i, ok := v.zero.(I)
		if !ok || v.goType.Kind() == reflect.Pointer {
			panic("sats: variant " + v.name + " of sum type " + t.String() + ": " + v.goType.String() +
				" does not implement it or is not a plain type")
		}
		if v.unwrap && (v.goType.Kind() != reflect.Struct || v.goType.NumField() != 1) {
			panic("sats: wrapped variant " + v.name + " of sum type " + t.String() + " must be a struct of one field")
		}
		words := *at[iface](addrOf(&i))
		// A zero value held directly is a nil pointer; one held by reference has an address.
		vi := variantInfo{name: v.name, goType: v.goType, unwrap: v.unwrap, word: words[0], direct: words[1] == addr{}}
		if p, ok := v.ptr.(I); ok {
			vi.ptrWord = at[iface](addrOf(&p))[0]
		}
		for _, other := range info.variants {
			if other.goType == vi.goType || other.name == vi.name {
				panic("sats: sum type " + t.String() + " has two variants " + v.name + " or of type " + v.goType.String())
			}
		}
		info.variants = append(info.variants, vi)
	}
	if _, dup := sums.LoadOrStore(t, info); dup {
		panic("sats: sum type " + t.String() + " is registered twice")
	}
}

// RegisterEnum makes T a sum of variants without data, called names; the value of T is the tag. Call it from init.
func RegisterEnum[T ~uint8](names ...string) {
	t := reflect.TypeFor[T]()
	if t.PkgPath() == "" || len(names) == 0 || len(names) > MaxVariants {
		panic("sats: RegisterEnum of " + t.String() + " needs a type of your own and 1 to 256 names")
	}
	if _, dup := enums.LoadOrStore(t, append([]string(nil), names...)); dup {
		panic("sats: enum type " + t.String() + " is registered twice")
	}
}

// EnumNames returns the names given to RegisterEnum for t.
func EnumNames(t reflect.Type) ([]string, bool) {
	names, ok := enums.Load(t)
	if !ok {
		return nil, false
	}
	return names.([]string), true
}
