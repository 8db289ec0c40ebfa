package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == attackerRole { // started by the siege
		exit(serveAttack(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}
