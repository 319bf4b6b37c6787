// SPDX-License-Identifier: Apache-2.0

// Evaluates admission policies and match conditions with the API server's own
// code (k8s.io/apiserver), without an API server.
//
// Standard input: JSON values, one question each:
//
//	{"policy": a MutatingAdmissionPolicy, ValidatingAdmissionPolicy or
//	           MutatingWebhookConfiguration (asked: which webhooks are called), or null,
//	 "operation": "CREATE", "object": ..., "oldObject": ..., "namespace": ..., "params": ...,
//	 "resource": "pods", "subresource": ""}
//
// Standard output: one line of JSON for each:
//
//	{"matches": bool, "object": the mutated object, "denied": [messages], "error": "..."}
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugincel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/client-go/kubernetes/scheme"
)

type question struct {
	Policy      json.RawMessage   `json:"policy"`
	Operation   string            `json:"operation"`
	Object      json.RawMessage   `json:"object"`
	OldObject   json.RawMessage   `json:"oldObject"`
	Namespace   *corev1.Namespace `json:"namespace"`
	Params      json.RawMessage   `json:"params"`
	Resource    string            `json:"resource"`
	Subresource string            `json:"subresource"`
}

type answer struct {
	Matches bool     `json:"matches"`
	Called  []string `json:"called,omitempty"`
	Object  any      `json:"object,omitempty"`
	Denied  []string `json:"denied,omitempty"`
	Error   string   `json:"error,omitempty"`
}

func decode(data json.RawMessage) (runtime.Object, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	return object, err
}

func compiler() *plugincel.CompositedCompiler {
	base := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	made, err := plugincel.NewCompositedCompiler(base)
	if err != nil {
		panic(err)
	}
	return made
}

func variables(from []v1.Variable) []plugincel.NamedExpressionAccessor {
	var all []plugincel.NamedExpressionAccessor
	for _, one := range from {
		all = append(all, &validating.Variable{Name: one.Name, Expression: one.Expression})
	}
	return all
}

func conditions(from []v1.MatchCondition) []plugincel.ExpressionAccessor {
	var all []plugincel.ExpressionAccessor
	for i := range from {
		all = append(all, (*matchconditions.MatchCondition)(&from[i]))
	}
	return all
}

// What all kinds of policies are asked about.
type request struct {
	attributes *admission.VersionedAttributes
	resource   schema.GroupVersionResource
	namespace  *corev1.Namespace
	params     runtime.Object
}

func read(q *question) (*request, error) {
	object, err := decode(q.Object)
	if err != nil {
		return nil, err
	}
	old, err := decode(q.OldObject)
	if err != nil {
		return nil, err
	}
	params, err := decode(q.Params)
	if err != nil {
		return nil, err
	}
	known := object
	if known == nil {
		known = old
	}
	if known == nil {
		return nil, errors.New("neither object nor oldObject")
	}
	kind := known.GetObjectKind().GroupVersionKind()
	meta := known.(metav1.Object)
	resource := kind.GroupVersion().WithResource(q.Resource)
	attributes := admission.NewAttributesRecord(object, old, kind, meta.GetNamespace(), meta.GetName(),
		resource, q.Subresource, admission.Operation(q.Operation), nil, false, &user.DefaultInfo{Name: "test"})
	return &request{
		attributes: &admission.VersionedAttributes{Attributes: attributes, VersionedObject: object,
			VersionedOldObject: old, VersionedKind: kind},
		resource: resource, namespace: q.Namespace, params: params,
	}, nil
}

func mutate(p *v1.MutatingAdmissionPolicy, r *request) (ret answer, err error) {
	c := compiler()
	options := plugincel.OptionalVariableDeclarations{HasParams: p.Spec.ParamKind != nil, HasAuthorizer: true}
	c.CompileAndStoreVariables(variables(p.Spec.Variables), options, environment.StoredExpressions)
	ctx := c.CreateContext(context.Background())
	if len(p.Spec.MatchConditions) > 0 {
		compiled := c.CompileCondition(conditions(p.Spec.MatchConditions), options, environment.StoredExpressions)
		matcher := matchconditions.NewMatcher(compiled, p.Spec.FailurePolicy, "policy", "validate", p.Name)
		result := matcher.Match(ctx, r.attributes, r.params, nil)
		if result.Error != nil || !result.Matches {
			return answer{}, result.Error
		}
	}
	options.HasPatchTypes = true
	object := r.attributes.VersionedObject
	for _, mutation := range p.Spec.Mutations {
		if mutation.PatchType != v1.PatchTypeJSONPatch {
			return answer{}, fmt.Errorf("patch type %s", mutation.PatchType)
		}
		expression := &patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression}
		patcher := patch.NewJSONPatcher(c.CompileMutatingEvaluator(expression, options, environment.StoredExpressions))
		r.attributes.VersionedObject = object
		object, err = patcher.Patch(ctx, patch.Request{
			MatchedResource:     r.resource,
			VersionedAttributes: r.attributes,
			ObjectInterfaces:    admission.NewObjectInterfacesFromScheme(scheme.Scheme),
			OptionalVariables:   plugincel.OptionalVariableBindings{VersionedParams: r.params},
			Namespace:           r.namespace,
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			return answer{Matches: true}, err
		}
	}
	return answer{Matches: true, Object: object}, nil
}

