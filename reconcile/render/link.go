package render

import (
	"net/url"
	"regexp"
	"strings"
)

// indicatorPath is where OpenCTI shows an indicator, by its internal id.
const indicatorPath = "/dashboard/observations/indicators/"

// linkBase is the start of a link to an indicator on the OpenCTI at a URL: the internal id follows. It
// is empty where no link can be made: a saved plan may come from anywhere, so only http and https
// become links, and what could carry a name, a password or a question is left out.
func linkBase(source string) string {
	u, err := url.Parse(source)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return strings.TrimRight(clean.String(), "/") + indicatorPath
}

var linkableID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// linkable says whether an id is an internal id as OpenCTI makes them, which needs no escape in a link.
func linkable(id string) bool { return linkableID.MatchString(id) }
