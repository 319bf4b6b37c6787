/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "webhook/cel.h"
#include "webhook/cel_match.h"
#include "webhook/image.h"
#include "webhook/injection.h"
#include "webhook/pod_resources.h"
#include "webhook/template.h"

/* Columns of the lines of an expression, in a list in the policy's spec. */
#define VARIABLE_INDENT 6
#define MUTATION_INDENT 8

/* What is fixed of the document, around what is made. */
static const char head[] =
	"# Made by `sidelight-webhook policy`; do not edit. Parameters: ../parameters.\n"
	"apiVersion: admissionregistration.k8s.io/v1\n"
	"kind: MutatingAdmissionPolicy\n"
	"metadata:\n"
	"  name: " POLICY_NAME "\n"
	"  labels:\n"
	"    app.kubernetes.io/name: sidelight\n"
	"    app.kubernetes.io/component: policy\n"
	"spec:\n"
	"  failurePolicy: Ignore\n"
	"  reinvocationPolicy: IfNeeded\n"
	"  paramKind:\n"
	"    apiVersion: v1\n"
	"    kind: ConfigMap\n"
	"  matchConstraints:\n"
	"    resourceRules:\n"
	"    - apiGroups: [\"\"]\n"
	"      apiVersions: [v1]\n"
	"      resources: [pods]\n"
	"      operations: [CREATE]\n"
	"      scope: Namespaced\n"
	"  matchConditions:\n"
	"  - name: asked-for\n"
	"    expression: >-\n"
	"      has(object.metadata.annotations) &&\n"
	"      \"" ANNOTATION_INJECT "\" in object.metadata.annotations &&\n"
	"      object.metadata.annotations[\"" ANNOTATION_INJECT "\"] == \"true\"\n"
	"  - name: not-injected-yet\n"
	"    expression: >-\n"
	"      !(has(object.metadata.annotations) &&\n"
	"      \"" ANNOTATION_STATUS "\" in object.metadata.annotations &&\n"
	"      object.metadata.annotations[\"" ANNOTATION_STATUS "\"] == \"" STATUS_INJECTED
	"\" &&\n"
	"      (object.spec.containers +\n"
	"      (has(object.spec.initContainers) ? object.spec.initContainers : []))\n"
	"      .exists(c, c.name == \"" TEMPLATE_CONTAINER "\"))\n"
	"  variables:\n";

static const char binding[] = "---\n"
			      "apiVersion: admissionregistration.k8s.io/v1\n"
			      "kind: MutatingAdmissionPolicyBinding\n"
			      "metadata:\n"
			      "  name: " POLICY_NAME "\n"
			      "  labels:\n"
			      "    app.kubernetes.io/name: sidelight\n"
			      "    app.kubernetes.io/component: policy\n"
			      "spec:\n"
			      "  policyName: " POLICY_NAME "\n"
			      "  paramRef:\n"
			      "    name: " POLICY_PARAMETERS "\n"
			      "    namespace: " POLICY_NAMESPACE "\n"
			      "    parameterNotFoundAction: Allow\n";

/* Variables before those of the parameters: theirs are made of these. */
static const struct {
	const char *name;
	const char *expression;
} given[] = {
	{"annotations", "has(object.metadata.annotations) ? object.metadata.annotations : {}"},
	{"parameters", "has(params.data) ? params.data : {}"},
	/* As owner.h says. */
	{"owners", "(has(object.metadata.ownerReferences) ? object.metadata.ownerReferences : [])"
		   ".filter(o, has(o.controller) && o.controller)"},
	{"owner_name", "size(variables.owners) == 0 ? \"\" : variables.owners[0].name"},
	{"owner_kind", "size(variables.owners) == 0 ? \"\" : variables.owners[0].kind"},
	{"template_hash",
	 "has(object.metadata.labels) && \"pod-template-hash\" in object.metadata.labels"
	 " ? object.metadata.labels[\"pod-template-hash\"] : \"\""},
	{"owner_workload",
	 "variables.owner_kind == \"ReplicaSet\" && variables.template_hash != \"\" &&"
	 " size(variables.owner_name) > size(variables.template_hash) + 1 &&"
	 " variables.owner_name.endsWith(\"-\" + variables.template_hash)"
	 " ? variables.owner_name.substring(0,"
	 " size(variables.owner_name) - size(variables.template_hash) - 1)"
	 " : variables.owner_kind == \"Job\" && variables.owner_name.matches(\"^.+-[0-9]{8,10}$\")"
	 " ? variables.owner_name.substring(0, variables.owner_name.lastIndexOf(\"-\"))"
	 " : variables.owner_name"},
};

