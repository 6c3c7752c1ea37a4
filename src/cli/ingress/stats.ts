import type { Command } from 'commander';
import { print, printObject, renderTable } from '../output.ts';
import { withSession } from '../session.ts';
import { askIngress } from './ask-ingress.ts';
import { noProxies } from './read-ingress.ts';
import { sumStats } from './sum-stats.ts';

export async function stats(flags: { readonly output?: string }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const reports = await askIngress(client);
    const sums = sumStats(reports);
    if (flags.output) return printObject(sums, flags.output);
    if (reports.length === 0) return void process.stderr.write(`${noProxies}\n`);
    for (const { node, problem } of reports) {
      if (problem !== undefined) process.stderr.write(`node ${node}: ${problem}\n`);
    }
    print(
      renderTable(
        ['PROXY', 'VERSION', 'CONNECTIONS', 'RELOADS', 'OLD WORKERS'],
        sums.proxies.map((one) => [one.node, one.version, ...texts(one.connections, one.reloads, one.oldWorkers)]),
      ),
    );
    print('');
    print(
      renderTable(
        ['HOST', 'REQUESTS', 'ERRORS'],
        sums.hosts.map((one) => [one.host, ...texts(one.requests, one.errors)]),
      ),
    );
    print('');
    print(
      renderTable(
        ['BACKEND', 'UP', 'SESSIONS', 'REQUESTS', 'ERRORS', 'RETRIES', 'CONNECT', 'RESPONSE'],
        sums.backends.map((one) => [
          one.name,
          ...texts(one.up, one.sessions, one.requests, one.errors, one.retries),
          ...[msText(one.connectMs), msText(one.responseMs)],
        ]),
      ),
    );
  });
}

function texts(...numbers: readonly number[]): string[] {
  return numbers.map(String);
}

function msText(ms: number): string {
  return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
}
