// Command go is the module of test/functions in Go: views, procedures, HTTP handlers and the environment.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stdbgo/spacetime/module"
)

func main() { module.Main() }

// A Book is what all is about.
type Book struct {
	ID    uint64 `stdb:"primarykey,autoinc"`
	Owner module.Identity
	Title string
	Year  uint32
}

// A Shelf is a row of a view that is no table's.
type Shelf struct{ Year, Books uint32 }

// A Sign is a row of a view.
type Sign struct{ Text string }

var (
	books   = module.NewTable[Book]("book", module.Public)
	byID    = module.UniqueOf(books, func(b *Book) *uint64 { return &b.ID })
	byOwner = module.IndexOf(books, func(b *Book) *module.Identity { return &b.Owner })
	byYear  = module.IndexOf(books, func(b *Book) *uint32 { return &b.Year })

	greeting = module.Env("GREETING", module.Optional)
)

type (
	addArgs struct {
		Title string
		Year  uint32
	}
	sumArgs  struct{ A, B uint32 }
	twoArgs  struct{ First, Second string }
	napArgs  struct{ Millis uint32 }
	urlArgs  struct{ URL string }
	yearArgs struct{ Year uint32 }
)

func init() {
	module.Reducer("add_book", func(ctx *module.Context, a addArgs) error { return add(ctx, a.Title, a.Year) })
	module.Reducer("remove_book", func(ctx *module.Context, a struct{ ID uint64 }) error {
		if !byID.Delete(ctx, a.ID) {
			return fmt.Errorf("no book %d", a.ID)
		}
		return nil
	})

	module.Reducer("expect_claims", func(ctx *module.Context, a struct{ Part string }) error {
		if ctx.ConnectionID == (module.ConnectionID{}) || !bytes.Contains(ctx.Claims(), []byte(a.Part)) {
			return fmt.Errorf("called by connection %v with the claims %s", ctx.ConnectionID, ctx.Claims())
		}
		return nil
	})

	module.View("my_books", func(ctx *module.Context, _ struct{}) ([]Book, error) {
		return slices.Collect(byOwner.Filter(ctx, ctx.Sender)), nil
	})
	module.View("newest_book", newest, module.Anonymous)
	module.View("shelf", shelf, module.Anonymous)
	module.View("old_books", func(*module.Context, struct{}) (module.Query[Book], error) {
		return "SELECT * FROM book WHERE year < 1900", nil
	}, module.Anonymous)
	module.View("fragile", fragile, module.Anonymous)
	module.View("books_of", func(ctx *module.Context, a yearArgs) ([]Book, error) {
		return slices.Collect(byYear.Filter(ctx, a.Year)), nil
	}, module.Anonymous)
	module.View("sign", func(ctx *module.Context, _ struct{}) (*Sign, error) {
		if text, ok := greeting.Get(ctx); ok {
			return &Sign{text}, nil
		}
		return nil, nil
	}, module.Anonymous)

	module.Procedure("sum", func(_ *module.ProcedureContext, a sumArgs) (uint64, error) { return uint64(a.A) + uint64(a.B), nil })
	module.Procedure("add_two", addTwo)
	module.Procedure("curse", func(ctx *module.ProcedureContext, _ struct{}) (uint64, error) {
		return 1, ctx.Tx(func(tx *module.Context) error { return add(tx, "cursed", 666) })
	})
	module.Procedure("nap", nap)
	module.Procedure("fetch", fetch)
	module.Procedure("fail", func(*module.ProcedureContext, struct{}) (uint64, error) { panic("the kettle boils") })
	module.Procedure("greet", func(ctx *module.ProcedureContext, _ struct{}) (string, error) {
		if text, ok := greeting.Get(ctx); ok {
			return text, nil
		}
		return "none", nil
	})

	module.HTTPHandler("hello", hello, module.Route{Method: "GET", Path: "/hello"})
	module.HTTPHandler("post_book", postBook, module.Route{Method: "POST", Path: "/books"})
}

func add(ctx *module.Context, title string, year uint32) error {
	_, err := books.Insert(ctx, Book{Owner: ctx.Sender, Title: title, Year: year})
	return err
}

func newest(ctx *module.Context, _ struct{}) (found *Book, _ error) {
	for b := range books.All(ctx) {
		if found == nil || b.Year > found.Year || b.Year == found.Year && b.ID > found.ID {
			found = &b
		}
	}
	return found, nil
}

func shelf(ctx *module.Context, _ struct{}) (list []Shelf, _ error) {
	years := map[uint32]uint32{}
	for b := range books.All(ctx) {
		years[b.Year]++
	}
	for _, year := range slices.Sorted(maps.Keys(years)) {
		list = append(list, Shelf{year, years[year]})
	}
	return list, nil
}

// fragile fails as soon as there is a book of the year 666.
func fragile(ctx *module.Context, _ struct{}) ([]Shelf, error) {
	for range byYear.Filter(ctx, 666) {
		panic("this year is cursed")
	}
	return nil, nil
}

// addTwo adds two books in a transaction each. Without a title the second is taken back.
func addTwo(ctx *module.ProcedureContext, a twoArgs) (n uint64, err error) {
	if err := ctx.Tx(func(tx *module.Context) error { return add(tx, a.First, 2001) }); err != nil {
		return 0, err
	}
	err = ctx.Tx(func(tx *module.Context) error {
		if err := add(tx, a.Second, 2002); err != nil || a.Second != "" {
			return err
		}
		return errors.New("no title")
	})
	if err != nil {
		ctx.Log().Warn(err.Error())
	}
	return n, ctx.Tx(func(tx *module.Context) error { n = books.Count(tx); return nil })
}

// nap returns how many microseconds it has slept.
func nap(ctx *module.ProcedureContext, a napArgs) (uint64, error) {
	start := time.Now()
	ctx.Sleep(time.Duration(a.Millis) * time.Millisecond)
	return uint64(time.Since(start).Microseconds()), nil
}

func fetch(ctx *module.ProcedureContext, a urlArgs) (string, error) {
	resp, err := ctx.Do(&module.HTTPRequest{Method: "POST", URL: a.URL, Header: module.HTTPHeader{{Name: "x-from", Value: "module"}}, Body: []byte("ping")})
	if err != nil {
		return "error: " + err.Error(), nil
	}
	kind := resp.Header.Get("x-kind")
	if kind == "" {
		kind = "none"
	}
	return fmt.Sprintf("%d %s %s", resp.Status, kind, resp.Body), nil
}

func hello(ctx *module.ProcedureContext, r *module.HTTPRequest) (*module.HTTPResponse, error) {
	var n uint64
	if err := ctx.Tx(func(tx *module.Context) error { n = books.Count(tx); return nil }); err != nil {
		return nil, err
	}
	who := r.Header.Get("x-who")
	if who == "" {
		who = "nobody"
	}
	return &module.HTTPResponse{Header: module.HTTPHeader{{Name: "x-kind", Value: "greeting"}},
		Body: fmt.Appendf(nil, "%s %s %s %d", r.Method, r.URL, who, n)}, nil
}

func postBook(ctx *module.ProcedureContext, r *module.HTTPRequest) (*module.HTTPResponse, error) {
	if len(r.Body) == 0 {
		return nil, errors.New("a book needs a title")
	}
	title := string(r.Body)
	err := ctx.Tx(func(tx *module.Context) error { return add(tx, title, 2003) })
	return &module.HTTPResponse{Status: 201, Body: []byte("added " + title)}, err
}
