package server

import (
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/sats"
)

func TestQueryHash(t *testing.T) {
	var full sats.Hash
	for i := range full {
		full[i] = byte(i + 1)
	}
	small := sats.Hash{0x0f, 0x01} // the number 0x010f
	for text, want := range map[string]sats.Hash{
		full.JSON(): full, "0x10f": small, "0x0": {}, "0x" + strings.Repeat("0", 70) + "10f": small,
	} {
		if h, found, err := parseQuery("token=" + text).hash("token"); h != want || !found || err != nil {
			t.Errorf("%s: %s, %v, %v", text, h, found, err)
		}
	}
	if _, found, err := parseQuery("other=1").hash("token"); found || err != nil {
		t.Errorf("no token: %v, %v", found, err)
	}
	for text, want := range map[string]string{
		"": "invalid digit", "10f": "invalid digit", "0x": "invalid digit", "0xzz": "invalid digit",
		"0x" + strings.Repeat("1", 65): "too large", "0x1&token=0x1": "duplicate field `token`",
	} {
		if _, _, err := parseQuery("token=" + text).hash("token"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
