package crash_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/crash"
)

// ways are how a program may come down.
var ways = map[string]func(){
	"a panic":                func() { panic("in main") },
	"a panic of the runtime": func() { _ = []string{}[len(os.Args)] },
	"a panic in another goroutine": func() {
		go func() {
			defer crash.Exit()
			panic("elsewhere")
		}()
		select {}
	},
	"a fault": func() { new(sync.Mutex).Unlock() },
	"none":    func() {},
}

const way = "CRASH_TEST_WAY"

func TestMain(m *testing.M) {
	if f := ways[os.Getenv(way)]; f != nil {
		defer crash.Exit()
		crash.AbortOnFaults()
		f()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A pipeline takes code 2 for changes pending.
func TestNoCrashEndsWithTheCodeOfPendingChanges(t *testing.T) {
	for name, code := range map[string]int{"none": 0, "a panic": 1, "a panic of the runtime": 1, "a panic in another goroutine": 1, "a fault": -1} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{way + "=" + name, "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		got := 0
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			got = e.ExitCode() // -1 is by a signal
		} else if err != nil {
			t.Fatal(err)
		}
		if got != code || (got != 0) != strings.Contains(string(out), "crash_test.go:") {
			t.Errorf("%s: code %d, want %d, and where it was\n%s", name, got, code, out)
		}
		if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v behind, %v", name, left, err) // a core holds tokens
		}
	}
}

// Every goroutine of the program ends so: a deferred call sees the panics of its own goroutine alone.
func TestEveryGoroutineEndsWithIt(t *testing.T) {
	elsewhere := []string{"../../cmd/bench", "../../sources/octisim", "../../sources/simhttp", "../../sinks/hlsim"}
	seen := 0
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains(elsewhere, path), e.IsDir() && strings.HasPrefix(e.Name(), ".") && len(e.Name()) > 2:
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			body, begins := begun(n)
			if !begins {
				return true
			}
			seen++
			if !guarded(body) {
				t.Errorf("%s: a goroutine does not begin with defer crash.Exit()", files.Position(n.Pos()))
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 15 {
		t.Errorf("%d goroutines seen, %v; the test looks at too little", seen, err)
	}
}

// main also does what no goroutine can.
func TestTheProgramAbortsOnFaults(t *testing.T) {
	text, err := os.ReadFile("../../cmd/harfangsync/main.go")
	if err != nil || !strings.Contains(string(text), "\tcrash.AbortOnFaults()\n") {
		t.Errorf("main leaves faults their code 2, %v", err)
	}
}

// begun is what a node runs in a goroutine of its own; nil for what is no function literal. main counts, timers do not:
// all that ours do is cancel.
func begun(n ast.Node) (body *ast.BlockStmt, begins bool) {
	var f ast.Expr
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Name.Name == "main" {
			return n.Body, true
		}
		return nil, false
	case *ast.GoStmt:
		f = n.Call.Fun
	case *ast.CallExpr:
		s, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Go", "TryGo"}, s.Sel.Name) || len(n.Args) == 0 {
			return nil, false
		}
		f = n.Args[len(n.Args)-1]
	default:
		return nil, false
	}
	if lit, ok := f.(*ast.FuncLit); ok {
		return lit.Body, true
	}
	return nil, true
}

func guarded(body *ast.BlockStmt) bool {
	if body == nil || len(body.List) == 0 {
		return false
	}
	d, ok := body.List[0].(*ast.DeferStmt)
	if !ok {
		return false
	}
	s, ok := d.Call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "crash" && s.Sel.Name == "Exit"
}
