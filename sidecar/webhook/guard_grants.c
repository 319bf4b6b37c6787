/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/guard_grants.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "webhook/cel.h"
#include "webhook/cel_match.h"
#include "webhook/image.h"
#include "webhook/template.h"

#define EXPRESSION_INDENT 6
#define CONTROL_DIRECTORY "/run/sidelight"

/* What the Pod Security Standard "baseline" allows. */
#define BASELINE_CAPABILITIES                                                                      \
	"\"AUDIT_WRITE\", \"CHOWN\", \"DAC_OVERRIDE\", \"FOWNER\", \"FSETID\", \"KILL\","          \
	" \"MKNOD\",\n      \"NET_BIND_SERVICE\", \"SETFCAP\", \"SETGID\", \"SETPCAP\","           \
	" \"SETUID\", \"SYS_CHROOT\""

/* The arguments that sidelight may get in a container of `kubectl sidelight`: nothing that names a
 * file, a cgroup, a process, an address, or a program to start ("--"). */
#define EPHEMERAL_ARGUMENT                                                                         \
	"^([^-].*|--(body-sizes|by|conn-cap|containers|for|format|idle|log-level|metrics|"         \
	"ring-bytes|route-cap|routes|row-cap|series-cap|side|sort|summary)(=.*)?)?$"

/* Members that `kubectl debug` sets, and their conditions; "": any value. */
static const struct {
	const char *name;
	const char *expression;
	bool is_required;
} debug_members[] = {
	{"args",
	 "size(c.args) > 0 &&"
	 " c.args[0] in [\"doctor\", \"syscalls\", \"top\", \"trace\", \"ui\"] &&"
	 " c.args.all(a, a.matches(\"" EPHEMERAL_ARGUMENT "\"))",
	 true},
	{"resources", "size(dyn(c.resources)) == 0", false},
	{"stdin", "", false},
	{"targetContainerName", "", false},
	{"terminationMessagePath", "c.terminationMessagePath == \"/dev/termination-log\"", false},
	{"terminationMessagePolicy", "c.terminationMessagePolicy == \"File\"", false},
	{"tty", "", false},
};

/* Requests and limits are the owner's, and the API server writes them its own way. */
static const char resources[] =
	"dyn(c.resources).all(m_k, m_k in [\"requests\", \"limits\"]) &&\n"
	"          (!has(c.resources.requests) || dyn(c.resources.requests).all(m_k,"
	" m_k in [\"cpu\", \"memory\", \"ephemeral-storage\"])) &&\n"
	"          (!has(c.resources.limits) || dyn(c.resources.limits).all(m_k,"
	" m_k in [\"cpu\", \"memory\", \"ephemeral-storage\"]))";

/* Where a socket of sidelight may be: memory that no container has written before. */
static const char control_mount[] =
	"m_e.mountPath == \"" CONTROL_DIRECTORY "\" &&\n"
	"          dyn(m_e).all(m_k, m_k in [\"name\", \"mountPath\"]) &&\n"
	"          variables.volumes.exists(v, v.name == m_e.name && has(v.emptyDir) &&\n"
	"          has(v.emptyDir.medium) && v.emptyDir.medium == \"Memory\")";

static const cJSON *part(const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(template_document(), name);
}

static const cJSON *container_member(const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(part("container"), name);
}

static const cJSON *granted(void)
{
	const cJSON *security = container_member("securityContext");

	return cJSON_GetObjectItemCaseSensitive(
		cJSON_GetObjectItemCaseSensitive(security, "capabilities"), "add");
}

static void begin_variable(struct text *out, const char *name)
{
	text_addf(out, "  - name: %s\n    expression: >-\n      ", name);
}

/* k != "" && k == variables.tls_capability || k in ["BPF", ... and the end. Apart: the API server
 * takes no list of both. Without "": where the variable is empty, k could be, too. */
static void write_granted(struct text *out, const char *end)
{
	struct cel c = {.out = out};
	const cJSON *name;
	const char *comma = "[";

	cJSON_ArrayForEach(name, granted())
	{
		if (!cel_is_optional(name))
			continue;
		text_add(out, "k != \"\" && k == ");
		cel_node(&c, name);
		text_add(out, " || ");
	}
	text_add(out, "k in ");
	cJSON_ArrayForEach(name, granted())
	{
		if (cel_is_optional(name))
			continue;
		text_add(out, comma);
		cel_node(&c, name);
		comma = ", ";
	}
	text_add(out, end);
}

/* A capability that the ConfigMap alone adds to the list, or "". It is for decrypting TLS. */
static void write_capability_for_tls(struct text *out)
{
	const struct parameter *p = &parameter_table[PARAM_TLS_CAPABILITY];

	begin_variable(out, "tls_capability");
	text_addf(out,
		  "!variables.forbids_tls && has(params.data) && \"%s\" in params.data &&\n"
		  "      params.data[\"%s\"].matches(",
		  p->name, p->name);
	cel_string(out, p->pattern);
	text_addf(out, ")\n      ? params.data[\"%s\"] : \"\"\n", p->name);
}

