package octisim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// What a real platform took (contract opencti-api 0.9): for a page of indicators, by its length, and for the
// relations of one. Without labels a page took three fifths.
var pageTimes = []struct {
	rows int
	took time.Duration
}{{0, 52 * time.Millisecond}, {500, 137 * time.Millisecond}, {1000, 222 * time.Millisecond}, {2000, 700 * time.Millisecond}}

const relationsTime = 75 * time.Millisecond

// timeOf is how long it took to answer a field.
func timeOf(f *ast.Field, q graphqlRequest) time.Duration {
	switch f.Name {
	case "stixCoreRelationships":
		return relationsTime
	case "indicators":
	default:
		return 0
	}
	rows := 0
	if a := f.Arguments.ForName("first"); a != nil {
		v, _ := a.Value.Value(q.Variables)
		rows, _ = strconv.Atoi(fmt.Sprint(v))
	}
	from, to := pageTimes[0], pageTimes[1]
	for i := 1; i+1 < len(pageTimes) && rows > to.rows; i++ {
		from, to = to, pageTimes[i+1]
	}
	took := from.took + (to.took-from.took)*time.Duration(rows-from.rows)/time.Duration(to.rows-from.rows)
	if !strings.Contains(q.Query, "objectLabel") {
		took = took * 3 / 5
	}
	return took
}
