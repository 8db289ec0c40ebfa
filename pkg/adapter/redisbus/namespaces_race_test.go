//go:build race

package redisbus

const manyNamespaces = 5_000
