package store

type replay struct{}
