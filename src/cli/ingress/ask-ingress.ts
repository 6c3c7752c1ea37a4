import type { HttpClient } from '../../client/http-client.ts';
import { readBody } from '../../client/read-lines.ts';
import { messageOf } from '../../lib/errors.ts';
import { isIngressNode } from '../../resources/ingress-node.ts';
import type { IngressReport } from '../../resources/ingress-report.ts';
import { nodes } from '../../resources/kinds.ts';

/** What each ingress node says, sorted by name; one whose agent cannot be asked says why. */
export async function askIngress(client: HttpClient, deadlineMs = 5_000): Promise<readonly IngressReport[]> {
  const names = (await client.list(nodes)).items.filter(isIngressNode).map(({ metadata }) => metadata.name);
  const reports = new Map<string, IngressReport>();
  const waiting = names.values();
  const askOne = async () => {
    for (const node of waiting) {
      const asked = ask(client, node, deadlineMs).catch((error) => {
        return { node, problem: `its agent cannot be asked: ${messageOf(error)}`, problems: [] };
      });
      reports.set(node, await asked);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, askOne));
  return [...reports.values()].sort((a, b) => (a.node < b.node ? -1 : 1));
}

const atOnce = 16;

async function ask(client: HttpClient, node: string, deadlineMs: number): Promise<IngressReport> {
  const path = `/grids/${client.grid}/api/v1/nodes/${node}/proxy/ingress`;
  const answer = await client.raw({ method: 'GET', path, signal: AbortSignal.timeout(deadlineMs) });
  return JSON.parse(await readBody(answer.body)) as IngressReport;
}
