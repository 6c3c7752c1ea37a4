/** Tests of Kubernetes' list that have no counterpart in this folder. */
export interface Elsewhere {
  readonly group: string;
  readonly count: number;
  /** They need containers, and the lab has tests of what is served of it. */
  readonly isInLab: boolean;
  readonly why: string;
}

const lab = (group: string, count: number, why: string): Elsewhere => ({ group, count, isInLab: true, why });
const none = (group: string, count: number, why: string): Elsewhere => ({ group, count, isInLab: false, why });

export const elsewhere: readonly Elsewhere[] = [
  lab('sig-apps: ReplicaSet with a basic image', 1, '`test/e2e/deployments.test.ts`'),
  lab('sig-cli: guestbook, logs', 2, '`test/e2e/guestbook.test.ts`, `test/e2e/streams.test.ts`'),
  lab(
    'sig-network: DNS of services, of the cluster, of partial names',
    3,
    '`test/e2e/network.test.ts`; no SRV records are asked for there',
  ),
  lab('sig-network: NodePort and session affinity of services', 5, '`test/integration/services.test.ts`'),
  lab('sig-network: between pods, and from nodes to pods', 4, '`test/e2e/network.test.ts`'),
  lab(
    'sig-node: ConfigMaps and Secrets as variables, downward API as variables',
    9,
    '`test/e2e/pod-files.test.ts`, `test/e2e/secrets.test.ts`',
  ),
  lab('sig-node: handlers of containers (postStart, preStop)', 5, '`test/e2e/pod-life.test.ts`'),
  lab(
    'sig-node: ends of containers: messages, restart policies, failed pods',
    8,
    '`test/e2e/pod-life.test.ts`; unit tests of `src/agent/pod`',
  ),
  lab(
    'sig-node: commands and arguments, expansion of variables',
    7,
    'unit tests of `src/agent/pod`, `test/integration/agent-pods.test.ts`',
  ),
  lab(
    'sig-node: /etc/hosts, host address, read-only root',
    4,
    'unit tests of `src/agent/pod`, `test/integration/container-rights.test.ts`',
  ),
  lab(
    'sig-node: init containers, with each restart policy',
    4,
    '`test/e2e/pod-containers.test.ts`, `test/integration/pod-containers.test.ts`',
  ),
  lab('sig-node: variables for services', 1, 'unit tests of `src/agent/pod`'),
  lab('sig-storage: emptyDir shared by containers', 1, '`test/integration/pod-containers.test.ts`'),
  lab('sig-node: exec and logs over WebSockets', 2, '`test/integration/streams.test.ts`, `test/e2e/streams.test.ts`'),
  lab('sig-node: probes', 10, '`test/e2e/pod-life.test.ts`; unit tests of `src/agent/pod`'),
  lab('sig-node: security contexts, sysctls', 8, '`test/integration/container-rights.test.ts`'),
  lab('sig-storage: ConfigMaps in volumes', 10, '`test/e2e/pod-files.test.ts`'),
  lab('sig-storage: Secrets in volumes', 8, '`test/e2e/pod-files.test.ts`, `test/e2e/secrets.test.ts`'),
  lab('sig-storage: downward API in volumes', 11, '`test/e2e/pod-files.test.ts`'),
  lab('sig-storage: projected volumes', 28, '`test/e2e/pod-files.test.ts`, `test/e2e/service-account.test.ts`'),
  lab(
    'sig-storage: emptyDir and wrapped volumes',
    16,
    '`test/e2e/pod-files.test.ts`; modes of each medium are not told apart there',
  ),
  none('sig-api-machinery: API priority and fairness', 2, 'its objects; requests take turns by user (docs/adr/0020)'),
  none('sig-api-machinery: admission webhooks, admission policies', 26, 'no webhooks and no policies'),
  none('sig-api-machinery: custom resources, aggregated servers', 25, 'kinds are built in'),
  none('sig-api-machinery: ResourceQuota', 12, 'no such kind'),
  none(
    'sig-apps: CronJob, DaemonSet, Job, StatefulSet',
    28,
    'no such kinds; a stack of one run is a bare Pod (docs/adr/0008)',
  ),
  none('sig-apps: ReplicationController', 6, 'no such kind; use a ReplicaSet'),
  none('sig-auth: certificate signing requests', 1, 'no such kind; nodes join with a token'),
  none('sig-auth: OIDC discovery of the issuer', 1, 'tokens are checked by the API: TokenReview'),
  none('sig-instrumentation: events.k8s.io', 2, 'events are served by the core group only'),
  none(
    'sig-network: DNS: /etc/hosts of the cluster, ExternalName, hostnames and subdomains, dnsConfig',
    5,
    'the fields are refused',
  ),
  none('sig-network: Endpoints, mirroring', 2, 'EndpointSlices only'),
  none('sig-network: proxying to pods, services and nodes’ logs', 3, 'port-forward, and `/proxy/metrics` of nodes'),
  none('sig-node: ephemeral containers', 2, 'add a container to the pod'),
  none('sig-node: PodTemplate', 3, 'no such kind'),
  none('sig-node: activeDeadlineSeconds', 1, 'refused: end the program itself'),
  none('sig-node: RuntimeClass', 5, 'the engine’s default runtime'),
  none(
    'sig-node, sig-storage: subPathExpr and subPath',
    10,
    'subPathExpr is refused; subPath takes one file of a Secret or ConfigMap',
  ),
  none('sig-scheduling: LimitRange', 2, 'no such kind'),
  none('sig-scheduling: priorities and preemption', 5, 'pods have no priorities'),
  none('sig-storage: CSI, PersistentVolume, StorageClass, VolumeAttachment', 9, 'Volume objects (docs/adr/0005)'),
];
