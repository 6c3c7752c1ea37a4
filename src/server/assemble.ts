import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { OpenAcme } from '../adapters/acme/port.ts';
import { systemClock } from '../lib/clock.ts';
import { startEventLoopLag } from '../lib/event-loop-lag.ts';
import { readIfThere } from '../lib/files.ts';
import type { Logger } from '../lib/log.ts';
import { Metrics } from '../lib/metrics.ts';
import { defaultFailoverAfterMs } from '../resources/failover.ts';
import { apiServiceAddress } from '../resources/grid-network.ts';
import { allKinds, nodes, type Token, tokens } from '../resources/kinds.ts';
import { defaultGrid, systemGrid } from '../resources/names.ts';
import type { Store } from '../store/port.ts';
import { openAuditLog } from './audit.ts';
import { type AuthenticatorOptions, createAuthenticator, userOfToken } from './auth/authenticate.ts';
import { createAuthorizer } from './auth/authorizer.ts';
import { openIdentity } from './auth/identity.ts';
import { startNodeKeys } from './auth/node-keys.ts';
import { startNodeRevocation } from './auth/node-revocation.ts';
import { ensureOwnerToken } from './auth/owner-token.ts';
import { createPrivateFile } from './auth/private-file.ts';
import { ensureDefaultRoles } from './auth/rbac/ensure-default-roles.ts';
import { createRoleSource } from './auth/rbac/role-source.ts';
import { createTokenReviewer } from './auth/review-token.ts';
import { loadServerCertificate, startServerCertificateRenewal } from './auth/server-certificate.ts';
import { createPodAdmission } from './auth/service-account/admit-pods.ts';
import { createServiceAccountTokens } from './auth/service-account/tokens.ts';
import { mintToken } from './auth/tokens.ts';
import { startWatchCache } from './cache/watch-cache.ts';
import { readHostRoutes } from './host-routes.ts';
import { createAgentEndpoints } from './http/agent-endpoints.ts';
import { createFront } from './http/front.ts';
import { startListener } from './http/listener.ts';
import { createInProcessClient } from './in-process-client.ts';
import { createKubeHandler } from './kube/handler.ts';
import { startLeading } from './leading.ts';
import {
  defaultListen,
  guessedUrl,
  localUrl,
  parseAdvertise,
  parseListen,
  type ServerOptions,
  urlOf,
} from './options.ts';
import { createIngressAdmission } from './registry/admit-ingresses.ts';
import { ensureNamespaces } from './registry/bootstrap.ts';
import type { Completer } from './registry/call.ts';
import { createCipher } from './registry/cipher.ts';
import { ensureGrid } from './registry/ensure-grid.ts';
import { ensureIngressClass } from './registry/ensure-ingress-class.ts';
import { createObjectCodec } from './registry/object-codec.ts';
import { commitHistogram, createRegistry } from './registry/registry.ts';
import { readResourceVersions } from './registry/resource-version.ts';
import { createAskPeers } from './sessions/ask-peers.ts';
import { createLivenessServer } from './sessions/liveness-server.ts';
import { createNodeTunnels } from './sessions/node-sessions.ts';
import { createPodStreams, sendNodeAnswer } from './sessions/pod-streams.ts';
import { createReadPodLog } from './sessions/read-pod-log.ts';
import { startServerList } from './sessions/server-list.ts';
import { acceptTunnel } from './sessions/tunnel-server.ts';
import { watchStandstill } from './standstill.ts';

