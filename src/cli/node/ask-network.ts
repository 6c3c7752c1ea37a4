import type { HttpClient } from '../../client/http-client.ts';
import { readBody } from '../../client/read-lines.ts';
import type { NetworkReport } from '../../resources/network-report.ts';

export interface AskNetworkOptions {
  /** Try out what pods do. */
  readonly withChecks?: boolean;
  /** Default 5,000. */
  readonly deadlineMs?: number;
}

/** What a node's agent says about its network. Throws ApiError; 503 when the agent is not connected. */
export async function askNetwork(
  client: HttpClient,
  node: string,
  { withChecks = false, deadlineMs = 5_000 }: AskNetworkOptions = {},
): Promise<NetworkReport> {
  const path = `/grids/${client.grid}/api/v1/nodes/${node}/proxy/network${withChecks ? '?check=true' : ''}`;
  const answer = await client.raw({ method: 'GET', path, signal: AbortSignal.timeout(deadlineMs) });
  return JSON.parse(await readBody(answer.body)) as NetworkReport;
}
