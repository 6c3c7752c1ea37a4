import { forbidden, invalid, required, tooLong } from './field-errors.ts';
import { jsonEqual } from './json.ts';
import type { Kind } from './kind.ts';
import {
  type Check,
  dns1035Label,
  dnsLabel,
  dnsSubdomain,
  labelValue,
  pathSegment,
  qualifiedName,
} from './name-checks.ts';
import type { Meta } from './object.ts';
import type { FieldError } from './schema.ts';

const nameRules: Readonly<Record<Kind['nameRule'], Check>> = {
  subdomain: dnsSubdomain,
  label: dnsLabel,
  dns1035: dns1035Label,
  pathSegment,
};

/** All annotations of one object together. */
const maxAnnotationBytes = 262_144;

export function validateMetadata(kind: Kind, metadata: Meta, errors: FieldError[]): void {
  const nameRule = nameRules[kind.nameRule];
  if (metadata.generateName) {
    // A prefix may end with what a whole name may not.
    for (const problem of nameRule(`${metadata.generateName}a`)) {
      errors.push(invalid('metadata.generateName', metadata.generateName, problem));
    }
  }
  if (!metadata.name) errors.push(required('metadata.name', 'name or generateName is required'));
  else for (const problem of nameRule(metadata.name)) errors.push(invalid('metadata.name', metadata.name, problem));
  if (!kind.namespaced && metadata.namespace) {
    errors.push(forbidden('metadata.namespace', 'not allowed on this type'));
  } else if (kind.namespaced && !metadata.namespace) errors.push(required('metadata.namespace'));
  else if (metadata.namespace) {
    for (const problem of dnsLabel(metadata.namespace)) {
      errors.push(invalid('metadata.namespace', metadata.namespace, problem));
    }
  }
  validateLabels(metadata.labels, 'metadata.labels', errors);
  validateAnnotations(metadata.annotations, 'metadata.annotations', errors);
  validateFinalizers(kind, metadata.finalizers ?? [], errors);
  validateOwners(metadata, errors);
}

const plainFinalizers: readonly string[] = ['kubernetes', 'orphan', 'foregroundDeletion'];

function validateFinalizers(kind: Kind, finalizers: readonly string[], errors: FieldError[]): void {
  const path = 'metadata.finalizers';
  for (const [index, finalizer] of finalizers.entries()) {
    const problems = qualifiedName(finalizer);
    for (const problem of problems) errors.push(invalid(path, finalizer, problem));
    if (problems.length > 0 || kind.group !== '' || finalizer.includes('/')) continue;
    if (!plainFinalizers.includes(finalizer)) {
      const why = 'name is neither a standard finalizer name nor is it fully qualified';
      errors.push(invalid(`${path}[${index}]`, finalizer, why));
    }
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
}

function validateOwners(metadata: Meta, errors: FieldError[]): void {
  const path = 'metadata.ownerReferences';
  metadata.ownerReferences?.forEach((owner, index) => {
    for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[key]) errors.push(invalid(`${path}[${index}].${key}`, owner[key] ?? '', `${key} must not be empty`));
    }
  });
  const controllers = metadata.ownerReferences?.filter((owner) => owner.controller) ?? [];
  if (controllers.length > 1) {
    const [first, second] = controllers.map(({ kind, name }) => `${kind}/${name}`);
    const found = `Found "true" in references for ${first} and ${second}`;
    const why = `Only one reference can have Controller set to true. ${found}`;
    errors.push(invalid(path, metadata.ownerReferences, why));
  }
}

export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
  errors: FieldError[],
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const problem of qualifiedName(key)) errors.push(invalid(path, key, problem));
    for (const problem of labelValue(value)) errors.push(invalid(path, value, problem));
  }
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
  errors: FieldError[],
): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const problem of qualifiedName(key.toLowerCase())) errors.push(invalid(path, key, problem));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxAnnotationBytes) errors.push(tooLong(path, maxAnnotationBytes));
}

/** `old` and `metadata` are of the same object: what identifies it stays, and a deletion cannot be held up anew. */
export function validateMetadataUpdate(metadata: Meta, old: Meta, errors: FieldError[]): void {
  for (const key of ['name', 'namespace', 'uid', 'creationTimestamp'] as const) {
    if (metadata[key] !== undefined && old[key] !== undefined && metadata[key] !== old[key]) {
      errors.push(invalid(`metadata.${key}`, metadata[key], 'field is immutable'));
    }
  }
  if (old.deletionTimestamp === undefined) return;
  if (!jsonEqual(metadata.deletionTimestamp ?? old.deletionTimestamp, old.deletionTimestamp)) {
    errors.push(invalid('metadata.deletionTimestamp', metadata.deletionTimestamp, 'field is immutable'));
  }
  const added = (metadata.finalizers ?? []).filter((one) => !old.finalizers?.includes(one));
  if (added.length > 0) {
    errors.push(
      forbidden(
        'metadata.finalizers',
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(', ')}}`,
      ),
    );
  }
}
