/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/guard.h"

#include <stdio.h>

#include "base/log.h"
#include "webhook/guard_grants.h"
#include "webhook/policy.h"
#include "webhook/template.h"

#define GUARD_NAME "sidelight-guard"

#define LABELS                                                                                     \
	"  labels:\n"                                                                              \
	"    app.kubernetes.io/name: sidelight\n"                                                  \
	"    app.kubernetes.io/component: guard\n"

static const char head[] =
	"# Made by `sidelight-webhook guard`; do not edit. Parameters: ../parameters.\n"
	"# sidelight's capabilities need a namespace without the Pod Security Standard\n"
	"# \"baseline\". In namespaces labelled sidelight.dev/guard=enforce this policy takes its\n"
	"# place: a container adds sidelight's capabilities only if it is the one that is\n"
	"# injected, or the ephemeral one of `kubectl sidelight`, member by member.\n"
	"apiVersion: admissionregistration.k8s.io/v1\n"
	"kind: ValidatingAdmissionPolicy\n"
	"metadata:\n"
	"  name: " GUARD_NAME "\n" LABELS "spec:\n"
	"  failurePolicy: Fail\n"
	"  paramKind:\n"
	"    apiVersion: v1\n"
	"    kind: ConfigMap\n"
	"  matchConstraints:\n"
	"    resourceRules:\n"
	"    - apiGroups: [\"\"]\n"
	"      apiVersions: [v1]\n"
	"      resources: [pods, pods/ephemeralcontainers]\n"
	"      operations: [CREATE, UPDATE]\n"
	"      scope: Namespaced\n"
	"  # Labels and finalizers of Pods that were there before may change; their spec may not.\n"
	"  matchConditions:\n"
	"  - name: spec-changes\n"
	"    expression: >-\n"
	"      request.operation != \"UPDATE\" || object.spec != oldObject.spec\n"
	"  variables:\n";

static const char binding[] = "---\n"
			      "apiVersion: admissionregistration.k8s.io/v1\n"
			      "kind: ValidatingAdmissionPolicyBinding\n"
			      "metadata:\n"
			      "  name: " GUARD_NAME "\n" LABELS "spec:\n"
			      "  policyName: " GUARD_NAME "\n"
			      "  validationActions: [Deny]\n"
			      "  matchResources:\n"
			      "    namespaceSelector:\n"
			      "      matchLabels:\n"
			      "        sidelight.dev/guard: enforce\n"
			      "  paramRef:\n"
			      "    name: " POLICY_PARAMETERS "\n"
			      "    namespace: " POLICY_NAMESPACE "\n"
			      "    parameterNotFoundAction: Deny\n";

struct named {
	const char *name;
	const char *expression;
};

static const struct named lists[] = {
	{"regular", "object.spec.containers +\n"
		    "      (has(object.spec.initContainers) ? object.spec.initContainers : [])"},
	{"init", "has(object.spec.initContainers) ? object.spec.initContainers : []"},
	{"ephemeral",
	 "has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : []"},
	{"containers", "variables.regular + variables.ephemeral"},
	/* What an update leaves as it was. */
	{"before",
	 "oldObject == null ? [] : oldObject.spec.containers +\n"
	 "      (has(oldObject.spec.initContainers) ? oldObject.spec.initContainers : []) +\n"
	 "      (has(oldObject.spec.ephemeralContainers) ? oldObject.spec.ephemeralContainers"
	 " : [])"},
	{"volumes", "has(object.spec.volumes) ? object.spec.volumes : []"},
	{"pod_security", "has(object.spec.securityContext) ? [object.spec.securityContext] : []"},
	{"secured", "variables.containers.filter(c, has(c.securityContext))"},
	{"adding", "variables.secured.filter(c, has(c.securityContext.capabilities) &&\n"
		   "      has(c.securityContext.capabilities.add))"},
};

/* Rules of the Pod Security Standard "baseline", v1.34. */
#define IS_UNCONFINED(s)                                                                           \
	"has(" s ".seccompProfile) && " s ".seccompProfile.type == \"Unconfined\" ||\n"            \
	"      has(" s ".appArmorProfile) && " s ".appArmorProfile.type == \"Unconfined\" ||\n"    \
	"      has(" s ".windowsOptions) && has(" s ".windowsOptions.hostProcess) &&\n"            \
	"      " s ".windowsOptions.hostProcess ||\n"                                              \
	"      has(" s ".seLinuxOptions) && (\n"                                                   \
	"      has(" s ".seLinuxOptions.user) && " s ".seLinuxOptions.user != \"\" ||\n"           \
	"      has(" s ".seLinuxOptions.role) && " s ".seLinuxOptions.role != \"\" ||\n"           \
	"      has(" s ".seLinuxOptions.type) && !(" s ".seLinuxOptions.type in [\"\",\n"          \
	"      \"container_t\", \"container_init_t\", \"container_kvm_t\","                        \
	" \"container_engine_t\"]))"

