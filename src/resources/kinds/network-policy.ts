import type {
  IPBlock,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.js';
import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { forbidden, invalid, notSupported, required } from '../field-errors.ts';
import { isNetworkWithin } from '../ip-networks.ts';
import type { NetworkPolicy } from '../kinds.ts';
import { labelSelector, objectMeta } from '../meta.ts';
import { ipRange, portName, portNumber } from '../name-checks.ts';
import { type FieldError, field, listOf, message } from '../schema.ts';
import { renderLabelSelector } from '../selectors.ts';

const policyTypes = ['Ingress', 'Egress'];

const ipBlock = message(
  'IPBlock',
  {
    cidr: field(1, 'string', { description: 'Such as 192.0.2.0/24; only IPv4 is enforced.' }),
    except: field(2, listOf('string'), { description: 'Parts of it that are not meant.' }),
  },
  {
    description: 'Addresses, of outside clients mostly: those of pods change.',
    validate: (block: IPBlock, path, errors) => {
      if (!block.cidr) {
        errors.push(required(`${path}.cidr`));
        return;
      }
      for (const problem of ipRange(block.cidr)) errors.push(invalid(`${path}.cidr`, block.cidr, problem));
      if (ipRange(block.cidr).length > 0) return;
      for (const [index, one] of (block.except ?? []).entries()) {
        const at = `${path}.except[${index}]`;
        const problems = ipRange(one);
        for (const problem of problems) errors.push(invalid(at, one, problem));
        if (problems.length === 0 && !isNetworkWithin(one, block.cidr)) {
          errors.push(invalid(at, one, 'must be a strict subset of `cidr`'));
        }
      }
    },
  },
);

const peer = message(
  'NetworkPolicyPeer',
  {
    podSelector: field(1, labelSelector, {
      description: "Pods with these labels, of the policy's namespace, or of those that namespaceSelector finds.",
    }),
    namespaceSelector: field(2, labelSelector, {
      description: 'Pods of namespaces with these labels; empty: of all of them.',
    }),
    ipBlock: field(3, ipBlock, { description: 'Addresses that are not those of pods.' }),
  },
  {
    description: 'Who may connect, or be connected to.',
    validate: (one: NetworkPolicyPeer, path, errors) => {
      const count = [one.podSelector, one.namespaceSelector, one.ipBlock].filter((part) => part !== undefined).length;
      if (count === 0) errors.push(required(path, 'must specify a peer'));
      if (count > 1 && one.ipBlock) errors.push(forbidden(path, 'may not specify both ipBlock and another peer'));
    },
  },
);

const port = message(
  'NetworkPolicyPort',
  {
    protocol: field(1, 'string', { optional: true, default: 'TCP', allowed: ['SCTP', 'TCP', 'UDP'] }),
    port: field(2, 'intOrString', {
      optional: true,
      description: 'A number, or the name of a port of the pod that is connected to. Absent: all.',
    }),
    endPort: field(3, 'int32', { optional: true, description: 'The last one of a range that begins at port.' }),
  },
  { description: 'A port that may be connected to.', validate: validatePort },
);

const ports = field(1, listOf(port), { description: 'Absent or empty: all ports.' });
const peers = (who: string) => field(2, listOf(peer), { description: `Absent or empty: ${who}.` });

const spec = message(
  'NetworkPolicySpec',
  {
    podSelector: field(1, labelSelector, {
      default: {},
      description: 'Whose connections it is about; empty: all pods of the namespace.',
    }),
    ingress: field(
      2,
      listOf(
        message(
          'NetworkPolicyIngressRule',
          { ports, from: peers('from everywhere') },
          { description: 'Connections to the pods that are allowed.' },
        ),
      ),
      { description: 'Without any, nobody may connect to the pods but their own host.' },
    ),
    egress: field(
      3,
      listOf(
        message(
          'NetworkPolicyEgressRule',
          { ports, to: peers('to everywhere') },
          { description: 'Connections of the pods that are allowed.' },
        ),
      ),
      { description: 'Without any, and with Egress in policyTypes, the pods reach nobody but their own host.' },
    ),
    policyTypes: field(4, listOf('string'), {
      description: 'Ingress, Egress or both. Default: Ingress, and Egress when there are rules for it.',
    }),
  },
  {
    description: 'Which pods, and which of their connections.',
    defaults: (one) => {
      if (Array.isArray(one.policyTypes) && one.policyTypes.length > 0) return;
      const hasEgress = Array.isArray(one.egress) && one.egress.length > 0;
      one.policyTypes = hasEgress ? policyTypes : policyTypes.slice(0, 1);
    },
    validate: (one: NetworkPolicySpec, path, errors) => {
      const types = one.policyTypes ?? [];
      if (types.length > policyTypes.length) {
        errors.push(invalid(`${path}.policyTypes`, types, 'may not specify more than two policyTypes'));
        return;
      }
      for (const [index, type] of types.entries()) {
        if (policyTypes.includes(type)) continue;
        errors.push(notSupported(`${path}.policyTypes[${index}]`, type, [...policyTypes].sort()));
      }
    },
  },
);

/** Which connections of pods are allowed. Pods that no policy selects take and make all. Enforced by the nodes' agents. */
export const networkPolicies = defineKind<NetworkPolicy>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  message: message(
    'NetworkPolicy',
    { metadata: field(1, objectMeta), spec: field(2, spec, { default: {} }) },
    { description: 'Which connections of pods are allowed; pods that none selects take and make all.' },
  ),
  columns: [
    nameColumn(),
    column(
      'Pod-Selector',
      'Whose connections it is about.',
      (policy) => renderLabelSelector(policy.spec.podSelector) || '<none>',
    ),
    ageColumn(),
  ],
});

function validatePort(one: NetworkPolicyPort, path: string, errors: FieldError[]): void {
  const { port: value, endPort } = one;
  const at = `${path}.endPort`;
  if (typeof value === 'number') {
    for (const problem of portNumber(value)) errors.push(invalid(`${path}.port`, value, problem));
    if (endPort === undefined) return;
    if (endPort < value) errors.push(invalid(at, endPort, 'must be greater than or equal to `port`'));
    for (const problem of portNumber(endPort)) errors.push(invalid(at, endPort, problem));
    return;
  }
  if (value !== undefined) for (const problem of portName(value)) errors.push(invalid(`${path}.port`, value, problem));
  if (endPort === undefined) return;
  const why = value === undefined ? 'when `port` is not specified' : 'when `port` is non-numeric';
  errors.push(invalid(at, endPort, `may not be specified ${why}`));
}
