// Package jstest holds the tests that every engine for JavaScript must pass (spec 04 §18), with modules written by hand and
// modules of the official npm packages. An engine's own tests run them with Run.
package jstest
