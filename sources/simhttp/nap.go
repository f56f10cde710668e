//go:build !linux

package simhttp

import "time"

func nap(d time.Duration) { time.Sleep(d) }