static void write_capabilities(struct text *out)
{
	const cJSON *name;
	const char *comma = "";

	write_capability_for_tls(out);
	begin_variable(out, "granted_names");
	text_add_char(out, '"');
	cJSON_ArrayForEach(name, granted())
	{
		if (cel_is_optional(name))
			continue;
		text_addf(out, "%s%s", comma, name->valuestring);
		comma = ", ";
	}
	text_add(out, "\" +\n      (variables.tls_capability == \"\" ? \"\" : \", \" +"
		      " variables.tls_capability)\n");
	begin_variable(out, "greedy");
	text_add(out, "variables.adding.filter(c, !c.securityContext.capabilities.add\n"
		      "      .all(k, ");
	write_granted(out, ",\n      " BASELINE_CAPABILITIES "]))\n");
	begin_variable(out, "granted");
	text_add(out, "variables.adding.filter(c, !(c in variables.before) &&\n"
		      "      c.securityContext.capabilities.add.exists(k, ");
	write_granted(out, "]))\n");
}

/* The image and whether it may be any: of the ConfigMap alone, and without it nobody's. */
static void write_image(struct text *out)
{
	begin_variable(out, "image_configured");
	text_add(out,
		 "has(params.data) && \"image\" in params.data &&"
		 " size(params.data[\"image\"]) <= 255 &&\n      params.data[\"image\"].matches(");
	cel_string(out, parameter_table[PARAM_IMAGE].pattern);
	text_add(out, ")\n      ? params.data[\"image\"] : \"\"\n");
	begin_variable(out, "image_choice");
	text_add(out, "has(params.data) && \"image-choice\" in params.data"
		      " ? params.data[\"image-choice\"] : \"\"\n");
	image_write_variables(out);
}

/*
 * What the administrator can forbid: a variable of ours, and that of the template. An ephemeral
 * container decrypts TLS by itself; the other two it does only when it is asked to.
 */
static const struct {
	enum parameter_id id;
	const char *name;
	const char *environment;
	bool is_for_ephemeral;
} vetoes[] = {
	{PARAM_TLS, "forbids_tls", "SIDELIGHT_TLS", true},
	{PARAM_HEADER_CAPTURE, "forbids_headers", "SIDELIGHT_HEADER_CAPTURE", false},
	{PARAM_SYSCALL_COUNTING, "forbids_syscalls", "SIDELIGHT_SYSCALL_COUNTING", false},
};

/* Does the ConfigMap forbid it? */
static void write_vetoes(struct text *out)
{
	for (size_t i = 0; i < sizeof(vetoes) / sizeof(vetoes[0]); i++) {
		const struct parameter *p = &parameter_table[vetoes[i].id];

		begin_variable(out, vetoes[i].name);
		text_add(out, "has(params.data) && ");
		cel_veto(out, "params.data", p);
		text_add_char(out, '\n');
	}
}

/* Members that injected and ephemeral containers have alike: checked once, for both. */
static const char *const shared[] = {"image", "imagePullPolicy", "env", "securityContext"};

static bool is_shared(const char *member)
{
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (strcmp(shared[i], member) == 0)
			return true;
	return false;
}

/* An entry of the list of what is wrong: CONDITION ? "" : "MEMBER". */
static void end_entry(struct cel *c, const char *member)
{
	text_addf(c->out, " ? \"\" : \"%s\",", member);
	cel_newline(c);
}

/*
 * Then the container has to be told: of two values of one name, which the API server takes, the
 * last one counts, so both have to be this one.
 */
static void write_veto_entries(struct cel *c, bool is_ephemeral)
{
	char member[64];

	for (size_t i = 0; i < sizeof(vetoes) / sizeof(vetoes[0]); i++) {
		if (is_ephemeral && !vetoes[i].is_for_ephemeral)
			continue;
		text_addf(c->out,
			  "!variables.%s || has(c.env) && c.env.exists(e, e.name == \"%s\") &&"
			  " c.env.all(e, e.name != \"%s\" || has(e.value) && e.value == \"%s\")",
			  vetoes[i].name, vetoes[i].environment, vetoes[i].environment,
			  parameter_table[vetoes[i].id].final);
		(void)snprintf(member, sizeof(member), "env %s", vetoes[i].environment); /* fits */
		end_entry(c, member);
	}
}

static void write_shared_entry(struct cel *c, const char *member)
{
	text_addf(c->out, "c in variables.fit_%s", member);
	end_entry(c, member);
}

/* c.MEMBER is what the template makes of it. */
static void write_condition(struct cel *c, const cJSON *member)
{
	bool is_resources = strcmp(member->string, "resources") == 0;
	bool is_mounts = strcmp(member->string, "volumeMounts") == 0;
	bool is_optional = is_resources || cel_is_optional(member);
	struct text path;

	text_init(&path);
	text_addf(&path, "c.%s", member->string);
	text_addf(c->out, is_optional ? "!has(%s) || " : "has(%s) && ", path.ptr);
	if (is_mounts)
		text_addf(&path, ".filter(m_e, !(%s))", control_mount);
	if (is_resources)
		text_add(c->out, resources);
	else
		cel_match(c, path.ptr, member);
	c->out->has_failed |= path.has_failed;
	text_release(&path);
}

