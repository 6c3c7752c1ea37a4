import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { failoverAfterProblems } from '../failover.ts';
import { defaultGridIngress, gridIngressErrors } from '../grid-ingress.ts';
import { defaultGridNetwork, gridNetworkChangeErrors, gridNetworkErrors, gridNetworkOf } from '../grid-network.ts';
import { objectMeta } from '../meta.ts';
import { portNumber } from '../name-checks.ts';
import { field, listOf, message } from '../schema.ts';
import type { Grid } from '../stack-types.ts';

const gridNetwork = message('GridNetwork', {
  podRange: field(0, 'string', {
    description: `All pod addresses; set once. Default: ${defaultGridNetwork.podRange}.`,
  }),
  nodePrefixLength: field(0, 'int32', {
    description: `Size of each node's part of them; set once. Default: ${defaultGridNetwork.nodePrefixLength}.`,
  }),
  serviceRange: field(0, 'string', {
    description: `Addresses of Service objects; set once. Default: ${defaultGridNetwork.serviceRange}.`,
  }),
  nodePortRange: field(0, 'string', {
    description: `Ports of Service objects on every node; set once. Default: ${defaultGridNetwork.nodePortRange}.`,
  }),
  overlay: field(0, 'string', {
    description: 'How packets of pods travel between nodes. Default: wireguard, which encrypts them.',
  }),
  overlayPort: field(0, 'int32', {
    check: portNumber,
    description: 'UDP port of it on every node. Default: 51820; 8472 with vxlan.',
  }),
  trustedSubnets: field(0, listOf('string'), {
    description: 'Networks: nodes with addresses in the same one route plainly, without encryption.',
  }),
  loadBalancerPool: field(0, listOf('string'), {
    description: 'Addresses of Service objects of type LoadBalancer: 10.0.8.0/24, or 10.0.8.10-10.0.8.20.',
  }),
});

const gridIngress = message('GridIngress', {
  baseDomain: field(0, 'string', {
    description: 'Services of stacks are reached at <service>.<stack>.<this>. Absent: they get no names by themselves.',
  }),
  httpPort: field(0, 'int32', { description: `Of ingress nodes. Default: ${defaultGridIngress.httpPort}.` }),
  httpsPort: field(0, 'int32', { description: `Of ingress nodes. Default: ${defaultGridIngress.httpsPort}.` }),
  trustedProxies: field(0, listOf('string'), {
    description: 'Networks in front of the ingress nodes that are believed about clients’ addresses.',
  }),
  acceptProxyProtocol: field(0, 'bool', { description: 'Trusted proxies speak the PROXY protocol.' }),
  maxConnections: field(0, 'int32', {
    description: `At a time, to one ingress node. Default: ${defaultGridIngress.maxConnections}.`,
  }),
  healthPath: field(0, 'string', {
    description: 'Answered with 200 for any host, where a load balancer in front looks. Absent: none.',
  }),
  acme: field(
    0,
    message(
      'GridAcme',
      {
        directoryURL: field(0, 'string', { description: 'https://…/directory of the ACME server.' }),
        email: field(0, 'string', { description: 'Where it writes when something is wrong.' }),
        caCertificate: field(0, 'string', {
          description: 'PEM: whom to trust about the ACME server itself. Default: what servers’ machines trust.',
        }),
      },
      { description: 'Who signs certificates with tls: acme.' },
    ),
    { description: 'Who signs certificates with tls: acme. Absent: nobody.' },
  ),
});

export const grids = defineKind<Grid>({
  ...{ group: 'flotilla.dev', version: 'v1alpha1', kind: 'Grid', plural: 'grids' },
  namespaced: false,
  message: message('Grid', {
    metadata: field(0, objectMeta),
    spec: field(
      0,
      message('GridSpec', {
        failover: field(
          0,
          message('GridFailover', {
            after: field(0, 'string', {
              check: failoverAfterProblems,
              description: 'Silence of a node after which its pods are replaced: `10s`, `1m30s`, `never`.',
            }),
          }),
        ),
        network: field(0, gridNetwork),
        ingress: field(0, gridIngress),
      }),
      { default: {} },
    ),
  }),
  validate: (grid, errors) => {
    errors.push(...gridNetworkErrors(grid.spec?.network ?? {}, networkPath));
    errors.push(...gridIngressErrors(grid.spec?.ingress ?? {}, 'spec.ingress'));
  },
  validateUpdate: (grid, old, errors) => {
    errors.push(...gridNetworkChangeErrors(grid.spec?.network ?? {}, old.spec?.network ?? {}, networkPath));
  },
  columns: [
    nameColumn(),
    column('Failover-After', 'Silence of a node after which its pods are replaced.', afterOf),
    column('Overlay', 'How packets of pods travel between nodes.', (grid) => gridNetworkOf(grid.spec?.network).overlay),
    column('Pods', 'Addresses of pods.', (grid) => gridNetworkOf(grid.spec?.network).podRange, { priority: 1 }),
    column('Services', 'Addresses of Service objects.', (grid) => gridNetworkOf(grid.spec?.network).serviceRange, {
      priority: 1,
    }),
    column('Domain', 'Of the names of services.', (grid) => grid.spec?.ingress?.baseDomain ?? '<none>', {
      priority: 1,
    }),
    ageColumn(),
  ],
});

const networkPath = 'spec.network';

function afterOf(grid: Grid): string {
  return grid.spec?.failover?.after ?? '<default>';
}
