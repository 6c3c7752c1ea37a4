import { randomUUID } from 'node:crypto';
import { readLines } from '../../client/read-lines.ts';
import type { ReadPodLog } from '../../controllers/pod-log.ts';
import { askAgent } from './agent-request.ts';
import type { NodeTunnels } from './node-sessions.ts';

const maxBytes = 65_536;

/** Asks the agent of a pod's node through its tunnel. */
export function createReadPodLog(tunnels: NodeTunnels): ReadPodLog {
  return async (grid, pod, { tailLines, previous, signal }) => {
    const query = new URLSearchParams({ tailLines: String(tailLines), limitBytes: String(maxBytes) });
    if (previous) query.set('previous', 'true');
    const asker = { grid, signal, requestId: randomUUID() };
    const stream = await askAgent(tunnels, asker, pod, { method: 'GET', verb: 'logs', query });
    const lines: string[] = [];
    for await (const line of readLines(stream as AsyncIterable<Buffer>)) lines.push(line);
    return lines.slice(-tailLines);
  };
}
