import { randomBytes } from 'node:crypto';
import { createHttpClient } from '../../src/client/http-client.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';
import { type Pod, type Token, tokens } from '../../src/resources/kinds.ts';
import { makeCertificateRequest } from '../../src/tunnel/certificate-request.ts';
import { type JoinResponse, joinPath, protocolVersion } from '../../src/tunnel/protocol.ts';
import { type SimulatedNode, startSimulatedNode } from './simulated-node.ts';

export interface NodeSimulatorOptions {
  /** `https://host:port` of all servers. */
  readonly servers: readonly string[];
  readonly caCertificate: string;
  /** An admin's, to make the join token with. */
  readonly adminToken: string;
  readonly grid?: string;
  readonly count: number;
  /** `<prefix>-0`, `<prefix>-1`, …. Default `sim`. */
  readonly namePrefix?: string;
  /** What each node offers. Default 8 cores, 32 GiB, 110 pods. */
  readonly allocatable?: Readonly<Record<string, string>>;
  /** Labels of a node besides its host name. */
  readonly labelsOf?: (index: number) => Readonly<Record<string, string>>;
  /** One more connection a node that pings each second; without it the servers take the nodes for silent. Default true. */
  readonly liveness?: boolean;
  /** From seeing a pod to reporting it Running and Ready. Default 0. */
  readonly startDelayMs?: number;
  /** What becomes of a pod; undefined: it runs and is ready. */
  readonly outcomeOf?: (pod: Pod) => Pod['status'] | undefined;
  /** Nodes that join at once. Default 32. */
  readonly joinsAtOnce?: number;
}

/** Agents of many nodes in one process: everything that a server sees of a node, no container. */
export interface NodeSimulator {
  readonly nodes: readonly SimulatedNode[];
  /** Pods that the agents reported Running since the start. */
  readonly podsStarted: number;
  /** Nothing is left connected. Nodes and pods stay in the store. */
  stop(): Promise<void>;
}

/** Resolves when every node is Ready in the API and follows its pods. */
export async function startNodeSimulator(options: NodeSimulatorOptions): Promise<NodeSimulator> {
  const { servers, caCertificate, adminToken, grid = 'main', count, namePrefix = 'sim' } = options;
  const common = { servers, caCertificate, tlsName: 'flotilla-server', userAgent: 'flotilla-simulator' };
  const admin = createHttpClient({ ...common, token: adminToken, grid });
  const joinToken = await makeJoinToken(admin.forGrid('system'), grid, namePrefix);
  const joining = createHttpClient({ ...common, token: joinToken, grid });
  // A key of its own for each node would take a minute for some thousands, and shows the server nothing else.
  const key = newKeyPem();
  const simulated: SimulatedNode[] = [];
  const indexes = Array.from({ length: count }, (_, index) => index).values();

  async function join(nodeName: string): Promise<string> {
    const body = JSON.stringify({ protocolVersion, nodeName, csr: makeCertificateRequest(key, nodeName) });
    const answer = await joining.raw({ method: 'POST', path: joinPath, body, contentType: 'application/json' });
    const chunks: Buffer[] = [];
    for await (const chunk of answer.body) chunks.push(chunk);
    const { certificate }: JoinResponse = JSON.parse(Buffer.concat(chunks).toString());
    return certificate;
  }

  async function startSome(): Promise<void> {
    for (const index of indexes) {
      const name = `${namePrefix}-${index}`;
      const certificate = await join(name);
      const node = await startSimulatedNode({
        ...common,
        grid,
        name,
        certificate,
        key,
        labels: { 'kubernetes.io/hostname': name, ...options.labelsOf?.(index) },
        allocatable: options.allocatable ?? { cpu: '8', memory: '32Gi', pods: '110' },
        liveness: options.liveness ?? true,
        startDelayMs: options.startDelayMs ?? 0,
        ...(options.outcomeOf ? { outcomeOf: options.outcomeOf } : {}),
      });
      simulated.push(node);
    }
  }

  try {
    await Promise.all(Array.from({ length: options.joinsAtOnce ?? 32 }, startSome));
  } finally {
    joining.close();
    admin.close();
  }
  return {
    nodes: simulated,
    get podsStarted() {
      return simulated.reduce((sum, node) => sum + node.podsStarted, 0);
    },
    stop: async () => {
      await Promise.all(simulated.map((node) => node.stop()));
    },
  };
}

async function makeJoinToken(
  system: ReturnType<typeof createHttpClient>,
  grid: string,
  namePrefix: string,
): Promise<string> {
  const expiresAt = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
  const token: Token = {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Token',
    metadata: { name: `${namePrefix}-${randomBytes(4).toString('hex')}` },
    spec: { type: 'join', grid, expiresAt },
  };
  const made = await system.create(tokens, token);
  const text = made.status?.token;
  if (text === undefined) throw new Error('the server gave no join token');
  return text;
}
