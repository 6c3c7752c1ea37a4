import type { Command } from 'commander';
import type { HttpClient } from '../../client/http-client.ts';
import { readLines } from '../../client/read-lines.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { isIngressNode } from '../../resources/ingress-node.ts';
import { nodes } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { noProxies } from './read-ingress.ts';
import { type AccessLine, parseAccessLine, renderAccessLine } from './render-access.ts';

export interface IngressLogsFlags {
  readonly follow?: boolean;
  readonly tail: string;
  readonly output?: string;
}

/** Requests that were let in: the newest of all proxies in the order of time, then, with `--follow`, as they come. */
export async function logs(host: string | undefined, flags: IngressLogsFlags, command: Command): Promise<void> {
  const tailLines = Number(flags.tail);
  if (!/^\d{1,6}$/.test(flags.tail))
    throw new FlotillaError('BadUsage', `--tail "${flags.tail}" is no number of lines`);
  if (flags.output !== undefined && flags.output !== 'json') {
    throw new FlotillaError('BadUsage', `unknown output format "${flags.output}"`, { hint: 'json: a line an object' });
  }
  const show = (node: string, line: AccessLine) => {
    if (host !== undefined && line.host !== host && line.routeHost !== host) return;
    print(flags.output === 'json' ? JSON.stringify({ node, ...line }) : renderAccessLine(node, line));
  };
  await withSession(command, async ({ client }) => {
    const names = (await client.list(nodes)).items.filter(isIngressNode).map(({ metadata }) => metadata.name);
    if (names.length === 0) throw new FlotillaError('NotFound', noProxies);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    const past: { readonly node: string; readonly line: AccessLine }[] = [];
    const results = await Promise.allSettled(
      names.map(async (node) => {
        for await (const line of read(client, node, { tailLines, follow: flags.follow === true }, abort.signal)) {
          if (flags.follow) show(node, line);
          else past.push({ node, line });
        }
      }),
    );
    past.sort((a, b) => (a.line.time < b.line.time ? -1 : a.line.time > b.line.time ? 1 : 0));
    for (const { node, line } of past) show(node, line);
    if (abort.signal.aborted) return;
    for (const [at, one] of results.entries()) {
      if (one.status === 'rejected') process.stderr.write(`node ${names[at]}: ${messageOf(one.reason)}\n`);
    }
    const failed = results.find((one) => one.status === 'rejected');
    if (failed && results.every((one) => one.status === 'rejected')) throw failed.reason;
  });
}

const firstAnswerMs = 10_000;

async function* read(
  client: HttpClient,
  node: string,
  { tailLines, follow }: { readonly tailLines: number; readonly follow: boolean },
  signal: AbortSignal,
): AsyncGenerator<AccessLine> {
  const query = new URLSearchParams({ tailLines: String(tailLines), follow: String(follow) });
  const path = `/grids/${client.grid}/api/v1/nodes/${node}/proxy/access-log?${query}`;
  const until = follow ? signal : AbortSignal.any([signal, AbortSignal.timeout(firstAnswerMs)]);
  try {
    const answer = await client.raw({ method: 'GET', path, isStream: true, signal: until });
    for await (const text of readLines(answer.body)) {
      const line = parseAccessLine(text);
      if (line) yield line;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
