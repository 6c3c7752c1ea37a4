// What each test gets: a namespace of its own on the shared cluster, typed clients, raw requests, watches and kubectl.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { test } from 'node:test';
import {
  ApiException,
  AppsV1Api,
  AuthenticationV1Api,
  AuthorizationV1Api,
  type ConfigurationOptions,
  CoordinationV1Api,
  CoreV1Api,
  DiscoveryV1Api,
  type KubeConfig,
  NetworkingV1Api,
  PatchStrategy,
  PolicyV1Api,
  RbacAuthorizationV1Api,
  setHeaderOptions,
  type V1Pod,
  Watch,
} from '@kubernetes/client-node';
import type { CommandResult } from '../integration/kubectl.ts';
import { eventually } from '../integration/simulated-cluster.ts';
import { type Cluster, randomName, sharedCluster } from './cluster.ts';

export { randomName } from './cluster.ts';

export interface Clients {
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
  readonly policy: PolicyV1Api;
  readonly coordination: CoordinationV1Api;
  readonly discovery: DiscoveryV1Api;
  readonly networking: NetworkingV1Api;
  readonly rbac: RbacAuthorizationV1Api;
  readonly authentication: AuthenticationV1Api;
  readonly authorization: AuthorizationV1Api;
}

export interface Answer<T> {
  readonly code: number;
  readonly contentType: string;
  readonly body: T;
}

export interface Change<T> {
  readonly type: string;
  readonly object: T;
}

export interface Watching<T> {
  readonly changes: readonly Change<T>[];
  /** The first change from now on, or that has been, for which it is true. */
  until(what: string, isIt: (change: Change<T>) => boolean): Promise<Change<T>>;
  stop(): void;
}

export interface Scene extends Clients {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** Another namespace, which goes with this one. */
  anotherNamespace(labels?: Record<string, string>): Promise<string>;
  raw<T>(method: string, path: string, options?: RawOptions): Promise<Answer<T>>;
  /** Ends with the test. */
  watch<T>(path: string, query?: Record<string, string>): Promise<Watching<T>>;
  /** In the namespace; throws with what it said unless it ends with 0. */
  kubectl(args: readonly string[], stdin?: string): Promise<string>;
  kubectlRun(args: readonly string[], stdin?: string): Promise<CommandResult>;
}

export interface RawOptions {
  readonly body?: unknown;
  readonly accept?: string;
  readonly contentType?: string;
  readonly token?: string;
}

export const jsonPatch = setHeaderOptions('Content-Type', PatchStrategy.JsonPatch);
export const mergePatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
export const strategicPatch: ConfigurationOptions = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch);

/** `testname` is that of Kubernetes' list; docs/reference/conformance.md has them all. */
export function conformance(testname: string, body: (scene: Scene) => Promise<void>): void {
  test(testname, { timeout: 45_000 }, async () => {
    const { scene, end } = await openScene();
    try {
      await body(scene);
    } finally {
      await end();
    }
  });
}

/** One that needs a server of its own, or none that goes on. */
export function conformanceAlone(testname: string, body: () => Promise<void>): void {
  test(testname, { timeout: 45_000 }, body);
}

export function clientsOf(config: KubeConfig): Clients {
  return {
    core: config.makeApiClient(CoreV1Api),
    apps: config.makeApiClient(AppsV1Api),
    policy: config.makeApiClient(PolicyV1Api),
    coordination: config.makeApiClient(CoordinationV1Api),
    discovery: config.makeApiClient(DiscoveryV1Api),
    networking: config.makeApiClient(NetworkingV1Api),
    rbac: config.makeApiClient(RbacAuthorizationV1Api),
    authentication: config.makeApiClient(AuthenticationV1Api),
    authorization: config.makeApiClient(AuthorizationV1Api),
  };
}

/** Requests to the shared cluster, without a namespace. */
export async function rawScene(): Promise<Pick<Scene, 'raw'>> {
  const cluster = await sharedCluster();
  return { raw: (method, path, options = {}) => rawRequest(cluster, method, path, options) };
}

