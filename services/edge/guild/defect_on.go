//go:build defect

package guild

import "sync/atomic"

var broadcasts atomic.Uint64

// defective leaves out every tenth broadcast. Such a build exists to prove that the tests that
// look for lost events find them.
func defective() bool { return broadcasts.Add(1)%10 == 0 }
