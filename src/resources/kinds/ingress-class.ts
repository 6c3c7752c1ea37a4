import type { IngressClassParametersReference } from 'kubernetes-types/networking/v1.js';
import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { forbidden, invalid, notSupported, required, tooLong } from '../field-errors.ts';
import type { IngressClass } from '../kinds.ts';
import { objectMeta } from '../meta.ts';
import { dnsLabel, dnsSubdomain, pathSegment } from '../name-checks.ts';
import { type FieldError, field, message } from '../schema.ts';
import { requireSame } from '../validate.ts';

/** The class that every grid has from its first start, and who serves it: the proxies of the ingress nodes. */
export const ownClass = 'flotilla';
export const ownController = 'flotilla.dev/ingress';
/** On one class: Ingress objects that name none are of it. */
export const defaultClassAnnotation = 'ingressclass.kubernetes.io/is-default-class';

const scopes = ['Cluster', 'Namespace'];
const maxControllerLength = 250;

const parameters = message(
  'IngressClassParametersReference',
  {
    apiGroup: field(1, 'string', { optional: true, description: 'Of its kind; absent: the core group.' }),
    kind: field(2, 'string', { description: 'Its kind.' }),
    name: field(3, 'string', { description: 'Its name.' }),
    scope: field(4, 'string', { optional: true, default: 'Cluster', description: 'Cluster or Namespace.' }),
    namespace: field(5, 'string', { optional: true, description: 'Of scope Namespace.' }),
  },
  { description: 'An object with settings for the controller. Flotilla’s own has none.', validate: validateParameters },
);

export const ingressClasses = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  message: message(
    'IngressClass',
    {
      metadata: field(1, objectMeta),
      spec: field(
        2,
        message(
          'IngressClassSpec',
          {
            controller: field(1, 'string', { description: `Who serves it, such as ${ownController}; set once.` }),
            parameters: field(2, parameters, { description: 'Settings for that controller.' }),
          },
          { description: 'Who serves Ingress objects of the class.' },
        ),
        { default: {} },
      ),
    },
    { description: 'A way in that Ingress objects can ask for by name.' },
  ),
  columns: [
    nameColumn(),
    column('Controller', 'Who serves it.', (one) => one.spec.controller ?? ''),
    column('Parameters', 'Settings for the controller.', parametersText),
    ageColumn(),
  ],
  validate: ({ spec }, errors) => validateController(spec.controller ?? '', errors),
  validateUpdate: (next, old, errors) => {
    requireSame(next.spec.controller, old.spec.controller, 'spec.controller', errors);
  },
});

function validateController(value: string, errors: FieldError[]): void {
  const at = 'spec.controller';
  if (value.length > maxControllerLength) errors.push(tooLong(at, maxControllerLength));
  if (value === '') {
    errors.push(required(at));
    return;
  }
  const slash = value.indexOf('/');
  const [domain, path] = [value.slice(0, Math.max(slash, 0)), value.slice(slash + 1)];
  if (domain === '' || path === '') {
    errors.push(invalid(at, value, 'must be a domain-prefixed path (such as "acme.io/foo")'));
    return;
  }
  for (const problem of dnsSubdomain(domain)) errors.push(invalid(at, domain, problem));
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) errors.push(invalid(at, path, 'Invalid path'));
}

function validateParameters(one: IngressClassParametersReference, path: string, errors: FieldError[]): void {
  const { apiGroup, kind, name, scope = 'Cluster', namespace } = one;
  for (const problem of apiGroup ? dnsSubdomain(apiGroup) : []) {
    errors.push(invalid(`${path}.apiGroup`, apiGroup, problem));
  }
  for (const [key, value] of Object.entries({ kind, name })) {
    if (!value) errors.push(required(`${path}.${key}`));
    else for (const problem of pathSegment(value)) errors.push(invalid(`${path}.${key}`, value, problem));
  }
  if (!scopes.includes(scope)) errors.push(notSupported(`${path}.scope`, scope, scopes));
  const at = `${path}.namespace`;
  if (scope === 'Cluster' && namespace) {
    errors.push(forbidden(at, "`parameters.scope` is set to 'Cluster': a namespace may not be given"));
  } else if (scope === 'Namespace') {
    if (!namespace) errors.push(required(at, "`parameters.scope` is set to 'Namespace'"));
    else for (const problem of dnsLabel(namespace)) errors.push(invalid(at, namespace, problem));
  }
}

function parametersText({ spec: { parameters: one } }: IngressClass): string {
  if (!one) return '<none>';
  return `${one.kind}${one.apiGroup ? `.${one.apiGroup}` : ''}/${one.name}`;
}
