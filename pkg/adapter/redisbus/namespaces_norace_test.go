//go:build !race

package redisbus

const manyNamespaces = 100_000
