import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { duplicate, forbidden, notSupported, required } from '../field-errors.ts';
import type { Service } from '../kinds.ts';
import { condition, conditionList, objectMeta } from '../meta.ts';
import { validateLabels } from '../meta-validation.ts';
import { dnsLabel, portNumber, portOrName, qualifiedName } from '../name-checks.ts';
import { type FieldError, field, type JsonObject, listOf, mapOf, message, unsupported } from '../schema.ts';

const identity = { group: '', version: 'v1', kind: 'Service', plural: 'services' };
const noBalancer = 'leave it out; publish a port of the pods with hostPort';

const servicePort = message(
  'ServicePort',
  {
    name: field(1, 'string', { check: dnsLabel }),
    protocol: field(2, 'string', { default: 'TCP', allowed: ['TCP', 'UDP'] }),
    port: field(3, 'int32', { required: true, check: portNumber }),
    targetPort: field(4, 'intOrString', { check: portOrName, description: 'Of the pods. Default: port.' }),
    nodePort: unsupported(5, noBalancer, { type: 'int32' }),
    appProtocol: field(6, 'string', { optional: true, check: qualifiedName, description: 'Carried for readers.' }),
  },
  {
    defaults: (object) => {
      if (object.targetPort === undefined || object.targetPort === 0 || object.targetPort === '') {
        object.targetPort = object.port;
      }
    },
    warn: ({ port, targetPort = port }: { port: number; targetPort?: number | string }, path, warnings) => {
      if (targetPort === port || typeof targetPort === 'string') return; // a name may well be the port's own
      const why = 'the name of a Service object answers the pods’ own addresses';
      warnings.push(`${path}: ${why}: connect to the target port ${targetPort}, not to port ${port}`);
    },
  },
);

const serviceSpec = message(
  'ServiceSpec',
  {
    ports: field(1, listOf(servicePort), { mergeKey: 'port', mapKeys: ['port', 'protocol'] }),
    selector: field(2, mapOf('string'), { isAtomic: true, description: 'Labels of the pods that stand behind it.' }),
    clusterIP: field(3, 'string', { default: 'None', description: 'None: its name answers the pods’ own addresses.' }),
    type: field(4, 'string', { default: 'ClusterIP' }),
    externalIPs: unsupported(5, noBalancer, { type: listOf('string') }),
    sessionAffinity: unsupported(7, 'leave it out; its name answers the pods’ own addresses', {
      type: 'string',
      default: 'None',
      harmless: ['None'],
    }),
    loadBalancerIP: unsupported(8, noBalancer, { type: 'string' }),
    loadBalancerSourceRanges: unsupported(9, noBalancer, { type: listOf('string') }),
    externalName: unsupported(10, 'use the outside name itself', { type: 'string' }),
    externalTrafficPolicy: unsupported(11, noBalancer, { type: 'string' }),
    healthCheckNodePort: unsupported(12, noBalancer, { type: 'int32' }),
    publishNotReadyAddresses: field(13, 'bool', { description: 'Pods that are not ready are answered too.' }),
    sessionAffinityConfig: unsupported(14, 'leave it out'),
    ipFamilyPolicy: unsupported(17, 'leave it out; pods have IPv4 addresses', {
      type: 'string',
      optional: true,
      default: 'SingleStack',
      harmless: ['SingleStack', 'PreferDualStack'],
    }),
    clusterIPs: field(18, listOf('string')),
    ipFamilies: unsupported(19, 'leave it out; pods have IPv4 addresses', {
      type: listOf('string'),
      default: ['IPv4'],
      harmless: [['IPv4']],
    }),
    allocateLoadBalancerNodePorts: unsupported(20, noBalancer, { type: 'bool', optional: true }),
    loadBalancerClass: unsupported(21, noBalancer, { type: 'string', optional: true }),
    internalTrafficPolicy: unsupported(22, 'leave it out', {
      type: 'string',
      optional: true,
      default: 'Cluster',
      harmless: ['Cluster'],
    }),
    trafficDistribution: field(23, 'string', {
      optional: true,
      allowed: ['PreferClose', 'PreferSameZone', 'PreferSameNode'],
      ignored: 'its name answers the addresses of all pods that are ready',
    }),
  },
  {
    defaults: (object) => {
      object.clusterIPs ??= [object.clusterIP];
    },
    validate: validateServiceSpec,
  },
);

export const services = defineKind<Service>({
  ...identity,
  shortNames: ['svc'],
  categories: ['all'],
  nameRule: 'dns1035',
  subresources: [statusSubresource(identity)],
  message: message('Service', {
    metadata: field(1, objectMeta),
    spec: field(2, serviceSpec, { default: {} }),
    status: field(
      3,
      message('ServiceStatus', {
        loadBalancer: field(1, 'any'),
        conditions: field(2, listOf(condition), conditionList),
      }),
    ),
  }),
  selectableFields: {
    'spec.clusterIP': (service) => service.spec.clusterIP ?? '',
    'spec.type': (service) => service.spec.type ?? '',
  },
  columns: [
    nameColumn(),
    column('Type', 'Always ClusterIP.', (service) => service.spec.type ?? ''),
    column('Cluster-IP', 'None: its name answers the pods’ own addresses.', (service) => service.spec.clusterIP ?? ''),
    column('External-IP', 'Always <none>.', () => '<none>'),
    column('Port(s)', 'Ports and protocols.', (service) => {
      return service.spec.ports?.map((one) => `${one.port}/${one.protocol ?? 'TCP'}`).join(',') || '<none>';
    }),
    ageColumn(),
    column('Selector', 'Labels of its pods.', (service) => labelText(service.spec.selector), { priority: 1 }),
  ],
  prepareForCreate: (service) => ({ ...service, status: { loadBalancer: {} } }),
});

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.sort().join(',') || '<none>';
}

function validateServiceSpec(spec: Service['spec'] & JsonObject, path: string, errors: FieldError[]): void {
  if (spec.type !== undefined && spec.type !== 'ClusterIP') {
    errors.push(notSupported(`${path}.type`, spec.type, ['ClusterIP'], `not supported by Flotilla: ${noBalancer}`));
  }
  const addresses: [string, string | undefined][] = [
    [`${path}.clusterIP`, spec.clusterIP],
    ...(spec.clusterIPs ?? []).map((one, index): [string, string] => [`${path}.clusterIPs[${index}]`, one]),
  ];
  for (const [at, address] of addresses) {
    if (address && address !== 'None') {
      errors.push(forbidden(at, 'not supported by Flotilla: leave it out; names answer the pods’ own addresses'));
    }
  }
  validateLabels(spec.selector, `${path}.selector`, errors);
  const names = new Set<string>();
  const numbers = new Set<string>();
  spec.ports?.forEach((one, index) => {
    const at = `${path}.ports[${index}]`;
    if (!one.name && (spec.ports?.length ?? 0) > 1) errors.push(required(`${at}.name`));
    if (one.name && names.has(one.name)) errors.push(duplicate(`${at}.name`, one.name));
    const key = `${one.port}/${one.protocol ?? 'TCP'}`;
    if (numbers.has(key)) errors.push(duplicate(at, { port: one.port, protocol: one.protocol ?? 'TCP' }));
    if (one.name) names.add(one.name);
    numbers.add(key);
  });
}
