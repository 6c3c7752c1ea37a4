import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import type { Service } from '../kinds.ts';
import { condition, conditionList, objectMeta } from '../meta.ts';
import { field, listOf, message } from '../schema.ts';
import { balancerAddresses, hasAllPorts, serviceType } from '../service-facts.ts';
import { serviceSpec } from '../service-spec.ts';
import { prepareServiceUpdate } from '../service-update.ts';
import { validateService, validateServiceUpdate } from '../service-validation.ts';

const identity = { group: '', version: 'v1', kind: 'Service', plural: 'services' };

const portStatus = message('PortStatus', {
  port: field(1, 'int32'),
  protocol: field(2, 'string'),
  error: field(3, 'string', { optional: true }),
});

const balancerIngress = message('LoadBalancerIngress', {
  ip: field(1, 'string'),
  hostname: field(2, 'string'),
  ipMode: field(3, 'string', { optional: true }),
  ports: field(4, listOf(portStatus), { listType: 'atomic' }),
});

const serviceStatus = message('ServiceStatus', {
  loadBalancer: field(
    1,
    message('LoadBalancerStatus', { ingress: field(1, listOf(balancerIngress), { listType: 'atomic' }) }),
  ),
  conditions: field(2, listOf(condition), conditionList),
});

export const services = defineKind<Service>({
  ...identity,
  shortNames: ['svc'],
  categories: ['all'],
  nameRule: 'dns1035',
  subresources: [statusSubresource(identity)],
  message: message('Service', {
    metadata: field(1, objectMeta),
    spec: field(2, serviceSpec, { default: {} }),
    status: field(3, serviceStatus),
  }),
  selectableFields: {
    'spec.clusterIP': (service) => service.spec.clusterIP ?? '',
    'spec.type': (service) => service.spec.type ?? '',
  },
  columns: [
    nameColumn(),
    column('Type', 'ClusterIP, NodePort, LoadBalancer or ExternalName.', (service) => serviceType(service)),
    column('Cluster-IP', 'None: its name answers the pods’ own addresses.', clusterAddress),
    column('External-IP', 'Addresses, or the name, outside of the cluster.', externalAddress),
    column('Port(s)', 'Ports, node ports behind a colon, and protocols.', portsText),
    ageColumn(),
    column('Selector', 'Labels of its pods.', (service) => labelText(service.spec.selector), { priority: 1 }),
  ],
  prepareForCreate: (service) => ({ ...service, status: { loadBalancer: {} } }),
  prepareForUpdate: prepareServiceUpdate,
  validate: validateService,
  validateUpdate: validateServiceUpdate,
});

function clusterAddress({ spec }: Service): string {
  return spec.clusterIPs?.[0] || spec.clusterIP || '<none>';
}

const maxShownLength = 16;

function externalAddress(service: Service): string {
  const { externalIPs = [], externalName } = service.spec;
  const type = serviceType(service);
  if (type === 'ExternalName') return externalName ?? '<unknown>';
  if (type !== 'LoadBalancer') return externalIPs.join(',') || '<none>';
  const names = (service.status?.loadBalancer?.ingress ?? []).flatMap((one) => (one.hostname ? [one.hostname] : []));
  const all = [...new Set([...balancerAddresses(service), ...names])].sort().join(',');
  const given = all.length > maxShownLength ? `${all.slice(0, maxShownLength - 3)}...` : all;
  return [given, ...externalIPs].filter((one) => one !== '').join(',') || '<pending>';
}

function portsText(service: Service): string {
  const texts = (service.spec.ports ?? []).map(
    ({ port, nodePort, protocol = 'TCP' }) => `${port}${nodePort ? `:${nodePort}` : ''}/${protocol}`,
  );
  return hasAllPorts(service) ? '<all>' : texts.join(',') || '<none>';
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.sort().join(',') || '<none>';
}
