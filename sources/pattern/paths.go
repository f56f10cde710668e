package pattern

import "strings"

// meaning is what an object path says in terms of HarfangLab rules.
type meaning uint8

const (
	otherPath     meaning = iota // no rule type
	addressPath                  // ip_both
	sourcePath                   // ip_src or domain_name
	destPath                     // ip_dst or domain_name
	sourceType                   // the type of what sourcePath names
	destType                     // the type of what destPath names
	domainPath                   // domain_name
	urlPath                      // url
	hashPath                     // hash
	fileNamePath                 // filename or filepath
	directoryPath                // with fileNamePath: filepath
)

// algorithm is a hash algorithm; the better identifies a file better.
type algorithm uint8

const (
	otherHash algorithm = iota
	md5
	sha1
	sha256
	algorithms // their number
)

// length is in hex digits, 0 for an unsupported algorithm.
func (a algorithm) length() int {
	return [algorithms]int{0, md5Length, sha1Length, sha256Length}[a]
}

func (a algorithm) String() string {
	return [algorithms]string{"unsupported", "MD5", "SHA-1", "SHA-256"}[a]
}

// meaning says what the path stands for; the algorithm is set for hashPath only.
func (p *path) meaning() (meaning, algorithm) {
	switch p.object {
	case "ipv4-addr", "ipv6-addr":
		if p.is("value") {
			return addressPath, 0
		}
	case "domain-name", "hostname", "x-opencti-hostname":
		if p.is("value") {
			return domainPath, 0
		}
	case "url":
		if p.is("value") {
			return urlPath, 0
		}
	case "network-traffic":
		switch {
		case p.is("src_ref", "value"):
			return sourcePath, 0
		case p.is("dst_ref", "value"):
			return destPath, 0
		case p.is("src_ref", "type"):
			return sourceType, 0
		case p.is("dst_ref", "type"):
			return destType, 0
		}
	case "file":
		switch {
		case p.is("name"):
			return fileNamePath, 0
		case p.is("parent_directory_ref", "path"):
			return directoryPath, 0
		}
		return p.hash("hashes")
	case "artifact":
		return p.hash("hashes")
	case "process":
		return p.hash("image_ref", "hashes")
	}
	return otherPath, 0
}

// is reports whether the path consists of exactly these properties.
func (p *path) is(keys ...string) bool {
	return len(p.steps) == len(keys) && p.begins(keys...)
}

func (p *path) begins(keys ...string) bool {
	if len(p.steps) < len(keys) {
		return false
	}
	for i, key := range keys {
		if p.steps[i].index || p.steps[i].text != key {
			return false
		}
	}
	return true
}

// hash reads a path that ends in the name of an algorithm.
func (p *path) hash(keys ...string) (meaning, algorithm) {
	n := len(keys)
	if len(p.steps) != n+1 || p.steps[n].index || !p.begins(keys...) {
		return otherPath, 0
	}
	return hashPath, parseAlgorithm(p.steps[n].text)
}

// parseAlgorithm takes MD5, SHA-1 and SHA-256 in any spelling: case, hyphens, underscores, blanks.
func parseAlgorithm(s string) algorithm {
	switch s {
	case "SHA-256":
		return sha256
	case "SHA-1":
		return sha1
	case "MD5":
		return md5
	}
	switch foldAlgorithm(s) {
	case "sha256":
		return sha256
	case "sha1":
		return sha1
	case "md5":
		return md5
	}
	return otherHash
}

// foldAlgorithm gives two spellings of one algorithm the same text.
func foldAlgorithm(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}
