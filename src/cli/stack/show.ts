import type { Command } from 'commander';
import { print, printObject, renderTable } from '../output.ts';
import { withSession } from '../session.ts';
import { findStack } from './find-stack.ts';
import { stackStatusText } from './ls.ts';

export async function show(target: string, flags: { readonly output?: string }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const stack = await findStack(client, target);
    if (flags.output) return printObject(stack, flags.output);
    const { name, namespace, creationTimestamp } = stack.metadata;
    print(`stack      ${name}`);
    print(`namespace  ${namespace}`);
    const ofFile = stack.spec.version === undefined ? '' : ` (${stack.spec.version})`;
    print(`version    ${stack.status?.version ?? '-'}${ofFile}`);
    print(`made       ${creationTimestamp}`);
    print(`status     ${stackStatusText(stack)}`);
    for (const { type, message } of stack.status?.conditions ?? []) {
      print(`           ${type}: ${message.replaceAll('\n', '\n           ')}`);
    }
    print('');
    const rows = Object.entries(stack.spec.services).map(([service, spec]) => {
      const status = stack.status?.services?.[service];
      return [service, spec.image, `${status?.ready ?? 0}/${spec.instances}`, status?.message?.split('\n')[0] ?? ''];
    });
    print(renderTable(['SERVICE', 'IMAGE', 'READY', 'WHY'], rows));
  });
}
