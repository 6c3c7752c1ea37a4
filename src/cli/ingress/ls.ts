import type { Command } from 'commander';
import { type OutputFlags, printList } from '../output.ts';
import { withSession } from '../session.ts';
import { ingressRows } from './ingress-rows.ts';
import { noProxies, readIngress } from './read-ingress.ts';

export async function ls(flags: OutputFlags, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const facts = await readIngress(client);
    await printList(
      {
        items: ingressRows(facts),
        name: (one) => `${one.host}${one.path}`,
        empty: 'nothing is let in; a service with a port, or an "ingress:" in a stack file, makes it so',
        columns: [
          { title: 'HOST', value: (one) => one.host },
          { title: 'PATH', value: (one) => one.path },
          { title: 'SERVICE', value: (one) => one.service },
          { title: 'TLS', value: (one) => one.tls },
          { title: 'ADDRESSES', value: (one) => one.addresses },
          { title: 'INGRESS', isWide: true, value: (one) => one.ingress },
          { title: 'STATE', value: (one) => one.state },
        ],
      },
      flags,
    );
    if (facts.reports.length === 0) process.stderr.write(`${noProxies}\n`);
    for (const { node, problem } of facts.reports) {
      if (problem !== undefined) process.stderr.write(`node ${node}: ${problem}\n`);
    }
  });
}