static const struct named baseline[] = {
	{"privileged", "variables.secured.filter(c, has(c.securityContext.privileged) &&\n"
		       "      c.securityContext.privileged)"},
	{"unconfined", "variables.secured.filter(c, has(c.securityContext.procMount) &&\n"
		       "      c.securityContext.procMount != \"Default\" ||\n"
		       "      " IS_UNCONFINED("c.securityContext") ")"},
};

static const struct {
	const char *expression;
	const char *member; /* of the list of a policy's validations */
	const char *message;
} validations[] = {
	{"variables.wrong.all(w, size(w) == 0)", "messageExpression",
	 "variables.wrong.filter(w, size(w) > 0)[0][0] +\n"
	 "      \": not what sidelight injects; only its own container may add \" +\n"
	 "      variables.granted_names"},
	{"variables.wrong_ephemeral.all(w, size(w) == 0)", "messageExpression",
	 "variables.wrong_ephemeral.filter(w, size(w) > 0)[0][0] +\n"
	 "      \": not what kubectl sidelight makes; only its own container may add \" +\n"
	 "      variables.granted_names"},
	{"size(variables.greedy) == 0", "messageExpression",
	 "\"container \" + variables.greedy[0].name + \" must not add capabilities that the\" +\n"
	 "      \" Pod Security Standard baseline does not allow\""},
	{"size(variables.privileged) == 0", "messageExpression",
	 "\"container \" + variables.privileged[0].name + \" must not be privileged\""},
	{"size(variables.unconfined) == 0", "messageExpression",
	 "\"container \" + variables.unconfined[0].name + \" must not be without confinement:"
	 " seccomp\" +\n"
	 "      \" and AppArmor Unconfined, SELinux types of the node, procMount, hostProcess\""},
	{"variables.pod_security.all(s, !(\n      " IS_UNCONFINED("s") "))", "message",
	 "securityContext of the Pod must not take its confinement away (seccomp, AppArmor,"
	 " SELinux, hostProcess)"},
	{"!has(object.metadata.annotations) || dyn(object.metadata.annotations).all(a,\n"
	 "      !a.startsWith(\"container.apparmor.security.beta.kubernetes.io/\") ||\n"
	 "      object.metadata.annotations[a] != \"unconfined\")",
	 "message", "annotations must not make AppArmor unconfined"},
	{"variables.pod_security.all(s, !has(s.sysctls) || s.sysctls.all(y, y.name in [\n"
	 "      \"kernel.shm_rmid_forced\", \"net.ipv4.ip_local_port_range\",\n"
	 "      \"net.ipv4.ip_unprivileged_port_start\", \"net.ipv4.tcp_syncookies\",\n"
	 "      \"net.ipv4.ping_group_range\", \"net.ipv4.ip_local_reserved_ports\",\n"
	 "      \"net.ipv4.tcp_keepalive_time\", \"net.ipv4.tcp_fin_timeout\",\n"
	 "      \"net.ipv4.tcp_keepalive_intvl\", \"net.ipv4.tcp_keepalive_probes\",\n"
	 "      \"net.ipv4.tcp_rmem\", \"net.ipv4.tcp_wmem\"]))",
	 "message", "sysctls must be of those that the Pod Security Standard baseline allows"},
	{"!(has(object.spec.hostPID) && object.spec.hostPID) &&\n"
	 "      !(has(object.spec.hostIPC) && object.spec.hostIPC) &&\n"
	 "      !(has(object.spec.hostNetwork) && object.spec.hostNetwork)",
	 "message", "hostPID, hostIPC and hostNetwork must not be true"},
	{"variables.volumes.all(v, !has(v.hostPath))", "message",
	 "volumes must not be of type hostPath"},
};

static void begin_variable(struct text *out, const char *name)
{
	text_addf(out, "  - name: %s\n    expression: >-\n      ", name);
}

static void write_named(struct text *out, const struct named *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		begin_variable(out, table[i].name);
		text_addf(out, "%s\n", table[i].expression);
	}
}

static void write_validations(struct text *out)
{
	text_add(out, "  validations:\n");
	for (size_t i = 0; i < sizeof(validations) / sizeof(validations[0]); i++)
		text_addf(out,
			  "  - expression: >-\n      %s\n    %s: >-\n      %s\n"
			  "    reason: Forbidden\n",
			  validations[i].expression, validations[i].member, validations[i].message);
}

void guard_write(struct text *out)
{
	if (!template_document()) {
		out->has_failed = true;
		return;
	}
	text_add(out, head);
	write_named(out, lists, sizeof(lists) / sizeof(lists[0]));
	guard_write_grants(out);
	write_named(out, baseline, sizeof(baseline) / sizeof(baseline[0]));
	write_validations(out);
	text_add(out, binding);
}

int guard_command(const struct flags *f)
{
	struct text out;
	int status = 1;

	(void)f;
	text_init(&out);
	guard_write(&out);
	if (out.has_failed)
		log_error("guard: no memory");
	else
		status = fwrite(out.ptr, 1, out.len, stdout) != out.len;
	text_release(&out);
	return status;
}