/* ... and after them. */
static const struct {
	const char *name;
	const char *expression;
} derived[] = {
	{"init_containers", "has(object.spec.initContainers) ? object.spec.initContainers : []"},
	{"volumes", "has(object.spec.volumes) ? object.spec.volumes : []"},
	{"port_owners",
	 "variables.metrics_port == \"\" ? [] :"
	 " (object.spec.containers + variables.init_containers).filter(c, has(c.ports) &&"
	 " c.ports.exists(p, p.containerPort == int(variables.metrics_port)))"},
	/* Where the container will be: the first of all, or the last of its kind. */
	{"place", "variables.native == \"true\" ? \"/spec/initContainers/0\" :"
		  " \"/spec/containers/\" + string(size(object.spec.containers))"},
};

/* The first condition that holds is the reason; see injection_is_possible(). */
static const struct {
	const char *condition;
	const char *reason;
} reasons[] = {
	{"has(object.spec.os) && object.spec.os.name == \"windows\" ||"
	 " has(object.spec.nodeSelector) && \"kubernetes.io/os\" in object.spec.nodeSelector &&"
	 " object.spec.nodeSelector[\"kubernetes.io/os\"] == \"windows\"",
	 REASON_WINDOWS},
	{"has(namespaceObject.metadata.labels) &&"
	 " \"pod-security.kubernetes.io/enforce\" in namespaceObject.metadata.labels &&"
	 " namespaceObject.metadata.labels[\"pod-security.kubernetes.io/enforce\"]"
	 " in [\"baseline\", \"restricted\"]",
	 REASON_RESTRICTED},
	{"variables.pod_security != \"privileged\" && !(has(namespaceObject.metadata.labels) &&"
	 " \"pod-security.kubernetes.io/enforce\" in namespaceObject.metadata.labels)",
	 REASON_RESTRICTED_CLUSTER},
	{"\"kubernetes.io/config.mirror\" in variables.annotations", REASON_MIRROR},
	{"has(object.spec.shareProcessNamespace) && !object.spec.shareProcessNamespace",
	 REASON_NOT_SHARED},
	{"has(object.spec.hostPID) && object.spec.hostPID", REASON_HOST_PID},
	{"has(object.spec.hostUsers) && !object.spec.hostUsers", REASON_HOST_USERS},
	{"variables.metrics_port != \"\" && has(object.spec.hostNetwork) &&"
	 " object.spec.hostNetwork",
	 REASON_HOST_NETWORK},
	{"(object.spec.containers + variables.init_containers)"
	 ".exists(c, c.name == \"" TEMPLATE_CONTAINER "\")",
	 REASON_CONTAINER},
};

struct writer {
	struct text *out;
	struct cel cel;
	struct text later; /* operations that add what may be left out */
};

static void begin_variable(struct text *out, const char *name)
{
	text_add(out, "  - name: ");
	for (; *name; name++)
		text_add_char(out, *name == '-' ? '_' : *name);
	text_add(out, "\n    expression: >-\n      ");
}

/* size(v) <= 255 && v.matches("...") */
static void write_check(struct text *out, const struct parameter *p)
{
	text_addf(out, "size(v) <= %zu && v.matches(", p->max_bytes);
	cel_string(out, p->pattern);
	text_add_char(out, ')');
	if (p->items_max)
		text_addf(
			out,
			" && size(v.split(\",\")) <= %zu && v.split(\",\").all(i, size(i) <= %zu)",
			p->items_max, p->item_max_bytes);
}

