/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/utsname.h>

#include "capture/probe.h"
#include "cmd/doctor_tls.h"

static const char *state_word(const struct probe *p)
{
	if (p->state == PROBE_UNKNOWN)
		return "unknown";
	return p->state == PROBE_YES ? "yes" : p->is_needed ? "MISSING" : "no";
}

static void print_table(FILE *out, const struct probe *probes, size_t count, bool can_run)
{
	struct utsname u = {0};
	int width = (int)strlen("FOUND");

	for (size_t i = 0; i < count; i++)
		if ((int)strlen(probes[i].detail) > width)
			width = (int)strlen(probes[i].detail);
	(void)uname(&u); /* cannot fail with this argument */
	(void)fprintf(out, "sidelight %s, kernel %s, %s\n\n", SIDELIGHT_VERSION, u.release,
		      u.machine);
	(void)fprintf(out, "%-25s%-9s%-*s  %s\n", "CHECK", "STATE", width, "FOUND",
		      "WITHOUT IT, NO");
	for (size_t i = 0; i < count; i++) {
		const struct probe *p = &probes[i];

		if (p->state != PROBE_YES)
			(void)fprintf(out, "%-25s%-9s%-*s  %s\n", p->name, state_word(p), width,
				      p->detail, p->disables);
		else if (p->detail[0])
			(void)fprintf(out, "%-25s%-9s%s\n", p->name, "yes", p->detail);
		else
			(void)fprintf(out, "%-25s%s\n", p->name, "yes");
	}
	(void)fprintf(out, "\n%s\n",
		      can_run ? "\"sidelight run\" can work here."
			      : "\"sidelight run\" cannot work here: see MISSING above.");
}

/* NULL: no memory. */
static cJSON *probe_json(const struct probe *p)
{
	cJSON *o = cJSON_CreateObject();

	if (o && cJSON_AddStringToObject(o, "check", p->name) &&
	    cJSON_AddStringToObject(o, "state", state_word(p)) &&
	    cJSON_AddBoolToObject(o, "is_needed", p->is_needed) &&
	    cJSON_AddStringToObject(o, "found", p->detail) &&
	    cJSON_AddStringToObject(o, "disables", p->state == PROBE_YES ? "" : p->disables))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static int print_json(FILE *out, const struct probe *probes, size_t count, bool is_array)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		cJSON *o = probe_json(&probes[i]);
		char *text = o ? cJSON_PrintUnformatted(o) : NULL;

		if (text)
			(void)fprintf(out, "%s%s%s\n", is_array ? i ? " " : "[" : "", text,
				      !is_array	      ? ""
				      : i + 1 < count ? ","
						      : "]");
		else
			err = -ENOMEM;
		cJSON_free(text);
		cJSON_Delete(o);
	}
	return err;
}

int doctor_print(FILE *out, const struct options *o)
{
	static struct probe probes[PROBE_MAX + DOCTOR_TLS_MAX];
	static struct doctor_tls tls;
	size_t count;
	bool can_run = true;
	int err = doctor_tls_fill(&tls, o);

	if (err)
		return err;
	count = probe_all(probes, o->ring_bytes);
	for (size_t i = 0; i < count; i++)
		can_run = can_run && (probes[i].state == PROBE_YES || !probes[i].is_needed);
	memcpy(&probes[count], tls.probes, tls.count * sizeof(probes[0]));
	count += tls.count;
	if (o->format == FORMAT_TABLE)
		print_table(out, probes, count, can_run);
	else
		err = print_json(out, probes, count, o->format == FORMAT_JSON);
	if (!err && (fflush(out) || ferror(out)))
		err = -EIO;
	return err ? err : !can_run;
}
