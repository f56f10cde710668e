package sigma_test

import (
	"maps"
	"strings"
)

// form is how HarfangLab holds an event of a public logsource (contract harfanglab-sigma 3), said once more by
// hand: the table of the package is what is tried.
type form struct {
	product, category, service string
	to                         string              // category, "" for an event log
	channel                    string              // of an event log, by which a service finds it
	known                      string              // service by which HarfangLab's rules find it as well
	same                       []string            // fields with one name on both sides
	named                      map[string]string   // fields with another name there
	hashes                     map[string]string   // fields of the algorithms of Hashes
	values                     map[string]string   // that HarfangLab's event always has
	only                       map[string][]string // values that the public event can have of a field; the first of "EventType" and the like
}

var processes = map[string]string{
	"Image": "ProcessImage", "CommandLine": "ProcessCommandLine", "User": "ProcessUser", "ParentImage": "ProcessParentImage",
	"ParentCommandLine": "ProcessParentCommandLine", "CurrentDirectory": "ProcessCurrentDirectory",
}

func also(m map[string]string, more ...string) map[string]string {
	m = maps.Clone(m)
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func without(m map[string]string, names ...string) map[string]string {
	m = maps.Clone(m)
	for _, n := range names {
		delete(m, n)
	}
	return m
}

var hashFields = map[string]string{"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256", "IMPHASH": "Imphash"}

var forms = []form{
	{product: "windows", category: "process_creation", to: "process_creation", same: words("Image CommandLine CurrentDirectory User ParentImage OriginalFileName IntegrityLevel"),
		named: map[string]string{"GrandParentImage": "GrandparentImage", "ParentUser": "ProcessParentUser"}, hashes: hashFields},
	{product: "linux", category: "process_creation", to: "process_creation", same: words("Image CommandLine CurrentDirectory User ParentImage"), hashes: without(hashFields, "IMPHASH")},
	{product: "macos", category: "process_creation", to: "process_creation", same: words("Image CommandLine User ParentImage"), hashes: without(hashFields, "IMPHASH")},
	{product: "windows", category: "file_event", to: "file_create", same: words("TargetFilename"), named: processes},
	{product: "windows", category: "file_delete", to: "file_remove", same: words("TargetFilename"), named: processes},
	{product: "windows", category: "file_access", to: "file_read", same: words("FileName"), named: processes},
	{product: "windows", category: "file_rename", to: "file_rename", named: also(processes, "SourceFilename", "Path", "TargetFilename", "TargetPath")},
	{product: "linux", category: "file_event", to: "filesystem_event", named: also(without(processes, "IntegrityLevel"), "TargetFilename", "Path"), values: map[string]string{"Kind": "write"}},
	{product: "macos", category: "file_event", to: "filesystem_event", named: also(processes, "TargetFilename", "Path"), values: map[string]string{"Kind": "create"}},
	{product: "windows", category: "image_load", to: "library_event", same: words("Image ImageLoaded Signed Signature Description"), named: without(processes, "Image")},
	{product: "windows", category: "driver_load", to: "driver_load", same: words("ImageLoaded Signed Signature"),
		hashes: map[string]string{"MD5": "DriverMd5", "SHA1": "DriverSha1", "SHA256": "DriverSha256"}},
	{product: "windows", category: "create_remote_thread", to: "remote_thread", same: words("SourceImage StartModule StartFunction"),
		named: map[string]string{"SourceUser": "ProcessUser", "SourceParentImage": "ProcessParentImage"}},
	{product: "windows", category: "process_access", to: "process_access", same: words("SourceImage TargetImage CallTrace GrantedAccess"),
		named: map[string]string{"SourceUser": "ProcessUser"}},
	{product: "windows", category: "pipe_created", to: "named_pipe_creation", same: words("PipeName"), named: processes},
	{product: "windows", category: "raw_access_thread", to: "raw_device_access", same: words("Image Device"), named: without(processes, "Image")},
	{product: "windows", category: "process_tampering", to: "process_tampered", same: words("Image Type"), named: without(processes, "Image")},
	{product: "windows", category: "registry_set", to: "registry_event", same: words("Image TargetObject Details EventType"), named: without(processes, "Image"),
		only: map[string][]string{"EventType": words("SetValue")}},
	{product: "windows", category: "registry_add", to: "registry_event", same: words("Image TargetObject EventType"), named: without(processes, "Image"),
		only: map[string][]string{"EventType": words("CreateKey")}},
	{product: "windows", category: "registry_delete", to: "registry_event", same: words("Image TargetObject EventType"), named: without(processes, "Image"),
		only: map[string][]string{"EventType": words("DeleteKey DeleteValue")}},
	{product: "windows", category: "registry_event", to: "registry_event", same: words("Image TargetObject Details EventType"), named: without(processes, "Image"),
		only: map[string][]string{"EventType": words("SetValue CreateKey DeleteKey RenameKey DeleteValue")}},
	{product: "windows", category: "network_connection", to: "network_connection", same: words("Image User DestinationIp DestinationPort DestinationHostname Initiated Protocol"), named: without(processes, "Image", "User")},
	{product: "linux", category: "network_connection", to: "network_connection", same: words("DestinationIp DestinationPort DestinationHostname"), named: processes},
	{product: "windows", category: "dns_query", to: "dns_query", same: words("Image QueryName QueryResults"), named: without(processes, "Image", "User")},
	{product: "windows", category: "ps_script", to: "powershell_event", same: words("ScriptBlockText Path")},
	{product: "windows", category: "ps_module", channel: "Microsoft-Windows-PowerShell/Operational", known: "powershell", same: words("Payload ContextInfo"),
		values: map[string]string{"EventID": "4103"}},
	{product: "windows", category: "ps_classic_start", channel: "Windows Powershell", known: "powershell-classic", same: words("Data HostApplication"), values: map[string]string{"EventID": "400"}},
	{product: "windows", category: "ps_classic_provider_start", channel: "Windows Powershell", known: "powershell-classic", same: words("Data"), values: map[string]string{"EventID": "600"}},
	{product: "windows", service: "security", channel: "Security", known: "security", same: words("EventID SubjectUserName LogonType ProcessName"), named: map[string]string{"Provider_Name": "Provider"},
		only: map[string][]string{"EventID": words("4624 4625 1102 4673 4663"), "Provider_Name": words("Microsoft-Windows-Security-Auditing")}},
	{product: "windows", service: "system", channel: "System", known: "system", same: words("EventID ServiceName ImagePath Channel"), named: map[string]string{"Provider_Name": "Provider"},
		only: map[string][]string{"EventID": words("7045 7036 104"), "Provider_Name": {"Service Control Manager", "Microsoft-Windows-Eventlog", "NTFS"}}},
	{product: "windows", service: "application", channel: "Application", known: "application", same: words("EventID Data"), named: map[string]string{"Provider_Name": "Provider"},
		only: map[string][]string{"EventID": words("1000 1001"), "Provider_Name": {"Application Error", "MsiInstaller"}}},
	{product: "windows", service: "windefend", channel: "Microsoft-Windows-Windows Defender/Operational", known: "defender", same: words("EventID Path ThreatName"),
		only: map[string][]string{"EventID": words("1116 5001")}},
	{product: "windows", service: "codeintegrity-operational", channel: "Microsoft-Windows-CodeIntegrity/Operational", same: words("EventID FileNameBuffer"),
		only: map[string][]string{"EventID": words("3023 3089")}},
	{product: "windows", service: "ntlm", channel: "Microsoft-Windows-NTLM/Operational", same: words("EventID WorkstationName"), only: map[string][]string{"EventID": words("8001 8004")}},
	{product: "windows", service: "msexchange-management", channel: "MSExchange Management", same: words("EventID Data"), only: map[string][]string{"EventID": words("1 6")}},
}

func words(s string) []string { return strings.Fields(s) }

// fields are all fields of the public form.
func (f *form) fields() []string {
	var out []string
	out = append(out, f.same...)
	for name := range f.named {
		out = append(out, name)
	}
	if f.hashes != nil {
		out = append(out, "Hashes")
	}
	return out
}

// collected says whether HarfangLab has an event log's event at all.
func (f *form) collected(e event) bool {
	id, provider := e.fields["EventID"], e.fields["Provider_Name"]
	switch f.service {
	case "security":
		return id != "4673" && id != "4663"
	case "system":
		return provider != "NTFS"
	case "msexchange-management":
		return id == "1"
	}
	return true
}

// harfanglab is the event that HarfangLab has of a public one; ok is false where it has none.
func (f *form) harfanglab(e event) (held event, ok bool) {
	held = event{product: f.product, category: f.to, fields: maps.Clone(f.values)}
	if held.fields == nil {
		held.fields = map[string]string{}
	}
	for name, v := range e.fields {
		if as := f.named[name]; as != "" {
			held.fields[as] = v
		} else if f.to == "" || factsKnow(f.product, f.to, name) && f.values[name] == "" {
			held.fields[name] = v
		}
	}
	for _, part := range strings.Split(e.fields["Hashes"], ",") {
		algorithm, digits, _ := strings.Cut(part, "=")
		if as := f.hashes[algorithm]; as != "" {
			held.fields[as] = digits
		}
	}
	if f.channel != "" {
		held.category, held.service = "eventlog", f.known
		held.fields["LogName"] = f.channel
	}
	return held, f.collected(e) && e.fields["EventType"] != "DeleteValue"
}