/* What is said and can be used: of the annotation and the ConfigMap, else the default. */
static void write_said(struct text *out, enum parameter_id id, const struct values *defaults,
		       bool is_annotated)
{
	const struct parameter *p = &parameter_table[id];

	if (p->final) {
		cel_veto(out, "variables.parameters", p);
		text_addf(out, " ? \"%s\" :\n      ", p->final);
	}
	text_add(out, "([");
	if (is_annotated)
		text_addf(out,
			  "\"" PARAMETER_PREFIX "%s\" in variables.annotations ? "
			  "variables.annotations[\"" PARAMETER_PREFIX "%s\"] : \"\",\n      ",
			  p->name, p->name);
	text_addf(out, "\"%s\" in variables.parameters ? variables.parameters[\"%s\"] : \"\"",
		  p->name, p->name);
	if (id == PARAM_WORKLOAD && !*defaults->of[id])
		text_add(out, ", variables.owner_workload");
	text_add(out, "]\n      .filter(v, ");
	write_check(out, p);
	text_add(out, ") + [");
	cel_string(out, defaults->of[id]);
	text_add(out, "])[0]\n");
}

/* A limit is never below the request. */
static void write_limit(struct text *out, enum parameter_id id, enum parameter_id request,
			const struct values *defaults)
{
	char said[64];

	(void)snprintf(said, sizeof(said), "%s_said", parameter_table[id].name);
	begin_variable(out, said);
	write_said(out, id, defaults, true);
	begin_variable(out, parameter_table[id].name);
	cel_variable(out, id);
	text_add(out, "_said != \"\" && quantity(");
	cel_variable(out, id);
	text_add(out, "_said).isLessThan(quantity(");
	cel_variable(out, request);
	text_add(out, "))\n      ? ");
	cel_variable(out, request);
	text_add(out, " : ");
	cel_variable(out, id);
	text_add(out, "_said\n");
}

/* As values_for_pod() says; `push` stands before it in the table. */
static void write_push_on_exit(struct text *out, const struct values *defaults)
{
	begin_variable(out, "push_on_exit_said");
	write_said(out, PARAM_PUSH_ON_EXIT, defaults, true);
	begin_variable(out, "push_on_exit");
	text_add(out, "variables.push_on_exit_said == \"\" && variables.push != \"\" &&\n"
		      "      has(object.spec.restartPolicy) &&"
		      " object.spec.restartPolicy in [\"Never\", \"OnFailure\"]\n"
		      "      ? \"keep\" : variables.push_on_exit_said\n");
}

/* One way, unless both are asked for; `push` stands behind it in the table. */
static void write_export(struct text *out, const struct values *defaults)
{
	begin_variable(out, "push_said");
	write_said(out, PARAM_PUSH, defaults, true);
	begin_variable(out, "export_said");
	write_said(out, PARAM_EXPORT, defaults, true);
	begin_variable(out, "export");
	text_add(out, "variables.export_said != \"\" ? variables.export_said :\n"
		      "      variables.push_said != \"\" ? \"push\" : \"scrape\"\n");
}

static void write_parameter(struct text *out, enum parameter_id id, const struct values *defaults)
{
	if (id == PARAM_CPU_LIMIT || id == PARAM_MEMORY_LIMIT) {
		write_limit(out, id, id == PARAM_CPU_LIMIT ? PARAM_CPU : PARAM_MEMORY, defaults);
		return;
	}
	if (id == PARAM_PUSH_ON_EXIT) {
		write_push_on_exit(out, defaults);
		return;
	}
	if (id == PARAM_EXPORT) {
		write_export(out, defaults);
		return;
	}
	begin_variable(out, parameter_table[id].name);
	if (id == PARAM_PUSH) {
		text_add(out, "variables.export == \"scrape\" ? \"\" : variables.push_said\n");
		return;
	}
	if (id == PARAM_TLS_CAPABILITY)
		text_add(out, "variables.tls == \"off\" ? \"\" :\n      ");
	if (id == PARAM_METRICS_PORT)
		text_add(out, "variables.export == \"push\" ? \"\" :\n      ");
	write_said(out, id, defaults, !parameter_is_final(id, defaults->of[id]));
}