async function openScene(): Promise<{ scene: Scene; end: () => Promise<void> }> {
  const cluster = await sharedCluster();
  const clients = clientsOf(cluster.config);
  const { core } = clients;
  const namespaces: string[] = [];
  const watches: (() => void)[] = [];
  const addNamespace = async (labels: Record<string, string> = {}) => {
    const name = randomName('conformance');
    await core.createNamespace({ body: { metadata: { name, labels } } });
    namespaces.push(name);
    await eventually(() => core.readNamespacedServiceAccount({ namespace: name, name: 'default' }), 10_000);
    return name;
  };
  const namespace = await addNamespace();
  const scene: Scene = {
    ...clients,
    cluster,
    namespace,
    anotherNamespace: addNamespace,
    raw: (method, path, options = {}) => rawRequest(cluster, method, path, options),
    watch: async <T>(path: string, query: Record<string, string> = {}) => {
      const watching = await startWatching<T>(cluster.config, path, query);
      watches.push(() => watching.stop());
      return watching;
    },
    kubectl: (args, stdin) => cluster.kubectl.ok(['--namespace', namespace, ...args], stdin),
    kubectlRun: (args, stdin) => cluster.kubectl.run(['--namespace', namespace, ...args], stdin),
  };
  const end = async () => {
    for (const stop of watches) stop();
    for (const name of namespaces) await core.deleteNamespace({ name }).catch(() => {}); // some tests do it themselves
  };
  return { scene, end };
}

/** Resolves when the server has answered the request, so that no later change is missed even without a revision. */
async function startWatching<T>(config: KubeConfig, path: string, query: Record<string, string>): Promise<Watching<T>> {
  const changes: Change<T>[] = [];
  const listeners = new Set<() => void>();
  const controller = await new Watch(config).watch(
    path,
    query,
    (type: string, object: T) => {
      changes.push({ type, object });
      for (const listener of listeners) listener();
    },
    () => {},
  );
  return {
    changes,
    until: (what, isIt) =>
      new Promise((resolve, reject) => {
        const told = () => changes.map(({ type }) => type).join(', ');
        const timer = setTimeout(() => done(new Error(`not seen within 20 s: ${what}; seen: ${told()}`)), 20_000);
        const look = () => {
          const found = changes.find(isIt);
          if (found) done(found);
        };
        const done = (result: Error | Change<T>) => {
          clearTimeout(timer);
          listeners.delete(look);
          if (result instanceof Error) reject(result);
          else resolve(result);
        };
        listeners.add(look);
        look();
      }),
    stop: () => controller.abort(),
  };
}

function rawRequest<T>(cluster: Cluster, method: string, path: string, options: RawOptions): Promise<Answer<T>> {
  const { body, accept = 'application/json', contentType = 'application/json', token = cluster.token } = options;
  const headers = {
    authorization: `Bearer ${token}`,
    accept,
    ...(body === undefined ? {} : { 'content-type': contentType }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, cluster.url), { method, headers, ca: cluster.caCertificate }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const answeredType = response.headers['content-type'] ?? '';
        const isJson = answeredType.includes('json');
        resolve({
          code: response.statusCode ?? 0,
          contentType: answeredType,
          body: (isJson ? JSON.parse(text) : text) as T,
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** The call must be refused with this code; gives what was said. */
export async function refused(code: number, call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => assert.fail(`was not refused with ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiException, String(error));
  assert.equal(error.code, code, error.message);
  return error.message;
}

export function podOf(name: string, more: Partial<V1Pod['metadata']> = {}, spec: Partial<V1Pod['spec']> = {}): V1Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...more },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'web:1' }], ...spec },
  };
}

export async function runningPod({ core, namespace }: Scene, name: string): Promise<V1Pod> {
  return await eventually(async () => {
    const pod = await core.readNamespacedPod({ namespace, name });
    assert.equal(pod.status?.phase, 'Running');
    return pod;
  }, 20_000);
}

/** Gone with all that belongs to it, or the deadline is over. */
export async function gone(read: () => Promise<unknown>): Promise<void> {
  await eventually(() => refused(404, read()), 20_000);
}

export { eventually };
