import { ApiError, isApiError } from '../../resources/api-error.ts';
import { decodeValue } from '../../resources/decode.ts';
import { applyDefaults } from '../../resources/defaults.ts';
import {
  type Applied,
  applyConfig,
  type Conflict,
  conflictSentence,
  isIn,
  managerText,
  unchangedSince,
  type Write,
} from '../../resources/field-ownership.ts';
import { pathTextOf } from '../../resources/field-set.ts';
import { hasSubresource, type Kind } from '../../resources/kind.ts';
import { namespaces, secrets } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { badRequest, conflict, notFound } from './api-errors.ts';
import type { Call, RegistryContext } from './call.ts';
import { createObject } from './create.ts';
import { writeOf } from './owners.ts';
import { isSame } from './server-fields.ts';
import { changeObject, type Part } from './update.ts';

export interface ApplyRequest {
  readonly part?: 'status' | 'scale' | undefined;
  /** Decoded; its name and namespace are those of the path. */
  readonly config: ApiObject;
  readonly isForced: boolean;
}

/** What was made or changed by an apply. */
export interface AppliedObject {
  readonly object: ApiObject;
  readonly isNew: boolean;
}

/** So often somebody may make or remove it between the look and the write. */
const maxAttempts = 20;

/** Makes of an object what `config` states, or makes the object. Throws ApiError 409 when others own what would change. */
export async function applyObject(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  request: ApplyRequest,
): Promise<AppliedObject> {
  const { part, isForced } = request;
  const { name, namespace, managedFields } = request.config.metadata;
  if (managedFields) throw badRequest('metadata.managedFields must be nil');
  const config = withoutOthersParts(kind, part, request.config);
  const write = writeOf(context, call, kind, part, 'Apply');
  const ref = { name, namespace };
  const change = (live: ApiObject) => checked(kind, write, live, config, isForced).object;
  for (let tries = 1; ; tries += 1) {
    await context.cache.fresh();
    const isThere = context.cache.get(call.grid, kind, namespace, name) !== undefined;
    try {
      if (isThere)
        return { object: await changeObject(context, call, kind, { ref, part, change, isApply: true }), isNew: false };
      if (part !== undefined) throw notFound(kind, name);
      return { object: await createApplied(context, call, kind, write, config), isNew: true };
    } catch (error) {
      // Somebody made it, or removed it, meanwhile.
      const isRace = isApiError(error, isThere ? 'NotFound' : 'AlreadyExists');
      if (!isRace || (isThere && part !== undefined) || call.isDryRun || tries >= maxAttempts) throw error;
    }
  }
}

async function createApplied(
  context: RegistryContext,
  call: Call,
  kind: Kind,
  write: Write,
  config: ApiObject,
): Promise<ApiObject> {
  const { uid, name } = config.metadata;
  if (uid) {
    const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(kind, name, why);
  }
  const { object } = applyConfig(write, undefined, config, true);
  return await createObject(context, call, kind, structuredClone(object), true);
}

/** What this path cannot write is neither stated nor owned. */
function withoutOthersParts(kind: Kind, part: Part, config: ApiObject): ApiObject {
  if (part === 'status') {
    const { apiVersion, metadata, status } = config as ApiObject & { status?: unknown };
    const { name, namespace, uid, resourceVersion } = metadata;
    const identity = { name, ...given({ namespace, uid, resourceVersion }) };
    return { apiVersion, kind: config.kind, metadata: identity, ...given({ status }) };
  }
  if (part === 'scale') {
    const { apiVersion, metadata, spec } = config as ApiObject & { spec?: { replicas?: number } };
    return { apiVersion, kind: config.kind, metadata, ...given({ spec: spec && given({ replicas: spec.replicas }) }) };
  }
  const rest: ApiObject & { status?: unknown; spec?: unknown } = { ...config };
  if (hasSubresource(kind, 'status')) delete rest.status;
  if (isSame(kind, namespaces)) delete rest.spec;
  // What only writes give is not there to be owned: the data that it becomes is.
  if (isSame(kind, secrets) && 'stringData' in rest) moveStringData(kind, rest);
  return rest;
}

function moveStringData(kind: Kind, config: ApiObject & { data?: unknown; type?: unknown }): void {
  const hasType = config.type !== undefined;
  applyDefaults(kind, config);
  if (!hasType) delete config.type;
}

function given<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

function checked(kind: Kind, write: Write, live: ApiObject, config: ApiObject, isForced: boolean): Applied {
  const applied = applyConfig(write, live, config, isForced);
  const isKubectl = write.manager.name === 'kubectl';
  const lastApplied = isKubectl ? live.metadata.annotations?.[lastAppliedAnnotation] : undefined;
  if (applied.conflicts.length === 0 || isForced) return withLastApplied(applied, config, lastApplied);
  // kubectl goes over from client-side apply: what that left, and nobody changed since, is its own.
  const own = lastApplied === undefined ? undefined : parseLastApplied(kind, live, lastApplied);
  if (!own || applied.conflicts.some((one) => !isIn(own, one.path))) throw applyConflict(applied.conflicts);
  return withLastApplied(applyConfig(write, live, config, true), config, lastApplied);
}

function parseLastApplied(kind: Kind, live: ApiObject, text: string) {
  try {
    const { object } = decodeValue<ApiObject>(kind, JSON.parse(text), { strictness: 'Ignore' });
    return unchangedSince(kind, live, object);
  } catch {
    return undefined;
  }
}

/** An annotation of client-side apply that is there is kept up to date, so that going back finds it true. */
function withLastApplied(applied: Applied, config: ApiObject, lastApplied: string | undefined): Applied {
  if (lastApplied === undefined) return applied;
  const { annotations = {}, ...metadata } = config.metadata;
  const others = Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== lastAppliedAnnotation));
  const text = `${JSON.stringify({ ...config, metadata: { annotations: others, ...metadata } })}\n`;
  const { object } = applied;
  const next = { ...object.metadata.annotations, [lastAppliedAnnotation]: text };
  return { ...applied, object: { ...object, metadata: { ...object.metadata, annotations: next } } };
}

function applyConflict(conflicts: readonly Conflict[]): ApiError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText(manager)}`,
    field: pathTextOf(path),
  }));
  return new ApiError({ code: 409, reason: 'Conflict', message: conflictSentence(conflicts), details: { causes } });
}