static const char *volume_name(const cJSON *volume)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(volume, "name"));

	return name ? name : "";
}

/* A volume of one of our names that the Pod has by itself must be ours. */
static void write_volume_reasons(struct text *out)
{
	struct cel cel = {.out = out, .indent = VARIABLE_INDENT};
	const cJSON *volume;

	cJSON_ArrayForEach(volume, cJSON_GetObjectItemCaseSensitive(template_document(), "volumes"))
	{
		text_add(out, "variables.volumes.exists(v, v.name == ");
		cel_string(out, volume_name(volume));
		text_add(out, " && !(");
		cel_match(&cel, "v", volume);
		text_addf(out, "))\n      ? \"" REASON_VOLUME "\" :\n      ", volume_name(volume));
	}
}

static void write_image_reason(struct text *out)
{
	text_add_char(out, '!');
	image_write_condition(out, "variables.image");
	text_add(out, "\n      ? \"" REASON_IMAGE "\" :\n      ");
}

static void write_reason(struct text *out)
{
	begin_variable(out, "reason");
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		text_addf(out, "%s\n      ? ", reasons[i].condition);
		cel_string(out, reasons[i].reason);
		text_add(out, " :\n      ");
	}
	write_image_reason(out);
	write_volume_reasons(out);
	/* REASON_PORT with its two values put in. */
	text_addf(out,
		  "size(variables.port_owners) > 0\n      ? \"" REASON_PORT "\" :\n      \"\"\n",
		  "\" + variables.metrics_port + \"", "\" + variables.port_owners[0].name + \"");
}

static void write_variables(struct text *out, const struct values *defaults)
{
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		begin_variable(out, given[i].name);
		text_addf(out, "%s\n", given[i].expression);
	}
	for (int i = 0; i < PARAM_MAX; i++)
		write_parameter(out, (enum parameter_id)i, defaults);
	begin_variable(out, "image_configured");
	write_said(out, PARAM_IMAGE, defaults, false);
	image_write_variables(out);
	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++) {
		begin_variable(out, derived[i].name);
		text_addf(out, "%s\n", derived[i].expression);
	}
	write_reason(out);
}

/* JSONPatch{op: "add", path: PATH, value: dyn( ... and the caller ends it. */
static void begin_add(struct text *out, const char *path)
{
	text_addf(out, "JSONPatch{op: \"add\", path: %s, value: dyn(", path);
}

/* A member that the literal does not have, since it may have no value. */
static void add_later(void *ctx, const char *path, enum parameter_id id, const cJSON *node)
{
	struct writer *w = ctx;
	struct cel cel = {.out = &w->later, .indent = MUTATION_INDENT};

	text_add(&w->later, " +");
	cel_newline(&cel);
	text_add_char(&w->later, '(');
	cel_variable(&w->later, id);
	text_add(&w->later, " == \"\" ? [] : [JSONPatch{op: \"add\", path: variables.place + ");
	cel_string(&w->later, path);
	text_add(&w->later, ", value: dyn(");
	cel_node(&cel, node);
	text_add(&w->later, ")}])");
}

/* Each as it is wanted, unless it is so already. */
static void write_pod(struct writer *w)
{
	const cJSON *pod = cJSON_GetObjectItemCaseSensitive(template_document(), "pod");
	const cJSON *member;
	struct text path;

	text_init(&path);
	cJSON_ArrayForEach(member, pod)
	{
		text_clear(&path);
		text_addf(&path, "\"/spec/%s\"", member->string);
		text_addf(w->out, "(has(object.spec.%s) && object.spec.%s == ", member->string,
			  member->string);
		cel_node(&w->cel, member);
		text_add(w->out, " ? [] : [");
		begin_add(w->out, path.ptr);
		cel_node(&w->cel, member);
		text_add(w->out, ")}]) +");
		cel_newline(&w->cel);
	}
	w->out->has_failed |= path.has_failed;
	text_release(&path);
}

