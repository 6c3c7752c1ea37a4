import { hasSubresource, type Kind } from '../../resources/kind.ts';
import type { Meta } from '../../resources/object.ts';

/** Metadata as the server writes it: for clients its own fields are read-only. */
export type WritableMeta = { -readonly [Field in keyof Meta]: Meta[Field] };

/** Says the name of a namespace to label selectors. */
export const namespaceNameLabel = 'kubernetes.io/metadata.name';

/** Kinds whose controllers say which spec they have seen. */
export function hasGeneration(kind: Kind): boolean {
  return hasSubresource(kind, 'status') && kind.message.fields.has('spec');
}

/** Absent and empty are the same, and absent is how they are stored. Changes `metadata`. */
export function dropEmpty(metadata: Meta): void {
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
    const value = metadata[field];
    if (value !== undefined && Object.keys(value).length === 0) delete metadata[field];
  }
}

export function isSame(kind: Kind, other: Kind): boolean {
  return kind.group === other.group && kind.plural === other.plural;
}