/* The granted containers in which a shared member is right. */
static void write_fits(struct text *out)
{
	struct cel c = {.out = out, .indent = EXPRESSION_INDENT};

	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		text_addf(out, "  - name: fit_%s\n    expression: >-\n      ", shared[i]);
		text_add(out, "variables.granted.filter(c, ");
		if (strcmp(shared[i], "image") == 0) {
			text_add(out, "variables.image_configured != \"\" && has(c.image) &&");
			cel_newline(&c);
			image_write_condition(out, "c.image");
		} else {
			write_condition(&c, container_member(shared[i]));
		}
		text_add(out, ")\n");
	}
}

static void write_defaults_entries(struct cel *c)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, template_defaults("container"))
	{
		if (cJSON_IsNull(member))
			continue;
		text_addf(c->out, "!has(c.%s) || c.%s == ", member->string, member->string);
		cel_node(c, member);
		end_entry(c, member->string);
	}
}

/* A native sidecar among the init containers, an ordinary one among the others. */
static void write_native_entries(struct cel *c)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, part("native"))
	{
		text_addf(c->out, "(has(c.%s) ? c in variables.init && c.%s == ", member->string,
			  member->string);
		cel_node(c, member);
		text_add(c->out, " : !(c in variables.init))");
		end_entry(c, member->string);
	}
}

/* The last ones of the list. */
static void write_volume_entries(struct cel *c)
{
	const cJSON *volume;
	char entry[64];

	cJSON_ArrayForEach(volume, part("volumes"))
	{
		const char *name =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(volume, "name"));

		text_addf(c->out, "variables.volumes.filter(v, v.name == \"%s\").all(v,",
			  name ? name : "");
		cel_newline(c);
		cel_match(c, "v", volume);
		text_add_char(c->out, ')');
		(void)snprintf(entry, sizeof(entry), "volume %s", name ? name : "");
		if (volume->next)
			end_entry(c, entry);
		else
			text_addf(c->out, " ? \"\" : \"%s\"]", entry);
	}
}

/* The end of the list: members that are none of these. */
static void end_wrong(struct cel *c, const struct text *members)
{
	text_addf(c->out,
		  " +\n        dyn(c).filter(m_k, !(m_k in [%s])))\n"
		  "        .filter(w, w != \"\").map(w, \"container \" + c.name + \": \" + w))\n",
		  members->ptr);
	c->out->has_failed |= members->has_failed;
}

static void list_members(struct text *members, const cJSON *object)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, object)
	{
		text_addf(members, "%s\"%s\"", members->len ? ", " : "", member->string);
	}
}

/* For each container that is granted something: the members that are not as injected. */
static void write_wrong(struct text *out)
{
	struct cel c = {.out = out, .indent = EXPRESSION_INDENT + 4};
	struct text members;
	const cJSON *member;

	text_init(&members);
	list_members(&members, part("container"));
	list_members(&members, part("native"));
	list_members(&members, template_defaults("container"));
	begin_variable(out, "wrong");
	text_add(out, "variables.granted.filter(c, c in variables.regular).map(c, ([");
	cel_newline(&c);
	cJSON_ArrayForEach(member, part("container"))
	{
		if (is_shared(member->string)) {
			write_shared_entry(&c, member->string);
			continue;
		}
		write_condition(&c, member);
		end_entry(&c, member->string);
	}
	write_veto_entries(&c, false);
	write_defaults_entries(&c);
	write_native_entries(&c);
	write_volume_entries(&c);
	end_wrong(&c, &members);
	text_release(&members);
}

/* Likewise of the ephemeral ones. */
static void write_wrong_ephemeral(struct text *out)
{
	struct cel c = {.out = out, .indent = EXPRESSION_INDENT + 4};
	struct text members;

	text_init(&members);
	text_add(&members, "\"name\"");
	begin_variable(out, "wrong_ephemeral");
	text_add(out, "variables.granted.filter(c, c in variables.ephemeral).map(c, ([");
	cel_newline(&c);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		text_addf(&members, ", \"%s\"", shared[i]);
		write_shared_entry(&c, shared[i]);
	}
	for (size_t i = 0; i < sizeof(debug_members) / sizeof(debug_members[0]); i++) {
		const char *name = debug_members[i].name;

		text_addf(&members, ", \"%s\"", name);
		if (!*debug_members[i].expression)
			continue;
		text_addf(out, debug_members[i].is_required ? "has(c.%s) && " : "!has(c.%s) || ",
			  name);
		text_add(out, debug_members[i].expression);
		end_entry(&c, name);
	}
	write_veto_entries(&c, true);
	text_add(out, "c.name.startsWith(\"" TEMPLATE_CONTAINER "-\") ? \"\" : \"name\"]");
	end_wrong(&c, &members);
	text_release(&members);
}

void guard_write_grants(struct text *out)
{
	write_image(out);
	write_vetoes(out); /* the capability for TLS depends on one */
	write_capabilities(out);
	write_fits(out);
	write_wrong(out);
	write_wrong_ephemeral(out);
}
