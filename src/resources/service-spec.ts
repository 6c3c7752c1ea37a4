import { validateLabels } from './meta-validation.ts';
import { dnsLabel, portNumber, portOrName, qualifiedName } from './name-checks.ts';
import { field, type JsonObject, listOf, mapOf, message, unsupported } from './schema.ts';
import { headless } from './service-facts.ts';

/** Kubernetes' time of affinity: three hours. */
const defaultAffinitySeconds = 10_800;

const servicePort = message(
  'ServicePort',
  {
    name: field(1, 'string', { check: dnsLabel }),
    protocol: field(2, 'string', { default: 'TCP', allowed: ['TCP', 'UDP'] }),
    port: field(3, 'int32', { required: true, check: portNumber }),
    targetPort: field(4, 'intOrString', { check: portOrName, description: 'Of the pods. Default: port.' }),
    nodePort: field(5, 'int32', { description: 'On every node. Default: a free one, where the type has them.' }),
    appProtocol: field(6, 'string', { optional: true, check: qualifiedName, description: 'Carried for readers.' }),
  },
  {
    defaults: (object) => {
      if (object.targetPort === undefined || object.targetPort === 0 || object.targetPort === '') {
        object.targetPort = object.port;
      }
    },
  },
);

const affinityConfig = message('SessionAffinityConfig', {
  clientIP: field(
    1,
    message('ClientIPConfig', {
      timeoutSeconds: field(1, 'int32', {
        optional: true,
        description: `After its last connection. Default: ${defaultAffinitySeconds}.`,
      }),
    }),
  ),
});

const noHealthPort = 'nodes have no such port; a load balancer of yours asks the node port itself';

export const serviceSpec = message(
  'ServiceSpec',
  {
    ports: field(1, listOf(servicePort), { mergeKey: 'port', mapKeys: ['port', 'protocol'] }),
    selector: field(2, mapOf('string'), {
      isAtomic: true,
      description: 'Labels of the pods that stand behind it. Without it you write its EndpointSlices.',
    }),
    clusterIP: field(3, 'string', {
      description: `An address of the service range that stands for its pods; ${headless}: its name answers the pods’ own addresses. Set once.`,
    }),
    type: field(4, 'string', {
      default: 'ClusterIP',
      allowed: ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'],
    }),
    externalIPs: field(5, listOf('string'), { description: 'Addresses that you route to nodes.' }),
    sessionAffinity: field(7, 'string', {
      default: 'None',
      allowed: ['ClientIP', 'None'],
      description: 'ClientIP: a client stays with its pod.',
    }),
    loadBalancerIP: field(8, 'string', { description: 'The address of the grid’s pool that it wants.' }),
    loadBalancerSourceRanges: field(9, listOf('string'), {
      description: 'Networks that may use its load balancer addresses.',
    }),
    externalName: field(10, 'string', { description: 'The name outside that its own name stands for.' }),
    externalTrafficPolicy: field(11, 'string', {
      allowed: ['Cluster', 'Local'],
      description: 'Local: pods of the node that a client calls, which see the client’s address.',
    }),
    healthCheckNodePort: unsupported(12, noHealthPort, { type: 'int32' }),
    publishNotReadyAddresses: field(13, 'bool', { description: 'Pods that are not ready count, too.' }),
    sessionAffinityConfig: field(14, affinityConfig),
    ipFamilyPolicy: unsupported(17, 'leave it out; pods have IPv4 addresses', {
      type: 'string',
      optional: true,
      harmless: ['SingleStack', 'PreferDualStack'],
    }),
    clusterIPs: field(18, listOf('string')),
    ipFamilies: unsupported(19, 'leave it out; pods have IPv4 addresses', {
      type: listOf('string'),
      harmless: [['IPv4']],
    }),
    allocateLoadBalancerNodePorts: field(20, 'bool', { optional: true, description: 'Default: true.' }),
    loadBalancerClass: field(21, 'string', {
      optional: true,
      check: qualifiedName,
      description: 'Who gives it its address. Default: the grid’s pool.',
    }),
    internalTrafficPolicy: field(22, 'string', {
      optional: true,
      allowed: ['Cluster', 'Local'],
      description: 'Local: pods of the client’s own node only.',
    }),
    trafficDistribution: field(23, 'string', {
      optional: true,
      allowed: ['PreferClose', 'PreferSameZone', 'PreferSameNode'],
      ignored: 'all pods that are ready take turns',
    }),
  },
  {
    defaults: defaultServiceSpec,
    validate: (spec: { selector?: Record<string, string> }, path, errors) => {
      validateLabels(spec.selector, `${path}.selector`, errors);
    },
    warn: (spec: { ports?: readonly WarnedPort[]; clusterIP?: string }, path, warnings) => {
      if (spec.clusterIP !== headless) return;
      for (const [index, { port, targetPort = port }] of (spec.ports ?? []).entries()) {
        if (targetPort === port || typeof targetPort === 'string') continue; // a name may well be the port's own
        const why = 'the name of this Service object answers the pods’ own addresses';
        const how = `connect to the target port ${targetPort}, not to port ${port}`;
        warnings.push(`${path}.ports[${index}]: ${why}: ${how}`);
      }
    },
  },
);

interface WarnedPort {
  readonly port: number;
  readonly targetPort?: number | string;
}

/** As Kubernetes' SetDefaults_Service. */
function defaultServiceSpec(spec: JsonObject): void {
  if (spec.clusterIP === '') delete spec.clusterIP;
  if (spec.type !== 'ExternalName') {
    spec.internalTrafficPolicy ??= 'Cluster';
    spec.ipFamilies ??= ['IPv4'];
    spec.ipFamilyPolicy ??= 'SingleStack';
  }
  if (spec.clusterIP !== undefined) spec.clusterIPs ??= [spec.clusterIP];
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  else if (spec.sessionAffinity === 'ClientIP') {
    const config = (spec.sessionAffinityConfig ?? {}) as { clientIP?: { timeoutSeconds?: number } };
    const { clientIP = {} } = config;
    spec.sessionAffinityConfig = { ...config, clientIP: { timeoutSeconds: defaultAffinitySeconds, ...clientIP } };
  }
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  const hasExternalIPs = spec.type === 'ClusterIP' && ((spec.externalIPs as string[] | undefined)?.length ?? 0) > 0;
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer' || hasExternalIPs) {
    spec.externalTrafficPolicy = spec.externalTrafficPolicy || 'Cluster';
  }
}
