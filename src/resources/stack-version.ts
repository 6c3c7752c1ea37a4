import { jsonEqual } from './json.ts';
import type { ControllerRevision, Stack } from './kinds.ts';
import { annotations, labels } from './names.ts';
import type { StackSpec } from './stack-types.ts';

/**
 * What a stack said once: a ControllerRevision of its namespace that belongs to it. Written by the stack controller before it
 * carries the spec out; the last ten are kept.
 */
export interface StackVersion {
  /** From 1, without a gap while the stack lives. */
  readonly number: number;
  readonly spec: StackSpec;
  /** RFC 3339. */
  readonly at: string;
  /** Why it was made, a few words. */
  readonly cause: string;
  /** Every service was what it said, for a moment at least. */
  readonly wasThrough: boolean;
}

/** With a part of the uid: those of a stack that had the name before may be there still. */
export function stackVersionName({ metadata }: Stack, number: number): string {
  return `stack-${metadata.name}-${(metadata.uid ?? '').slice(0, 8)}-${number}`;
}

export function stackVersionOf(revision: ControllerRevision): StackVersion | undefined {
  const { metadata, data } = revision;
  const number = revision.revision ?? 0;
  if (!isSpec(data) || number < 1) return undefined;
  return {
    number,
    spec: data,
    at: metadata.creationTimestamp ?? '',
    cause: metadata.annotations?.[annotations.cause] ?? '',
    wasThrough: metadata.annotations?.[annotations.rolledOut] === metadata.name,
  };
}

/** Oldest first. */
export function stackVersionsOf(revisions: readonly ControllerRevision[], stack: Stack): StackVersion[] {
  const { namespace, name, uid } = stack.metadata;
  return revisions
    .filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[labels.stack] === name)
    .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid))
    .flatMap((one) => stackVersionOf(one) ?? [])
    .sort((a, b) => a.number - b.number);
}

/** The same but for how many instances there are: people scale, and that is no other version. */
export function isSameVersion(a: StackSpec, b: StackSpec): boolean {
  return jsonEqual(withoutInstances(a), withoutInstances(b));
}

function withoutInstances(spec: StackSpec): unknown {
  const services = Object.entries(spec.services).map(
    ([name, { instances: _, ...service }]) => [name, service] as const,
  );
  return { ...spec, services: Object.fromEntries(services) };
}

/** A former spec, with as many instances as there are now of what is still there. */
export function specOfVersion(version: StackVersion, now: StackSpec): StackSpec {
  const services = Object.entries(version.spec.services).map(([name, service]) => {
    const instances = now.services[name]?.instances ?? service.instances;
    return [name, { ...service, instances }] as const;
  });
  return { ...version.spec, services: Object.fromEntries(services) };
}

function isSpec(data: unknown): data is StackSpec {
  return typeof data === 'object' && data !== null && 'services' in data && typeof data.services === 'object';
}
