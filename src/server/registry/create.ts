import { randomInt, randomUUID } from 'node:crypto';
import { formatTime } from '../../resources/conditions.ts';
import { applyDefaults, prepareForCreate } from '../../resources/defaults.ts';
import { invalidError, required } from '../../resources/field-errors.ts';
import type { Kind } from '../../resources/kind.ts';
import { hasSubresource } from '../../resources/kind.ts';
import { namespaces, nodes, type Token, tokens } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { validate } from '../../resources/validate.ts';
import type { Condition } from '../../store/port.ts';
import { alreadyExists, badRequest, forbidden, notFound, serviceUnavailable } from './api-errors.ts';
import type { Call, RegistryContext } from './call.ts';
import { putObject } from './commit.ts';
import { objectKey } from './object-key.ts';
import { ownersOfNew } from './owners.ts';
import { reserve } from './reservations/reserve.ts';
import { dropEmpty, hasGeneration, isSame, namespaceNameLabel, type WritableMeta } from './server-fields.ts';

const maxAttempts = 20;

/**
 * Makes an object. `sent` has been decoded and belongs to us: it is changed. Answers what is stored. `isApply`: it says
 * who owns its fields.
 */
export async function createObject(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  sent: ApiObject,
  isApply = false,
): Promise<ApiObject> {
  const { generateName, managedFields } = sent.metadata;
  const isNameOurs = !sent.metadata.name && generateName !== undefined && generateName !== '';
  const prepared = prepare(context, kind, sent);
  const owners = isApply ? managedFields : ownersOfNew(context, call, kind, prepared, managedFields);
  if (owners) prepared.metadata.managedFields = owners;
  else delete prepared.metadata.managedFields;
  const object = context.complete ? await context.complete(call, kind, prepared) : prepared;
  for (let tries = 0; tries < maxAttempts; tries++) {
    if (isNameOurs) object.metadata.name = nameFrom(generateName);
    if (tries === 0 || isNameOurs) check(kind, object);
    const namespace = await openNamespace(context, call, kind, object);
    if (tries === 0) call.admit?.(object, undefined);
    const reserved = await reserve(context, call, kind, object);
    const { stored, answered } = issue(context, kind, reserved.object);
    const key = objectKey(call.grid, kind, object.metadata.namespace, object.metadata.name);
    const isTaken = context.cache.get(call.grid, kind, object.metadata.namespace, object.metadata.name) !== undefined;
    if (call.isDryRun) {
      if (isTaken && isNameOurs) continue;
      if (isTaken) throw alreadyExists(kind, object.metadata.name);
      return reserved.object;
    }
    const conditions = [{ key, modRevision: 0 }, ...namespace, ...reserved.conditions];
    const written = await putObject(context, call, kind, stored, conditions, reserved.operations);
    if (written) return answered === stored ? written : { ...answered, metadata: written.metadata };
    // Either the name or what it reserves is taken, or the namespace has changed meanwhile.
    if (!isNameOurs && (await context.store.get(key))) throw alreadyExists(kind, object.metadata.name);
    await context.cache.fresh();
  }
  throw serviceUnavailable(`${kind.plural} "${object.metadata.name}": others change too fast; try again`);
}

/** What the server decides, whatever the client sent. */
function prepare(context: RegistryContext, kind: Kind, object: ApiObject): ApiObject {
  const metadata: WritableMeta = object.metadata;
  if (metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  for (const field of ['resourceVersion', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink'] as const) {
    delete metadata[field];
  }
  dropEmpty(metadata);
  metadata.uid = randomUUID();
  metadata.creationTimestamp = formatTime(context.clock.wallMs());
  delete metadata.generation;
  if (hasGeneration(kind)) metadata.generation = 1;
  // A node comes with its first status, as kubelets send it.
  if (hasSubresource(kind, 'status') && !isSame(kind, nodes)) delete (object as { status?: unknown }).status;
  if (isSame(kind, namespaces)) prepareNamespace(object);
  return prepareForCreate(kind, applyDefaults(kind, object));
}

/** It stays, Terminating, until the namespace controller has emptied it and taken the finalizer away. */
function prepareNamespace(object: ApiObject): void {
  (object as { spec?: unknown }).spec = { finalizers: ['kubernetes'] };
  const { metadata } = object;
  if (metadata.name) metadata.labels = { ...metadata.labels, [namespaceNameLabel]: metadata.name };
}

function check(kind: Kind, object: ApiObject): void {
  if (!object.metadata.name) {
    throw invalidError(kind, '', [required('metadata.name', 'name or generateName is required')]);
  }
  const errors = validate(kind, object);
  if (errors.length > 0) throw invalidError(kind, object.metadata.name, errors);
}

/** The namespace must be there and stay open until the commit: the condition that says so. */
async function openNamespace(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  object: ApiObject,
): Promise<readonly Condition[]> {
  if (!kind.namespaced) return [];
  const name = object.metadata.namespace ?? '';
  let found = context.cache.get(call.grid, namespaces, undefined, name);
  if (!found) {
    await context.cache.fresh();
    found = context.cache.get(call.grid, namespaces, undefined, name);
  }
  if (!found) throw notFound(namespaces, name);
  const { metadata, status } = found.object as { status?: { phase?: string } } & ApiObject;
  if (metadata.deletionTimestamp || status?.phase === 'Terminating') {
    const why = `unable to create new content in namespace ${name} because it is being terminated`;
    throw forbidden(kind, object.metadata.name, why, 'NamespaceTerminating');
  }
  return [{ key: found.key, modRevision: found.revision }];
}

function issue(
  context: RegistryContext,
  kind: Kind,
  object: ApiObject,
): { readonly stored: ApiObject; readonly answered: ApiObject } {
  if (!isSame(kind, tokens)) return { stored: object, answered: object };
  if (!context.tokenIssuer) throw serviceUnavailable('this server does not issue tokens');
  return context.tokenIssuer(object as Token);
}

/** No vowels, and nothing that looks like something else: no words, no mistakes in reading. */
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';

function nameFrom(generateName: string): string {
  const suffix = Array.from({ length: 5 }, () => suffixLetters[randomInt(suffixLetters.length)]).join('');
  return `${generateName.slice(0, 58)}${suffix}`;
}
