import { readFile } from 'node:fs/promises';
import { createHttpClient, type HttpClient } from '../client/http-client.ts';
import { FlotillaError } from '../lib/errors.ts';
import { formatTime } from '../resources/conditions.ts';
import { isNodeReady } from '../resources/failover.ts';
import { nodes, type Token, tokens } from '../resources/kinds.ts';
import { defaultGrid, labels, systemGrid } from '../resources/names.ts';
import type { LabLayout, MachineLayout } from './layout.ts';
import { logTail, serverData, serverUrl } from './units.ts';
import { waitUntil } from './wait-until.ts';

/** The administrator of a lab's cluster, over the network as anybody else. */
async function adminClient(server: MachineLayout): Promise<HttpClient> {
  const data = serverData(server);
  const [token, ca] = await Promise.all([
    readFile(`${data}/admin.token`, 'utf8'),
    readFile(`${data}/identity/ca.crt`, 'utf8'),
  ]);
  return createHttpClient({
    servers: [serverUrl(server)],
    caCertificate: ca,
    token: token.trim(),
    grid: defaultGrid,
    userAgent: 'flotilla (lab)',
    timeoutMs: 5000,
  });
}

async function withAdmin<T>(server: MachineLayout, use: (client: HttpClient) => Promise<T>): Promise<T> {
  const client = await adminClient(server);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

export async function waitForServer(server: MachineLayout, signal: AbortSignal): Promise<void> {
  await waitUntil(
    () =>
      withAdmin(server, async (client) => {
        await client.list(nodes, { signal });
        return true;
      }),
    {
      timeoutMs: 30_000,
      intervalMs: 50,
      what: `the server on ${server.name}`,
      lastWords: () => logTail(`${server.directory}/server.log`),
      signal,
    },
  );
}

/** The API allows a join token 30 days. */
const joinTokenDays = 29;

/** One token for all hosts of a lab; it joins further ones too, for as long as the API lets it. */
export async function createJoinToken(server: MachineLayout, signal: AbortSignal): Promise<string> {
  const expiresAt = formatTime(Date.now() + joinTokenDays * 86_400_000);
  const wanted: Token = {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Token',
    metadata: { name: 'lab-hosts' },
    spec: { type: 'join', grid: defaultGrid, expiresAt, description: 'hosts of the lab' },
  };
  const made = await withAdmin(server, (client) => client.forGrid(systemGrid).create(tokens, wanted, { signal }));
  if (made.status?.token === undefined) {
    throw new FlotillaError('Unavailable', `the server on ${server.name} made a join token but did not tell it`);
  }
  return made.status.token;
}

/** All hosts let traffic in from now on. */
export async function labelIngressNodes(lab: LabLayout, signal: AbortSignal): Promise<void> {
  const body = { metadata: { labels: { [labels.ingress]: 'true' } } };
  await withAdmin(lab.servers[0]!, (client) =>
    Promise.all(lab.hosts.map(({ name }) => client.patch(nodes, { name }, { type: 'merge', body }, { signal }))),
  );
}

/** Until each host of the lab is a Ready node. */
export async function waitForNodes(lab: LabLayout, signal: AbortSignal): Promise<void> {
  const server = lab.servers[0]!;
  const client = await adminClient(server);
  let missing: readonly string[] = lab.hosts.map((host) => host.name);
  try {
    await waitUntil(
      async () => {
        const { items } = await client.list(nodes, { signal });
        const ready = new Set(items.filter(isNodeReady).map((node) => node.metadata.name));
        missing = lab.hosts.map((host) => host.name).filter((name) => !ready.has(name));
        return missing.length === 0;
      },
      {
        timeoutMs: 60_000,
        intervalMs: 50,
        what: 'all nodes to be Ready',
        lastWords: async () => {
          const late = lab.hosts.filter((host) => missing.includes(host.name));
          const tails = await Promise.all(late.slice(0, 3).map((host) => logTail(`${host.directory}/agent.log`)));
          return [`not ready: ${missing.join(', ')}`, ...tails].join('\n');
        },
        signal,
      },
    );
  } finally {
    client.close();
  }
}
