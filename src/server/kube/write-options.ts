// The query of a write: CreateOptions, UpdateOptions and PatchOptions of Kubernetes, refused in its words.
import type { Strictness } from '../../resources/decode.ts';
import { forbidden, invalid, invalidError, notSupported, required, tooLong } from '../../resources/field-errors.ts';
import { nodesGroup } from '../../resources/names.ts';
import type { FieldError } from '../../resources/schema.ts';
import type { RequestContext } from '../request.ts';

export type WriteVerb = 'create' | 'update' | 'patch';

export const applyMediaType = 'application/apply-patch+yaml';

export interface WriteOptions {
  /** Of unknown fields. Default Warn. */
  readonly strictness: Strictness;
  readonly isDryRun: boolean;
  /** Absent: an agent that does not say who it is writes what is its own anyway. */
  readonly fieldManager?: string;
  /** Of an apply: takes over what others own. */
  readonly isForced: boolean;
}

const kindNames = { create: 'CreateOptions', update: 'UpdateOptions', patch: 'PatchOptions' } as const;
const strictnesses: readonly string[] = ['Ignore', 'Strict', 'Warn'];
const maxManagerBytes = 128;

/** Throws ApiError 422. */
export function parseWriteOptions(
  verb: WriteVerb,
  query: URLSearchParams,
  context: Pick<RequestContext, 'user' | 'userAgent'>,
  isApply = false,
): WriteOptions {
  const errors: FieldError[] = [];
  const isDryRun = dryRunOf(query.getAll('dryRun'), errors);
  const manager = query.get('fieldManager') ?? '';
  if (verb === 'patch') checkForce(query, manager, isApply, errors);
  checkManager(manager, errors);
  const strictness = query.get('fieldValidation') || 'Warn';
  if (!strictnesses.includes(strictness)) errors.push(notSupported('fieldValidation', strictness, strictnesses));
  if (errors.length > 0) throw invalidError({ group: 'meta.k8s.io', kind: kindNames[verb] }, '', errors);
  const isAgent = manager === '' && context.user.groups.includes(nodesGroup);
  return {
    strictness: strictness as Strictness,
    isDryRun,
    ...(isAgent ? {} : { fieldManager: manager || managerOfAgent(context.userAgent) }),
    isForced: isTrue(query.get('force')),
  };
}

/** Adds what is wrong with the values; Kubernetes knows no other than `All`. */
export function dryRunOf(values: readonly string[], errors: FieldError[]): boolean {
  const given = values.filter((value) => value !== '');
  if (given.some((value) => value !== 'All')) errors.push(notSupported('dryRun', given, ['All']));
  return given.length > 0;
}

function checkForce(query: URLSearchParams, manager: string, isApply: boolean, errors: FieldError[]): void {
  if (isApply && manager === '') errors.push(required('fieldManager', 'is required for apply patch'));
  if (!isApply && query.has('force')) errors.push(forbidden('force', 'may not be specified for non-apply patch'));
}

function checkManager(manager: string, errors: FieldError[]): void {
  if (Buffer.byteLength(manager) > maxManagerBytes) errors.push(tooLong('fieldManager', maxManagerBytes));
  if (/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(manager)) {
    errors.push(invalid('fieldManager', manager, 'should only contain printable characters'));
  }
}

/** `kubectl/v1.35.0 (linux/amd64)` → `kubectl`. */
function managerOfAgent(userAgent: string): string {
  const [name = ''] = userAgent.split('/');
  return name.replace(/[^\x20-\x7e]/g, '').slice(0, maxManagerBytes) || 'unknown';
}

export function isTrue(text: string | null): boolean {
  return text !== null && ['', 'true', '1', 'True', 'TRUE', 't', 'T'].includes(text);
}
