//go:build !defect

package guild

// defective is always false here; see the other build.
func defective() bool { return false }