export interface OpenStoreOptions {
  readonly dataDirectory: string;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export type OpenStore = (options: OpenStoreOptions) => Promise<Store>;

/** What a main.ts chooses. */
export interface ServerAdapters {
  readonly openStore: OpenStore;
  readonly loadAcme: () => Promise<OpenAcme>;
}

export interface AssembledServer {
  /** Under which this machine reaches it. */
  readonly url: string;
  /** PEM. */
  readonly caCertificate: string;
  /** The owner's token, also in `<data>/admin.token`. */
  readonly adminToken: string;
  readonly isLeader: () => boolean;
}

/** The grids there are. Both exist from the first start on. */
const grids = [defaultGrid, systemGrid];

/** Puts the parts together, in the order in which they need each other; each adds its end to `stops`. */
export async function assembleServer(
  options: ServerOptions & { readonly log: Logger; readonly version: string },
  { openStore, loadAcme }: ServerAdapters,
  stops: (() => Promise<void> | void)[],
): Promise<AssembledServer> {
  const clock = systemClock;
  const listen = parseListen(options.listen ?? defaultListen);
  const advertise = parseAdvertise(options.advertise ?? []);
  const { dataDirectory, log } = options;
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const serverId = await readServerId(dataDirectory);
  const metrics = new Metrics();
  const lag = startEventLoopLag(metrics);
  stops.push(lag.stop);

  const audit = await openAuditLog({ file: options.auditFile ?? join(dataDirectory, 'audit.log'), clock, log });
  stops.push(audit.stop);
  const identity = await openIdentity(options.identityDirectory ?? join(dataDirectory, 'identity'), clock.wallMs());
  const store = await openStore({ dataDirectory, metrics, log });
  stops.push(() => store.close());

  const codec = createObjectCodec(createCipher(identity.secretsKey), await readResourceVersions(store));
  const cache = await startWatchCache({ store, kinds: allKinds, codec, clock, log });
  stops.push(() => cache.stop());
  const standstill = watchStandstill(clock);
  stops.push(() => standstill.stop());
  const admitPod = createPodAdmission({ cache, clock });
  const admitIngress = createIngressAdmission({ cache });
  const complete: Completer = async (call, kind, object) =>
    admitIngress(call, kind, await admitPod(call, kind, object));
  const tokenIssuer = (token: Token) => mintToken(token, identity.caHash);
  const commitSeconds = commitHistogram(metrics);
  const registryOver = (over: Store) =>
    createRegistry({ store: over, cache, codec, clock, commitSeconds, tokenIssuer, complete });
  const registry = registryOver(store);
  await ensureNamespaces(registry);
  const network = await ensureGrid(registry, defaultGrid, {
    failoverAfterMs: options.failoverAfterMs ?? defaultFailoverAfterMs,
    network: options.network ?? {},
    ingress: options.ingress ?? {},
    hostRoutes: () => readHostRoutes(log),
    log,
  });
  const clientFor = (grid: string, over = registry) => createInProcessClient({ registry: over, cache, grid });
  for (const grid of grids) await ensureDefaultRoles(clientFor(grid));
  await ensureIngressClass(registry, defaultGrid);

  const serviceAccountTokens = createServiceAccountTokens({
    keyPem: identity.serviceAccountKey,
    find: (grid, kind, namespace, name) => cache.get(grid, kind, namespace, name)?.object,
    refresh: () => cache.fresh(),
    wallMs: () => clock.wallMs(),
  });

  const nodeKeys = await startNodeKeys({
    store,
    clock,
    log,
    hasNode: async (grid, nodeName) => {
      await cache.fresh();
      return cache.get(grid, nodes, undefined, nodeName) !== undefined;
    },
  });
  stops.push(nodeKeys.stop);
  const roles = createRoleSource(cache);
  stops.push(roles.stop);
  const authorizer = createAuthorizer({
    pods: cache,
    roles,
    find: (grid, kind, namespace, name) => cache.get(grid, kind, namespace, name)?.object,
  });

  // Known once the port is; nobody asks earlier.
  const isShared = typeof options.store === 'object';
  /** `others`: undefined until they are read. An agent that heard of this server alone would let go of all others. */
  const reached: { urls: readonly string[]; others: (() => readonly string[]) | undefined } = {
    urls: advertise,
    others: isShared ? undefined : () => [],
  };
  const serversSeenBy = (socket: TLSSocket): readonly string[] => {
    if (!reached.others) return [];
    const own =
      reached.urls.length > 0 ? reached.urls : [urlOf(plainAddress(socket.localAddress), socket.localPort ?? 0)];
    return [...own, ...reached.others()];
  };
  const tunnels = createNodeTunnels(clock);
  const liveness = createLivenessServer({
    serverId,
    servers: (socket: Duplex) => serversSeenBy(socket as TLSSocket),
    clock,
    log,
  });
  metrics.gauge('flotilla_liveness_connections', 'Liveness connections of nodes.', () => liveness.size);
  metrics.gauge('flotilla_tunnels', 'Tunnels of nodes.', () => tunnels.size);
  stops.push(liveness.stop, tunnels.stop);
  const revocation = startNodeRevocation({
    grids,
    clientFor,
    nodeKeys,
    drop: (grid, nodeName) => {
      liveness.drop(grid, nodeName);
      tunnels.drop(grid, nodeName);
    },
    clock,
    log,
  });
  stops.push(() => revocation.stop());

  const authentication: AuthenticatorOptions = {
    nodeKeys,
    findToken: (id) => cache.get(systemGrid, tokens, undefined, id)?.object as Token | undefined,
    refresh: () => cache.fresh(),
    serviceAccounts: serviceAccountTokens,
    wallMs: () => clock.wallMs(),
  };
  const front = createFront({
    authenticate: createAuthenticator(authentication),
    authorizer,
    hasGrid: (grid) => grids.includes(grid),
    kube: createKubeHandler({
      registry,
      cache,
      authorizer,
      audit,
      reviewToken: createTokenReviewer({
        serviceAccounts: serviceAccountTokens,
        authenticate: (token) => userOfToken(authentication, token),
      }),
      serviceAccountTokens,
      podStreams: createPodStreams({ tunnels, metrics, clock, log }),
      standstill,
      version: options.version,
      metrics,
      log,
    }),
    agents: createAgentEndpoints({
      identity,
      nodeKeys,
      hasGrid: (grid) => grids.includes(grid),
      servers: (request) => serversSeenBy(request.socket as TLSSocket),
      wallMs: () => clock.wallMs(),
    }),
    acceptLiveness: liveness.accept,
    askNode: (context, question, response) => sendNodeAnswer(tunnels, context, question, response),
    servers: (socket) => (isShared ? serversSeenBy(socket as TLSSocket) : []),
    acceptTunnel: (grid, nodeName, socket) => acceptTunnel({ tunnels, clock, log }, grid, nodeName, socket),
    audit,
    metrics,
    log,
  });
  const hosts = [
    listen.host,
    ...(options.hosts ?? []),
    ...advertise.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, '')),
    apiServiceAddress(network),
  ];
  const certificateOptions = { identity, directory: join(dataDirectory, 'tls'), serverId, hosts, clock, log };
  const certificate = await loadServerCertificate(certificateOptions);
  const tlsOf = ({ key, certificate: own }: typeof certificate) => ({
    key,
    chain: own + identity.caCertificate,
    ca: identity.caCertificate,
  });
  const listener = await startListener({ ...listen, tls: tlsOf(certificate), ...front, log });
  stops.push(() => listener.stop());
  metrics.gauge('flotilla_connections', 'Open TLS connections.', () => listener.connections);
  const renewal = startServerCertificateRenewal(certificateOptions, certificate, (next) =>
    listener.setTls(tlsOf(next)),
  );
  stops.push(renewal.stop);

  const address = { host: listen.host, port: listener.address.port };
  const url = localUrl(address);
  if (isShared) {
    const urls = advertise.length > 0 ? advertise : [guessedUrl(address)];
    const onChange = () => liveness.tellServers();
    const list = await startServerList({ store, serverId, urls, onChange, clock, log });
    reached.others = list.others;
    liveness.tellServers();
    stops.push(list.stop);
  }
  const adminToken = await ensureOwnerToken({
    client: clientFor(systemGrid),
    serverId,
    dataDirectory,
    url,
    caCertificate: identity.caCertificate,
  });
  const election = startLeading({
    // A store of its own is locked by this process: after a crash it need not wait for itself.
    identity: isShared ? `${serverId}-${randomBytes(4).toString('hex')}` : serverId,
    store,
    clientOver: (over, grid) => clientFor(grid, registryOver(over)),
    versions: cache.versions,
    standsBy: isShared,
    liveness,
    askPeers: createAskPeers(tunnels),
    readPodLog: createReadPodLog(tunnels),
    grids: [defaultGrid],
    failoverAfterMs: options.failoverAfterMs,
    cluster: {
      caCertificate: identity.caCertificate,
      servers: () => [...(advertise.length > 0 ? advertise : [guessedUrl(address)]), ...(reached.others?.() ?? [])],
      issueSecretToken: (claims) => serviceAccountTokens.issue({ claims, audiences: [] }),
    },
    loadAcme,
    log,
    metrics,
    clock,
  });
  metrics.gauge('flotilla_leader', '1 while this server leads.', () => (election.isLeader ? 1 : 0));
  stops.push(() => election.stop());
  log.info('the server answers', { url, serverId });
  return { url, caCertificate: identity.caCertificate, adminToken, isLeader: () => election.isLeader };
}

async function readServerId(dataDirectory: string): Promise<string> {
  const file = join(dataDirectory, 'server.id');
  const kept = await readIfThere(file);
  return (kept ?? (await createPrivateFile(file, `${randomBytes(4).toString('hex')}\n`))).trim();
}

function plainAddress(address: string | undefined): string {
  return address?.replace(/^::ffff:/, '') ?? '127.0.0.1';
}