func validate(p *v1.ValidatingAdmissionPolicy, r *request) (answer, error) {
	c := compiler()
	options := plugincel.OptionalVariableDeclarations{HasParams: p.Spec.ParamKind != nil, HasAuthorizer: true}
	c.CompileAndStoreVariables(variables(p.Spec.Variables), options, environment.StoredExpressions)
	var checks, messages []plugincel.ExpressionAccessor
	for _, one := range p.Spec.Validations {
		checks = append(checks, &validating.ValidationCondition{Expression: one.Expression, Message: one.Message, Reason: one.Reason})
		if one.MessageExpression != "" {
			messages = append(messages, &validating.MessageExpressionCondition{MessageExpression: one.MessageExpression})
		} else {
			messages = append(messages, nil)
		}
	}
	var matcher matchconditions.Matcher
	if len(p.Spec.MatchConditions) > 0 {
		matcher = matchconditions.NewMatcher(c.CompileCondition(conditions(p.Spec.MatchConditions), options,
			environment.StoredExpressions), p.Spec.FailurePolicy, "policy", "validate", p.Name)
		if result := matcher.Match(c.CreateContext(context.Background()), r.attributes, r.params, nil); result.Error != nil || !result.Matches {
			return answer{}, result.Error
		}
	}
	validator := validating.NewValidator(
		c.CompileCondition(checks, options, environment.StoredExpressions), nil,
		c.CompileCondition(nil, options, environment.StoredExpressions),
		c.CompileCondition(messages, plugincel.OptionalVariableDeclarations{HasParams: options.HasParams}, environment.StoredExpressions),
		p.Spec.FailurePolicy, nil)
	result := validator.Validate(c.CreateContext(context.Background()), r.resource, r.attributes, r.params,
		r.namespace, celconfig.RuntimeCELCostBudget, nil)
	ret := answer{Matches: true}
	for _, decision := range result.Decisions {
		if decision.Evaluation == validating.EvalError {
			return ret, errors.New(decision.Message)
		}
		if decision.Action == validating.ActionDeny {
			ret.Denied = append(ret.Denied, decision.Message)
		}
	}
	return ret, nil
}

func call(p *v1.MutatingWebhookConfiguration, r *request) (ret answer, err error) {
	for _, hook := range p.Webhooks {
		c := plugincel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
		compiled := c.CompileCondition(conditions(hook.MatchConditions),
			plugincel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.StoredExpressions)
		result := matchconditions.NewMatcher(compiled, hook.FailurePolicy, "webhook", "admit", hook.Name).
			Match(context.Background(), r.attributes, nil, nil)
		if result.Error != nil {
			return answer{}, result.Error
		}
		if result.Matches {
			ret.Matches = true
			ret.Called = append(ret.Called, hook.Name)
		}
	}
	return ret, nil
}

func respond(q *question) (answer, error) {
	policy, err := decode(q.Policy)
	if err != nil {
		return answer{}, err
	}
	r, err := read(q)
	if err != nil {
		return answer{}, err
	}
	switch p := policy.(type) {
	case nil:
		return answer{Object: r.attributes.VersionedObject}, nil
	case *v1.MutatingAdmissionPolicy:
		return mutate(p, r)
	case *v1.ValidatingAdmissionPolicy:
		return validate(p, r)
	case *v1.MutatingWebhookConfiguration:
		return call(p, r)
	default:
		return answer{}, fmt.Errorf("a policy of type %T", p)
	}
}

func main() {
	input := json.NewDecoder(os.Stdin)
	output := json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := input.Decode(&q); err == io.EOF {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		said, err := respond(&q)
		if err != nil {
			said.Error = err.Error()
		}
		if err := output.Encode(said); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
}
