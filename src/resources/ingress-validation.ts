// What the fields of an Ingress object cannot tell alone, in Kubernetes' words.
import { isIP } from 'node:net';
import type { HTTPIngressPath, IngressBackend, IngressRule, IngressTLS } from 'kubernetes-types/networking/v1.js';
import { invalid, notSupported, required } from './field-errors.ts';
import { ingressOptionErrors } from './ingress-options.ts';
import type { Ingress } from './kinds.ts';
import { dns1035Label, dnsSubdomain, ingressHost, portName, portNumber } from './name-checks.ts';
import type { FieldError } from './schema.ts';

/** The annotation that said the class before there was a field for it. */
export const legacyClassAnnotation = 'kubernetes.io/ingress.class';

export const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'] as const;

const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badEnds = ['/..', '/.'];

export function validateIngress(ingress: Ingress, errors: FieldError[]): void {
  const { spec } = ingress;
  const { rules = [], defaultBackend } = spec;
  if (rules.length === 0 && !defaultBackend) {
    errors.push(invalid('spec', rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (defaultBackend) validateBackend(defaultBackend, 'spec.defaultBackend', errors);
  for (const [index, rule] of rules.entries()) validateRule(rule, `spec.rules[${index}]`, errors);
  for (const [index, tls] of (spec.tls ?? []).entries()) validateTls(tls, `spec.tls[${index}]`, errors);
  errors.push(...ingressOptionErrors(ingress));
}

function validateRule(rule: IngressRule, path: string, errors: FieldError[]): void {
  const { host, http } = rule;
  if (host) {
    for (const problem of hostProblems(host)) errors.push(invalid(`${path}.host`, host, problem));
  }
  if (!http) return;
  if (!http.paths?.length) errors.push(required(`${path}.http.paths`));
  for (const [index, one] of (http.paths ?? []).entries()) validatePath(one, `${path}.http.paths[${index}]`, errors);
}

/** Of a rule: not of `spec.tls`, where Kubernetes takes addresses, too. */
export function hostProblems(host: string): readonly string[] {
  return isIP(host) > 0 ? ['must be a DNS name, not an IP address'] : ingressHost(host);
}

export function pathProblems(value: string, pathType: string): readonly string[] {
  const isLoose = pathType === 'ImplementationSpecific';
  const problems: string[] = [];
  if (!value.startsWith('/') && !(isLoose && value === '')) problems.push('must be an absolute path');
  if (!isLoose) {
    for (const bad of badSequences) if (value.includes(bad)) problems.push(`must not contain '${bad}'`);
    for (const bad of badEnds) if (value.endsWith(bad)) problems.push(`cannot end with '${bad}'`);
  }
  // Ours: it goes into tables of the proxies as it is.
  if (!/^[\x21-\x7e]*$/.test(value)) problems.push('must consist of printable ASCII characters');
  return problems;
}

function validatePath(one: HTTPIngressPath, path: string, errors: FieldError[]): void {
  const { path: value = '', pathType } = one;
  const at = `${path}.path`;
  if (!pathType) errors.push(required(`${path}.pathType`, 'pathType must be specified'));
  else if (!pathTypes.some((known) => known === pathType)) {
    errors.push(notSupported(`${path}.pathType`, pathType, pathTypes));
  } else for (const problem of pathProblems(value, pathType)) errors.push(invalid(at, value, problem));
  if (one.backend) validateBackend(one.backend, `${path}.backend`, errors);
  else errors.push(required(`${path}.backend`));
}

function validateBackend({ service, resource }: IngressBackend, path: string, errors: FieldError[]): void {
  // A resource is refused by its field.
  if (resource) return;
  if (!service) {
    errors.push(invalid(path, '', 'resource or service backend is required'));
    return;
  }
  if (!service.name) errors.push(required(`${path}.service.name`));
  else
    for (const problem of dns1035Label(service.name)) {
      errors.push(invalid(`${path}.service.name`, service.name, problem));
    }
  const { name, number } = service.port ?? {};
  if (name && number) errors.push(invalid(path, '', 'cannot set both port name & port number'));
  else if (name) {
    for (const problem of portName(name)) errors.push(invalid(`${path}.service.port.name`, name, problem));
  } else if (number) {
    for (const problem of portNumber(number)) errors.push(invalid(`${path}.service.port.number`, number, problem));
  } else errors.push(required(path, 'port name or number is required'));
}

function validateTls({ hosts = [], secretName }: IngressTLS, path: string, errors: FieldError[]): void {
  for (const [index, host] of hosts.entries()) {
    for (const problem of ingressHost(host)) errors.push(invalid(`${path}.hosts[${index}]`, host, problem));
  }
  for (const problem of secretName ? dnsSubdomain(secretName) : []) {
    errors.push(invalid(`${path}.secretName`, secretName, problem));
  }
}

/** As Kubernetes at creation: one of them has to say it, or both the same. */
export function legacyClassErrors(ingress: Ingress): readonly FieldError[] {
  const value = ingress.metadata.annotations?.[legacyClassAnnotation];
  const { ingressClassName: name } = ingress.spec;
  if (value === undefined || name === undefined || value === name) return [];
  return [invalid(`annotations.${legacyClassAnnotation}`, value, 'can not be set when the class field is also set')];
}
