// Package arrows holds no code, only the test that keeps the import arrows of
// ARCHITECTURE.md and the imports of the code the same.
//
// It promises that no room knows more than its arrows allow, that the arrows
// have no cycle, and that every package says in a comment what it is.
package arrows
