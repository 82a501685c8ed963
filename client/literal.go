package client

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// literal writes a value as SQL does (spec 07 §6.1 and §34.6, 10 §2.10).
func literal(v any) (string, error) {
	switch v := v.(type) {
	case bool:
		if v {
			return "TRUE", nil
		}
		return "FALSE", nil
	case string:
		return quoteText(v), nil
	case []byte:
		return "0x" + hex.EncodeToString(v), nil
	case sats.Identity:
		return "0x" + v.String(), nil
	case sats.ConnectionID:
		return "0x" + v.String(), nil
	case sats.Uuid:
		return quoteText(v.String()), nil
	case sats.Timestamp:
		return quoteText(v.String()), nil
	case sats.TimeDuration:
		return quoteText(v.String()), nil
	case float32:
		return floatLiteral(float64(v), 32), nil
	case float64:
		return floatLiteral(v, 64), nil
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64, sats.I128, sats.U128, sats.I256, sats.U256:
		return fmt.Sprint(v), nil
	}
	return "NULL", fmt.Errorf("a value of type %T has no form in SQL", v)
}

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func floatLiteral(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "'NaN'"
	case math.IsInf(v, 1):
		return "'Infinity'"
	case math.IsInf(v, -1):
		return "'-Infinity'"
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}