/* A list must be there before something is put into it. */
static void write_list(struct writer *w, const char *list, const char *condition)
{
	text_addf(w->out, "(%shas(object.spec.%s) ? [] : [", condition, list);
	text_addf(w->out, "JSONPatch{op: \"add\", path: \"/spec/%s\", value: []}]) +", list);
	cel_newline(&w->cel);
}

static void write_volumes(struct writer *w)
{
	const cJSON *volume;

	write_list(w, "volumes", "");
	cJSON_ArrayForEach(volume, cJSON_GetObjectItemCaseSensitive(template_document(), "volumes"))
	{
		text_add(w->out, "(variables.volumes.exists(v, v.name == ");
		cel_string(w->out, volume_name(volume));
		text_add(w->out, ") ? [] : [");
		begin_add(w->out, "\"/spec/volumes/-\"");
		cel_node(&w->cel, volume);
		text_add(w->out, ")}]) +");
		cel_newline(&w->cel);
	}
}

static void write_container(struct writer *w)
{
	const cJSON *native = cJSON_GetObjectItemCaseSensitive(template_document(), "native");
	const cJSON *member;

	pod_resources_write(w->out, MUTATION_INDENT);
	write_list(w, "initContainers", "variables.native != \"true\" || ");
	w->cel.later = add_later;
	w->cel.ctx = w;
	text_add_char(w->out, '[');
	begin_add(w->out, "variables.place");
	cel_node(&w->cel, cJSON_GetObjectItemCaseSensitive(template_document(), "container"));
	text_add(w->out, ")}]");
	text_add_span(w->out, text_span(&w->later));
	w->cel.later = NULL;
	cJSON_ArrayForEach(member, native)
	{
		text_add(w->out, " +");
		cel_newline(&w->cel);
		text_add(w->out, "(variables.native != \"true\" ? [] : [JSONPatch{op: \"add\", "
				 "path: variables.place + ");
		text_addf(w->out, "\"/%s\", value: dyn(", member->string);
		cel_node(&w->cel, member);
		text_add(w->out, ")}])");
	}
}

static void write_mutation(struct writer *w)
{
	text_add(w->out, "  mutations:\n"
			 "  - patchType: JSONPatch\n"
			 "    jsonPatch:\n"
			 "      expression: |-\n"
			 "        (has(object.metadata.annotations) ? [] : ["
			 "JSONPatch{op: \"add\", path: \"/metadata/annotations\", value: {}}]) +\n"
			 "        [JSONPatch{op: \"add\", path: \"/metadata/annotations/\" + "
			 "jsonpatch.escapeKey(\"" ANNOTATION_STATUS "\"),\n"
			 "          value: variables.reason == \"\" ? \"" STATUS_INJECTED "\" : "
			 "\"not injected: \" + variables.reason}] +\n"
			 "        (variables.reason != \"\" ? [] :\n        ");
	write_pod(w);
	write_volumes(w);
	write_container(w);
	text_add(w->out, ")\n");
}

void policy_write(struct text *out, const struct values *defaults)
{
	struct writer w = {.out = out, .cel = {.out = out, .indent = MUTATION_INDENT}};

	text_init(&w.later);
	text_add(out, head);
	write_variables(out, defaults);
	if (template_document())
		write_mutation(&w);
	else
		out->has_failed = true;
	text_add(out, binding);
	out->has_failed |= w.later.has_failed;
	text_release(&w.later);
}

int policy_command(const struct flags *f)
{
	struct text out;
	int status = 0;

	text_init(&out);
	policy_write(&out, &f->values);
	if (out.has_failed) {
		log_error("policy: no memory");
		status = 1;
	} else {
		status = fwrite(out.ptr, 1, out.len, stdout) != out.len;
	}
	text_release(&out);
	return status;
}
