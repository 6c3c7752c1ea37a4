import type { Client } from '../../client/client.ts';
import { type Stack, stacks } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import type { StackSpec } from '../../resources/stack-types.ts';

export interface StackWrite {
  readonly spec: StackSpec;
  /** Why, a few words; shown by `flotilla stack history`. */
  readonly cause: string;
}

/** Replaces what the stack says. True: it says something else now. */
export async function writeStack(client: Client, before: Stack, { spec, cause }: StackWrite): Promise<boolean> {
  const { namespace, name, annotations: own } = before.metadata;
  const said = own
    ? { op: 'add', path: `/metadata/annotations/${annotations.cause.replaceAll('/', '~1')}`, value: cause }
    : { op: 'add', path: '/metadata/annotations', value: { [annotations.cause]: cause } };
  const body = [{ op: 'replace', path: '/spec', value: spec }, said];
  const after = await client.patch(stacks, { namespace, name }, { type: 'json', body });
  return after.metadata.generation !== before.metadata.generation;
}
