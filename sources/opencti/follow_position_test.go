package opencti_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// split is a platform whose stream is answered by a test.
func split(graphql, stream http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/stream/") {
			stream.ServeHTTP(w, r)
			return
		}
		graphql.ServeHTTP(w, r)
	})
}

func TestStreamPosition(t *testing.T) {
	connected := streams("event: connected\ndata: {\"firstEventId\":\"1-0\",\"lastEventId\":\"77-3\"}\n\n")
	end := strconv.FormatInt(now.UnixMilli(), 10) + "-0"
	info := func(answer string) http.Handler {
		return replaced(platform(octisim.Options{Version: "7.260817.0"}), "StreamPosition", func(question) string { return answer })
	}
	old := platform(octisim.Options{Version: "6.7.20"})
	tests := []struct {
		name        string
		graphql     http.Handler
		ident       bool // the version is known
		stream      []func(http.ResponseWriter, *http.Request)
		want        string
		fails       []string
		connections int
	}{
		{"the platform is asked", platform(octisim.Options{Version: "7.260817.0"}), true, nil, end, nil, 0},
		{"from 6.8.0", platform(octisim.Options{Version: "6.8.0"}), true, nil, end, nil, 0},
		{"before, the stream tells", old, true, []func(http.ResponseWriter, *http.Request){connected}, "77-3", nil, 1},
		{"a platform of unknown version that cannot be asked", old, false, []func(http.ResponseWriter, *http.Request){connected}, "77-3", nil, 1},
		{"one that has no answer", info(`{"data":{"redisStreamInfo":null}}`), true, []func(http.ResponseWriter, *http.Request){connected}, "77-3", nil, 1},
		{"an empty log has a position", info(`{"data":{"redisStreamInfo":{"lastEventId":"0-0"}}}`), true, nil, "0-0", nil, 0},
		{"by the stream too", old, true, []func(http.ResponseWriter, *http.Request){streams("event: connected\ndata: {\"firstEventId\":\"0-0\",\"lastEventId\":\"0-0\"}\n\n")}, "0-0", nil, 1},
		{"a position that is none", info(`{"data":{"redisStreamInfo":{"lastEventId":"soon\u001b"}}}`), true, nil, "", []string{"StreamPosition", "soon", "is not a position"}, 0},
		{"a failure of the platform is not covered up", info(coded("FORBIDDEN_ACCESS")), true, nil, "", []string{"StreamPosition", "FORBIDDEN_ACCESS"}, 0},
		{"failures of the stream are tried again", old, true,
			[]func(http.ResponseWriter, *http.Request){status("500 boom"), streams(""), connected}, "77-3", nil, 3},
		{"not for ever", old, true, []func(http.ResponseWriter, *http.Request){status("500 boom"), status("500 boom"), status("500 bang"), connected}, "", []string{"s1", "500 bang"}, 3},
		{"a stopped stream", old, true, nil, "", []string{"s1", "is stopped"}, 1},
		{"a stream that does not say", old, true, []func(http.ResponseWriter, *http.Request){streams("event: connected\ndata: {}\n\n")}, "", []string{"StreamPosition", "does not say where its stream"}, 1},
		{"a stream that begins with an event", old, true, []func(http.ResponseWriter, *http.Request){streams(event("5-0", "update", indicator("a")))}, "", []string{"StreamPosition", "does not say where its stream"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &feeds{answers: tt.stream}
			p := connect(t, split(tt.graphql, f), opencti.Options{Retry: remote.Retry{Attempts: 3}})
			if tt.ident {
				if _, err := p.Ident(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got, err := p.StreamPosition(t.Context(), opencti.FollowOptions{Stream: "s1"})
			if n := len(f.requests()); n != tt.connections {
				t.Errorf("%d connections, want %d", n, tt.connections)
			}
			if tt.fails != nil {
				says(t, err, tt.fails...)
				if got != (state.Position{}) {
					t.Errorf("position %s beside an error", got)
				}
				if _, ok := errors.AsType[*opencti.Error](err); !ok {
					t.Errorf("error %T, want one with an *Error", err)
				}
				return
			}
			if err != nil || got.String() != tt.want {
				t.Errorf("position %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestStreamPositionEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &feeds{answers: []func(http.ResponseWriter, *http.Request){func(http.ResponseWriter, *http.Request) {
		cancel()
		panic(http.ErrAbortHandler)
	}}}
	p := connect(t, split(platform(octisim.Options{Version: "6.7.20"}), f), opencti.Options{})
	if _, err := p.Ident(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := p.StreamPosition(ctx, opencti.FollowOptions{Stream: "s1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by %v", err)
	}
}
