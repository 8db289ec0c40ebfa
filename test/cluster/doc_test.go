// Package cluster tests servers of ours and of Node as one cluster over a real Redis: every operation, from
// a server of each kind and from the emitter, at clients of each kind of server.
package cluster
