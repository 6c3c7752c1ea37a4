import type { Command } from 'commander';
import type { HttpClient } from '../../client/http-client.ts';
import { messageOf } from '../../lib/errors.ts';
import { nodes } from '../../resources/kinds.ts';
import type { CheckResult, NetworkReport } from '../../resources/network-report.ts';
import { askNetwork } from '../node/ask-network.ts';
import { handshakeText } from '../node/show-network.ts';
import { print, printObject, renderTable } from '../output.ts';
import { withSession } from '../session.ts';
import { diagnose, type NodeAnswer } from './diagnose.ts';

/** Agents try things with deadlines of some seconds. */
const deadlineMs = 15_000;

/** Exit code 1 when something is wrong. */
export async function network(flags: { readonly output?: string }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const names = (await client.list(nodes, {})).items.map(({ metadata }) => metadata.name).sort();
    const answers = await Promise.all(names.map((name) => ask(client, name)));
    const findings = diagnose(answers);
    if (findings.length > 0) process.exitCode = 1;
    if (flags.output) return printObject({ nodes: answers, findings }, flags.output);
    const reports = answers.flatMap(({ report }) => report ?? []);
    print(renderTable(['PAIR', 'WAY', 'CONNECTS', 'FULL-SIZE PACKETS', 'HANDSHAKE'], reports.flatMap(pairRows)));
    print('');
    print(renderTable(['NODE', 'PODS', 'MTU', 'DNS', 'SERVICE ADDRESSES', 'FOLLOWS'], reports.map(nodeRow)));
    const notes = reports.flatMap(({ node, notes: own }) => own.map((note) => `note   ${node}: ${note}`));
    if (notes.length > 0) print(`\n${notes.join('\n')}`);
    print('');
    for (const { where, what, cause } of findings) print(`wrong  ${where}: ${what}\n       likely: ${cause}`);
    const pairs = reports.reduce((sum, { peers }) => sum + peers.length, 0);
    if (findings.length === 0) print(`all is well: ${reports.length} nodes, ${pairs} directions`);
  });
}

async function ask(client: HttpClient, node: string): Promise<NodeAnswer> {
  try {
    return { node, report: await askNetwork(client, node, { withChecks: true, deadlineMs }) };
  } catch (error) {
    return { node, error: messageOf(error) };
  }
}

function pairRows({ node, peers, checks }: NetworkReport): string[][] {
  return peers.map((peer) => {
    const check = checks?.peers[peer.node];
    return [
      `${node} → ${peer.node}`,
      peer.way ?? 'none',
      textOf(check?.reach),
      textOf(check?.fullSize),
      handshakeText(peer.handshakeAgeMs),
    ];
  });
}

function nodeRow({ node, podCIDR, mtu, checks, applied }: NetworkReport): string[] {
  const follows = applied.problem === undefined ? `${applied.revision}` : 'no';
  return [node, podCIDR ?? '-', String(mtu ?? '-'), textOf(checks?.dns), textOf(checks?.serviceAddress), follows];
}

function textOf(check: CheckResult | undefined): string {
  if (!check) return '-';
  return check.isOk ? `${check.ms} ms` : 'NO';
}
