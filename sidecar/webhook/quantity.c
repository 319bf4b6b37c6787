/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* k8s.io/apimachinery/pkg/api/resource: DecimalSI and BinarySI. */
static const struct {
	const char *suffix;
	double factor;
} suffixes[] = {
	{"", 1},	{"n", 1e-9},	{"u", 1e-6},	{"m", 1e-3},
	{"k", 1e3},	{"M", 1e6},	{"G", 1e9},	{"T", 1e12},
	{"P", 1e15},	{"E", 1e18},	{"Ki", 0x1p10}, {"Mi", 0x1p20},
	{"Gi", 0x1p30}, {"Ti", 0x1p40}, {"Pi", 0x1p50}, {"Ei", 0x1p60},
};

bool quantity_parse(const char *str, double *ret_value)
{
	const char *digits = str + (*str == '+' || *str == '-');
	char *suffix;
	double n;

	/* strtod() takes hexadecimal numbers, "inf" and "nan" too. */
	if (!isdigit((unsigned char)*digits) && *digits != '.')
		return false;
	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
		return false;
	n = strtod(str, &suffix);
	if (suffix == str || !isfinite(n))
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (strcmp(suffix, suffixes[i].suffix) == 0) {
			*ret_value = n * suffixes[i].factor;
			return true;
		}
	}
	return false;
}

bool quantity_read(const cJSON *node, double *ret_value)
{
	if (cJSON_IsNumber(node)) {
		*ret_value = node->valuedouble;
		return true;
	}
	return cJSON_IsString(node) && quantity_parse(node->valuestring, ret_value);
}
