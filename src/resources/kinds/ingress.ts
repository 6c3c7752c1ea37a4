import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { legacyClassAnnotation, validateIngress } from '../ingress-validation.ts';
import type { Ingress } from '../kinds.ts';
import { condition, conditionList, objectMeta } from '../meta.ts';
import { dnsSubdomain } from '../name-checks.ts';
import { field, listOf, message, unsupported } from '../schema.ts';

const identity = { group: 'networking.k8s.io', version: 'v1', kind: 'Ingress', plural: 'ingresses' };

const backend = message(
  'IngressBackend',
  {
    resource: unsupported(3, 'name a Service object; `service` says which, and its port'),
    service: field(
      4,
      message(
        'IngressServiceBackend',
        {
          name: field(1, 'string', { description: 'Of a Service object in the namespace of the Ingress object.' }),
          port: field(
            2,
            message(
              'ServiceBackendPort',
              {
                name: field(1, 'string', { description: 'Its name; not together with number.' }),
                number: field(2, 'int32', { description: 'Its number; not together with name.' }),
              },
              { isAtomic: true, description: 'Of the Service object, not of its pods.' },
            ),
          ),
        },
        { description: 'Which Service object, and which port of it.' },
      ),
      { description: 'A Service object in the namespace of the Ingress object.' },
    ),
  },
  { description: 'Who answers.' },
);

const path = message(
  'HTTPIngressPath',
  {
    path: field(1, 'string', { description: 'Of the URL, from the first `/` on, without a query.' }),
    backend: field(2, backend, { description: 'Who answers requests with this path.' }),
    pathType: field(3, 'string', {
      optional: true,
      description:
        'Exact; Prefix, which goes by elements: `/a` takes `/a/b`, not `/ab`; ImplementationSpecific, which is Prefix here.',
    }),
  },
  { description: 'A path and who answers for it. The longest one that fits is taken, Exact before Prefix.' },
);

const rule = message(
  'IngressRule',
  {
    host: field(1, 'string', {
      description:
        '`shop.example.org`; `*.example.org` for exactly one label more. Absent: any host that no rule names.',
    }),
  },
  {
    description: 'A host and what is behind it.',
    inline: [
      {
        number: 2,
        message: message('IngressRuleValue', {
          http: field(
            1,
            message(
              'HTTPIngressRuleValue',
              { paths: field(1, listOf(path), { description: 'At least one.' }) },
              { description: 'What is behind a host, by path.' },
            ),
            { description: 'Absent: all of it goes to the default backend.' },
          ),
        }),
      },
    ],
  },
);

const tls = message(
  'IngressTLS',
  {
    hosts: field(1, listOf('string'), {
      description: 'Hosts that the certificate is shown for. Default: those in it.',
    }),
    secretName: field(2, 'string', {
      description: 'Of a Secret of type kubernetes.io/tls. Absent: as the annotation ingress.flotilla.dev/tls says.',
    }),
  },
  { description: 'A certificate and its hosts.' },
);

const spec = message(
  'IngressSpec',
  {
    defaultBackend: field(1, backend, { description: 'Who answers what no rule fits.' }),
    tls: field(2, listOf(tls), { description: 'Certificates of the hosts.' }),
    rules: field(3, listOf(rule), { description: 'Hosts, their paths, and who answers.' }),
    ingressClassName: field(4, 'string', {
      optional: true,
      check: dnsSubdomain,
      description: 'Who serves it. Default: the default IngressClass, which is flotilla at first.',
    }),
  },
  { description: 'Which requests from outside go to which Service objects.' },
);

const portStatus = message(
  'IngressPortStatus',
  {
    port: field(1, 'int32', { description: 'Its number.' }),
    protocol: field(2, 'string', { description: 'TCP or UDP.' }),
    error: field(3, 'string', { optional: true, description: 'Why it failed.' }),
  },
  { description: 'A port, of other controllers.' },
);

const addressStatus = message(
  'IngressLoadBalancerIngress',
  {
    ip: field(1, 'string', { description: 'The address.' }),
    hostname: field(2, 'string', { description: 'A name; never written by Flotilla.' }),
    ports: field(4, listOf(portStatus), { description: 'Ports, of other controllers.' }),
  },
  { description: 'An address that clients outside may call.' },
);

const status = message(
  'IngressStatus',
  {
    loadBalancer: field(
      1,
      message(
        'IngressLoadBalancerStatus',
        { ingress: field(1, listOf(addressStatus), { description: 'The addresses.' }) },
        { description: 'Addresses that clients outside may call.' },
      ),
      { description: 'Addresses of the ingress nodes that are ready.' },
    ),
    conditions: field(0, listOf(condition), {
      ...conditionList,
      description: 'Of Flotilla’s own: whether all of it is in force, and why not.',
    }),
  },
  { description: 'Where it is reached, and what keeps parts of it from being in force.' },
);

/** Requests from outside, by host and path, to Service objects. Served by the proxies of the ingress nodes. */
export const ingresses = defineKind<Ingress>({
  ...identity,
  shortNames: ['ing'],
  subresources: [statusSubresource(identity)],
  message: message(
    'Ingress',
    { metadata: field(1, objectMeta), spec: field(2, spec, { default: {} }), status: field(3, status) },
    {
      description: 'Which requests from outside go to which Service objects, by host and path.',
      warn: (ingress: Ingress, _path, warnings) => {
        if (ingress.metadata.annotations?.[legacyClassAnnotation] === undefined) return;
        warnings.push(
          `annotation "${legacyClassAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`,
        );
      },
    },
  ),
  columns: [
    nameColumn(),
    column('Class', 'Who serves it.', (ingress) => ingress.spec.ingressClassName ?? '<none>'),
    column('Hosts', 'Hosts of its rules; *: any.', hostsText),
    column('Address', 'Of the nodes that let requests in.', addressText),
    column('Ports', '443 with certificates.', (ingress) => (ingress.spec.tls?.length ? '80, 443' : '80')),
    ageColumn(),
  ],
  prepareForCreate: (ingress) => ({ ...ingress, status: { loadBalancer: {} } }),
  validate: validateIngress,
});

const maxShownHosts = 3;

function hostsText({ spec: { rules = [] } }: Ingress): string {
  const hosts = rules.flatMap(({ host }) => (host ? [host] : []));
  const shown = hosts.slice(0, maxShownHosts).join(',') || '*';
  return hosts.length > maxShownHosts ? `${shown} + ${rules.length - maxShownHosts} more...` : shown;
}

const maxShownLength = 16;

function addressText({ status }: Ingress): string {
  const all = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  const text = [...new Set(all.filter((one) => one !== ''))].sort().join(',');
  return text.length > maxShownLength ? `${text.slice(0, maxShownLength - 3)}...` : text;
}
