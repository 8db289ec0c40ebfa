//go:build !linux

package service

import (
	"errors"
	"os"
	"time"
)

func cpuAlarm(time.Duration) (alarms <-chan os.Signal, stop func(), err error) {
	return nil, nil, errors.ErrUnsupported
}

func cpuTime() time.Duration { return 0 }
