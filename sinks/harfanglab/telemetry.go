package harfanglab

import (
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/impact"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

const (
	telemetryBase = "/api/data/telemetry/"
	endpointBase  = "/api/data/endpoint/"
)

// streams are the paths of telemetry, and filters the parameters of its values (contract harfanglab-telemetry 2, 3).
var (
	streams = map[impact.Stream]string{
		impact.Processes: "Processes/", impact.Network: "Network/", impact.Resolutions: "DNSResolution/", impact.Drivers: "DriverLoad/",
	}
	hashFilters = map[impact.Field]string{
		impact.MD5: "hashes.md5__exact", impact.SHA1: "hashes.sha1__exact", impact.SHA256: "hashes.sha256__exact",
		impact.Source: "saddr", impact.Target: "daddr",
	}
	nameFilters = map[impact.Stream][2]string{
		impact.Processes: {"process_name", "image_name"}, impact.Resolutions: {"requested_name", ""}, impact.Drivers: {"imagename", "imagepath"},
	}
)

func filterOf(s impact.Stream, f impact.Field) string {
	switch f {
	case impact.Name:
		return nameFilters[s][0]
	case impact.Path:
		return nameFilters[s][1]
	}
	return hashFilters[f]
}

// moment is a time as filters take it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// Telemetry is a page of one stream (impact.Telemetry).
func (c *Client) Telemetry(ctx context.Context, q impact.Query) (impact.Page, error) {
	query := url.Values{}
	if q.Field != impact.All {
		query.Set(filterOf(q.Stream, q.Field), strings.Join(q.Values, ","))
	}
	if !q.Since.IsZero() {
		query.Set("@event_create_date__gte", moment(q.Since))
	}
	if !q.Until.IsZero() {
		query.Set("@event_create_date__lte", moment(q.Until))
	}
	if len(q.Except) > 0 {
		query.Set("agent.agentid__exact!", strings.Join(q.Except, ","))
	}
	p, err := onePage[wireEvent](ctx, c, telemetryBase+streams[q.Stream], query, q.Limit, q.Offset)
	if err != nil {
		return impact.Page{}, err
	}
	out := impact.Page{Count: *p.Count, More: p.more()}
	for i := range *p.Results {
		out.Rows = append(out.Rows, (*p.Results)[i].row(q.Stream))
	}
	return out, nil
}

// onePage is a page that is asked for once, whatever comes of it.
func onePage[T any](ctx context.Context, c *Client, path string, query url.Values, limit, offset int) (*page[T], error) {
	return askPage[T](ctx, c, call{path: path, query: query, single: true}, limit, offset)
}

// wireEvent is what is read of a row of telemetry (contract harfanglab-telemetry 4).
type wireEvent struct {
	At    stamp `json:"@event_create_date"`
	Agent maybe[struct {
		ID   text  `json:"agentid"`
		Host loose `json:"hostname"`
	}] `json:"agent"`
	Hashes maybe[struct {
		MD5    loose `json:"md5"`
		SHA1   loose `json:"sha1"`
		SHA256 loose `json:"sha256"`
	}] `json:"hashes"`
	Signed    *bool `json:"signed"`
	Signature maybe[struct {
		Signer maybe[struct {
			Name loose `json:"display_name"`
		}] `json:"signer_info"`
	}] `json:"signature_info"`
	ProcessName loose `json:"process_name"`
	ImageName   loose `json:"image_name"`
	Requested   loose `json:"requested_name"`
	DriverName  loose `json:"imagename"`
	DriverPath  loose `json:"imagepath"`
	Source      loose `json:"saddr"`
	Target      loose `json:"daddr"`
}

func (w *wireEvent) row(s impact.Stream) impact.Row {
	r := impact.Row{At: w.At.Time, Agent: string(w.Agent.v.ID), Host: oneLine(string(w.Agent.v.Host))}
	r.Values[impact.MD5], r.Values[impact.SHA1], r.Values[impact.SHA256] = string(w.Hashes.v.MD5), string(w.Hashes.v.SHA1), string(w.Hashes.v.SHA256)
	r.Values[impact.Source], r.Values[impact.Target] = string(w.Source), string(w.Target)
	if w.Signed != nil && *w.Signed {
		r.Signer = oneLine(string(w.Signature.v.Signer.v.Name))
	}
	switch s {
	case impact.Processes:
		r.Values[impact.Name], r.Values[impact.Path] = string(w.ProcessName), string(w.ImageName)
	case impact.Resolutions:
		r.Values[impact.Name] = string(w.Requested)
	case impact.Drivers:
		r.Values[impact.Name], r.Values[impact.Path] = string(w.DriverName), string(w.DriverPath)
	}
	return r
}

// Agents is a page of the endpoints (impact.Telemetry).
func (c *Client) Agents(ctx context.Context, limit, offset int) (impact.Agents, error) {
	query := url.Values{"fields": {"id,hostname,lastseen,ipaddress,external_ipaddress"}}
	p, err := onePage[wireEndpoint](ctx, c, endpointBase+"Agent/", query, limit, offset)
	if err != nil {
		return impact.Agents{}, err
	}
	out := impact.Agents{Count: *p.Count, More: p.more(), Slim: true}
	for _, w := range *p.Results {
		one := impact.Agent{Host: oneLine(string(w.Host)), LastSeen: w.LastSeen.Time}
		for _, text := range []loose{w.Address, w.External} {
			if addr, err := netip.ParseAddr(strings.TrimSpace(string(text))); err == nil {
				one.Addresses = append(one.Addresses, addr)
			}
		}
		out.Agents = append(out.Agents, one)
		out.Slim = out.Slim && w.Policy == nil
	}
	return out, nil
}

// wireEndpoint is what is read of an endpoint. Its policy comes where a manager does not heed fields.
type wireEndpoint struct {
	Host     loose           `json:"hostname"`
	LastSeen stamp           `json:"lastseen"`
	Address  loose           `json:"ipaddress"`
	External loose           `json:"external_ipaddress"`
	Policy   json.RawMessage `json:"policy"`
}

// Policies are all policies, by what they let endpoints send (impact.Telemetry).
func (c *Client) Policies(ctx context.Context) ([]impact.Policy, error) {
	p, err := onePage[map[string]json.RawMessage](ctx, c, endpointBase+"Policy/", nil, 1000, 0)
	if err != nil {
		return nil, err
	}
	out := make([]impact.Policy, len(*p.Results))
	for i, w := range *p.Results {
		for s, name := range []string{"process", "network", "dns_resolution", "driverload"} {
			out[i][s] = sends(w, "telemetry_"+name)
		}
	}
	if *p.Count > len(out) {
		out = append(out, impact.Policy{}) // the others, of which nothing is known
	}
	return out, nil
}

// sends says whether a policy lets endpoints send all of a kind of telemetry: live and without a limit, or switched
// on as in 2022.
func sends(policy map[string]json.RawMessage, name string) bool {
	var state string
	var limited, on bool
	_ = remote.Decode(policy[name+"_state"], &state) // what is no text, or no flag, is neither
	_ = remote.Decode(policy[name+"_limit"], &limited)
	_ = remote.Decode(policy[name], &on)
	return state == "live" && !limited || state == "" && on
}
