// Command harfangsync makes the from_OpenCTI lists of a HarfangLab EDR equal to the filtered
// indicator set of an OpenCTI platform, and shows the plan first.
package main

import (
	"os"

	"github.com/harfangsync/harfangsync/reconcile/crash"
)

func main() {
	defer crash.Exit()
	crash.AbortOnFaults()
	keepWithinMemory()
	os.Exit(start(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
