// One server process and the agents of three nodes, shared by all files of this folder: they run in one process.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { KubeConfig, type RequestContext } from '@kubernetes/client-node';
import { startServerProcess } from '../../bench/server-process.ts';
import { type NodeSimulator, startNodeSimulator } from '../../bench/simulator/node-simulator.ts';
import { createKubectl, type Kubectl } from '../integration/kubectl.ts';

export interface Cluster {
  readonly url: string;
  readonly caCertificate: string;
  readonly token: string;
  readonly config: KubeConfig;
  readonly kubectl: Kubectl;
  /** As another one, with a token of its own. */
  configOf(token: string): KubeConfig;
  /** Nodes that carry `pool=<name>` and whatever else is in `labels`; they go with the cluster. */
  addNodes(pool: string, count: number, allocatable?: Readonly<Record<string, string>>): Promise<NodeSimulator>;
}

let started: Promise<Cluster> | undefined;
const cleanups: (() => unknown)[] = [];

/** Starts it at the first call. */
export function sharedCluster(): Promise<Cluster> {
  started ??= startCluster();
  return started;
}

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function startCluster(): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-conformance-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const server = await startServerProcess();
  cleanups.push(() => server.stop());
  const { url, caCertificate, adminToken: token } = server;
  const agent = new Agent({ ca: caCertificate, keepAlive: true, maxSockets: 32 });
  cleanups.push(() => agent.destroy());
  const caFile = join(directory, 'ca.crt');
  await writeFile(caFile, caCertificate);
  const kubectl = await createKubectl('35', [
    `--server=${url}`,
    `--certificate-authority=${caFile}`,
    `--token=${token}`,
  ]);
  cleanups.push(() => kubectl.remove());
  const simulate = async (namePrefix: string, count: number, allocatable?: Readonly<Record<string, string>>) => {
    const simulator = await startNodeSimulator({
      servers: [url],
      caCertificate,
      adminToken: token,
      count,
      namePrefix,
      labelsOf: () => ({ pool: namePrefix }),
      ...(allocatable ? { allocatable } : {}),
    });
    cleanups.push(() => simulator.stop());
    return simulator;
  };
  await simulate('common', 3);
  const configOf = (own: string) => new SharedAgentConfig(url, caCertificate, own, agent);
  return { url, caCertificate, token, config: configOf(token), kubectl, configOf, addNodes: simulate };
}

/** client-node makes an agent, and so a TLS connection, for each request; here they share one. */
class SharedAgentConfig extends KubeConfig {
  readonly #agent: Agent;

  constructor(url: string, caCertificate: string, token: string, agent: Agent) {
    super();
    this.#agent = agent;
    this.loadFromClusterAndUser(
      { name: 'flotilla', server: url, caData: Buffer.from(caCertificate).toString('base64'), skipTLSVerify: false },
      { name: 'somebody', token },
    );
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    context.setAgent(this.#agent);
  }
}

export function randomName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}
