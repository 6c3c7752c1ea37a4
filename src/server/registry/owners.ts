import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import { ownersOfCreated } from '../../resources/created-owners.ts';
import { ownersAfterUpdate, type Write } from '../../resources/field-ownership.ts';
import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { Call, RegistryContext } from './call.ts';
import type { Part } from './update.ts';

/** Of what Flotilla's own parts write into objects whose owners are known. */
const ownManager = 'flotilla';

export function writeOf(
  context: Pick<RegistryContext, 'clock'>,
  call: Call,
  kind: Kind,
  part: Part,
  operation: 'Apply' | 'Update',
): Write {
  const name = call.fieldManager ?? ownManager;
  const manager = { name, operation, apiVersion: apiVersionOf(kind), subresource: part ?? '' } as const;
  return { kind, manager, time: formatTime(context.clock.wallMs()) };
}

/** Objects that Flotilla itself makes have no owners until somebody applies them. */
export function ownersOfNew(
  context: Pick<RegistryContext, 'clock'>,
  call: Call,
  kind: Kind,
  object: ApiObject,
  sent: readonly ManagedFieldsEntry[] | undefined,
): ManagedFieldsEntry[] | undefined {
  if (call.fieldManager === undefined) return undefined;
  const write = writeOf(context, call, kind, undefined, 'Update');
  const owners = sent === undefined ? ownersOfCreated(write, object) : 'unusual';
  return owners === 'unusual' ? ownersAfterUpdate(write, undefined, object, sent) : owners;
}

export interface OwnedChange {
  readonly kind: Kind;
  readonly part: Part;
  readonly old: ApiObject;
  readonly next: ApiObject;
  readonly sent: readonly ManagedFieldsEntry[] | undefined;
}

/** The owners after a change that is no apply. What agents and controllers report is not tracked: it has one writer. */
export function ownersOfChanged(
  context: Pick<RegistryContext, 'clock'>,
  call: Call,
  { kind, part, old, next, sent }: OwnedChange,
): ManagedFieldsEntry[] | undefined {
  const before = old.metadata.managedFields;
  if (call.fieldManager === undefined) {
    const isReport = part === 'status' || part === 'binding' || part === 'finalize';
    if (!before || (isReport && !before.some((one) => one.subresource === part))) return before;
  }
  return ownersAfterUpdate(writeOf(context, call, kind, part, 'Update'), old, next, sent);
}
