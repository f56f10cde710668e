package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// standIn is curl, gh or jq, as far as the pipelines use them.
func standIn(tool string, args []string) int {
	err := fmt.Errorf("no such tool")
	switch {
	case tool == "jq":
		err = standInJQ(args)
	case tool == "curl":
		err = standInCurl(args)
	case tool == "gh" && len(args) > 1 && args[0] == "api":
		err = standInAPI(args[1:])
	case tool == "gh" && len(args) > 2 && args[0] == "run" && args[1] == "download":
		err = standInDownload(args[2:])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", tool, err)
		return 1
	}
	return 0
}

// words are the arguments of a command: those that are no flags, and the flags with their values.
func words(args []string, valued ...string) (plain []string, flags map[string][]string) {
	flags = map[string][]string{}
	for i := 0; i < len(args); i++ {
		switch {
		case slices.Contains(valued, args[i]) && i+1 < len(args):
			flags[args[i]] = append(flags[args[i]], args[i+1])
			i++
		case strings.HasPrefix(args[i], "-"):
			flags[args[i]] = append(flags[args[i]], "")
		default:
			plain = append(plain, args[i])
		}
	}
	return plain, flags
}

// standInCurl copies a file of the release. It knows no way to download without the flags that make a
// download safe.
func standInCurl(args []string) error {
	plain, flags := words(args, "--proto", "--retry", "--output")
	if len(plain) != 1 || len(flags["--output"]) != 1 {
		return fmt.Errorf("arguments: %q", args)
	}
	if flags["--fail"] == nil || flags["--location"] == nil || !slices.Equal(flags["--proto"], []string{"=https"}) {
		return errors.New("a download has to fail on errors, follow redirects, and use https alone")
	}
	u, err := url.Parse(plain[0])
	if err != nil || u.Scheme != "https" {
		return fmt.Errorf("URL %q", plain[0])
	}
	b, err := os.ReadFile(filepath.Join(os.Getenv(forgeFiles), path.Base(u.Path)))
	if err != nil {
		return fmt.Errorf("The requested URL returned error: 404")
	}
	return os.WriteFile(flags["--output"][0], b, 0o600)
}

// standInAPI is gh api.
func standInAPI(args []string) error {
	plain, flags := words(args, "--method", "--field", "--raw-field", "--jq")
	if len(plain) != 1 {
		return fmt.Errorf("api: arguments: %q", args)
	}
	fields := map[string]string{}
	for _, f := range flags["--raw-field"] {
		k, v, _ := strings.Cut(f, "=")
		fields[k] = v
	}
	for _, f := range flags["--field"] {
		k, v, _ := strings.Cut(f, "=")
		name, isFile := strings.CutPrefix(v, "@")
		if !isFile {
			return fmt.Errorf("api: --field %s changes types; --raw-field does not", k)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fields[k] = string(b)
	}
	method := "GET"
	if m := flags["--method"]; m != nil {
		method = m[0]
	}
	for page := 1; ; page++ {
		answer, more, err := callForge(method, plain[0], page, fields)
		if err != nil {
			return err
		}
		if flags["--jq"] != nil {
			// The expression runs as gh would run it: raw strings, one answer a line.
			if err := jq(flags["--jq"][0], answer); err != nil {
				return err
			}
		} else if flags["--silent"] == nil {
			fmt.Printf("%s\n", answer)
		}
		if !more || flags["--paginate"] == nil {
			return nil
		}
	}
}

// standInJQ is jq --raw-output EXPRESSION FILE.
func standInJQ(args []string) error {
	plain, flags := words(args)
	if len(plain) != 2 || flags["--raw-output"] == nil {
		return fmt.Errorf("arguments: %q", args)
	}
	b, err := os.ReadFile(plain[1])
	if err != nil {
		return err
	}
	return jq(plain[0], b)
}

// jq prints what an expression makes of a document: texts as they are, one answer a line.
func jq(expression string, input []byte) error {
	var in any
	query, err := gojq.Parse(expression)
	if err == nil {
		err = json.Unmarshal(input, &in)
	}
	if err != nil {
		return err
	}
	for answers := query.Run(in); ; {
		v, ok := answers.Next()
		if !ok {
			return nil
		}
		if err, failed := v.(error); failed {
			return err
		}
		if text, isText := v.(string); isText {
			fmt.Println(text)
			continue
		}
		if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
			return err
		}
	}
}

func callForge(method, path string, page int, fields map[string]string) (answer []byte, more bool, err error) {
	token := os.Getenv("GH_TOKEN")
	if token == "" {
		return nil, false, errors.New("To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment variable")
	}
	u, err := url.Parse(os.Getenv(forgeURL) + "/" + path)
	if err != nil {
		return nil, false, err
	}
	q := u.Query()
	q.Set("page", strconv.Itoa(page))
	u.RawQuery = q.Encode()
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, false, err
	}
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, false, err
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		return nil, false, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, false, fmt.Errorf("HTTP %d: %s", resp.StatusCode, bytes.TrimSpace(answer))
	}
	return answer, strings.Contains(resp.Header.Get("Link"), `rel="next"`), nil
}

// standInDownload is gh run download.
func standInDownload(args []string) error {
	plain, flags := words(args, "--repo", "--name", "--dir")
	if len(plain) != 1 || len(flags["--name"]) != 1 || len(flags["--dir"]) != 1 || !slices.Equal(flags["--repo"], []string{"o/r"}) {
		return fmt.Errorf("run download: arguments: %q", args)
	}
	dir, _, err := callForge("GET", "artefacts/"+plain[0]+"/"+flags["--name"][0], 1, nil)
	if err != nil {
		return err
	}
	return os.CopyFS(flags["--dir"][0], os.DirFS(string(dir)))
}
