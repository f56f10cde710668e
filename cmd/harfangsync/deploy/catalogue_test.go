package deploy_test

import (
	"encoding/json"
	"image/png"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the catalogue says of the program agrees with its image, its settings and doctor, in the members that every
// connector's manifest has there.
func TestTheCatalogueKnowsTheProgram(t *testing.T) {
	b, err := os.ReadFile("catalogue/connector_manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	members := []string{
		"contact", "container_image", "container_type", "container_version", "description", "last_verified_date", "license_type", "logo", "manager_supported",
		"max_confidence_level", "playbook_supported", "short_description", "slug", "solution_categories", "source_code", "subscription_link", "support_version",
		"title", "use_cases", "verified",
	}
	if d := cmp.Diff(members, slices.Sorted(maps.Keys(m))); d != "" {
		t.Errorf("members (-catalogue +manifest):\n%s", d)
	}
	release, err := os.ReadFile("../../../.ci/release")
	if err != nil || !strings.Contains(string(release), "\nimage="+m["container_image"].(string)+" ") {
		t.Errorf("a release pushes another image than %s, %v", m["container_image"], err)
	}
	if _, version, _ := strings.Cut(read(t, "cronjob.yaml").pods["harfangsync"].Containers[0].Image, ":"); version != m["container_version"] {
		t.Errorf("version %s, the CronJob runs %s", m["container_version"], version)
	}
	schema, err := os.ReadFile("catalogue/connector_config_schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if typ, _ := json.Marshal(m["container_type"]); !strings.Contains(string(schema), `"const": `+string(typ)) {
		t.Errorf("the schema's CONNECTOR_TYPE is not %s", typ)
	}
	if id := "https://www.filigran.io/connectors/" + m["slug"].(string) + "_config.schema.json"; !strings.Contains(string(schema), `"$id": "`+id+`"`) {
		t.Errorf("the schema's id is not %s", id)
	}
	least, _ := strings.CutPrefix(m["support_version"].(string), ">=")
	doctor, err := os.ReadFile("../doctor/opencti.go")
	if err != nil || !strings.Contains(string(doctor), " "+least+" and later are supported fully") {
		t.Errorf("doctor does not say that OpenCTI %s is supported fully, %v", least, err)
	}
	logo, err := os.Open("catalogue/" + path.Base(m["logo"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	defer logo.Close()
	picture, err := png.DecodeConfig(logo)
	if err != nil || picture.Width != picture.Height || picture.Width < 128 {
		t.Errorf("the logo is %d by %d, %v", picture.Width, picture.Height, err)
	}
}
