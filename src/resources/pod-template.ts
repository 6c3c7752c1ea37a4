import type { PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { invalid, notSupported, required } from './field-errors.ts';
import { objectMeta } from './meta.ts';
import { validateAnnotations, validateLabels } from './meta-validation.ts';
import { podSpec } from './pod-spec.ts';
import { type FieldError, field, message } from './schema.ts';
import { isEmptySelector, matchesSelector } from './selectors.ts';

export const podTemplateSpec = message(
  'PodTemplateSpec',
  { metadata: field(1, objectMeta), spec: field(2, podSpec, { required: true }) },
  {
    validate: (template: PodTemplateSpec, path, errors) => {
      validateLabels(template.metadata?.labels, `${path}.metadata.labels`, errors);
      validateAnnotations(template.metadata?.annotations, `${path}.metadata.annotations`, errors);
    },
  },
);

const selectorOperators: readonly string[] = ['In', 'NotIn', 'Exists', 'DoesNotExist'];

/** What a controller that keeps pods running asks of its selector and template. */
export function validateSelectorAndTemplate(
  spec: { readonly selector?: LabelSelector; readonly template?: PodTemplateSpec },
  kind: 'deployment' | 'ReplicaSet',
  errors: FieldError[],
): void {
  const { selector, template } = spec;
  if (selector === undefined) errors.push(required('spec.selector'));
  else if (isEmptySelector(selector)) {
    errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${kind}`));
  } else if (selector.matchExpressions?.some(({ operator }) => !selectorOperators.includes(operator))) {
    errors.push(invalid('spec.selector', selector, 'invalid label selector'));
  } else if (template && !matchesSelector(selector, template.metadata?.labels)) {
    errors.push(
      invalid(
        'spec.template.metadata.labels',
        template.metadata?.labels ?? {},
        '`selector` does not match template `labels`',
      ),
    );
  }
  const policy = template?.spec?.restartPolicy;
  if (policy !== undefined && policy !== 'Always') {
    errors.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']));
  }
}
