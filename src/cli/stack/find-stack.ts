import type { Client } from '../../client/client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Stack, stacks } from '../../resources/kinds.ts';

/** `shop`, or `namespace/shop` where several namespaces have one. Throws NotFound, BadUsage. */
export async function findStack(client: Client, target: string): Promise<Stack> {
  const [namespace, name] = target.includes('/') ? target.split('/', 2) : [undefined, target];
  const all = (await client.list(stacks)).items;
  const found = all.filter(
    (one) => one.metadata.name === name && (namespace === undefined || one.metadata.namespace === namespace),
  );
  if (found.length > 1) {
    throw new FlotillaError('BadUsage', `several namespaces have a stack "${name}"`, {
      hint: `say which: ${found.map((one) => `${one.metadata.namespace}/${name}`).join(', ')}`,
    });
  }
  const [stack] = found;
  if (stack) return stack;
  const hint =
    all.length === 0 ? 'there are no stacks' : `there are: ${all.map((one) => one.metadata.name).join(', ')}`;
  throw new FlotillaError('NotFound', `there is no stack "${target}"`, { hint });
}
