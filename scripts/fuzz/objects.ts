import { apiVersionOf, type Kind } from '../../src/resources/kind.ts';
import type { Field, FieldType, JsonObject, Message, Scalar } from '../../src/resources/schema.ts';
import type { Random } from './random.ts';

/** Few enough that the same object is met again. */
export const prefixes = ['web', 'db'] as const;
export const names = ['a', 'web', 'web-1', 'x.y', 'data', 'default', 'n0'] as const;

/** An object of the kind: what its table allows, mostly; a third of the optional fields. */
export function randomObject(random: Random, kind: Kind): JsonObject {
  const object = randomMessage(random, kind.message, 0);
  object.apiVersion = apiVersionOf(kind);
  object.kind = kind.kind;
  object.metadata = { ...(random.chance(0.2) ? asObject(object.metadata) : {}), name: random.pick(names) };
  if (random.chance(0.4)) Object.assign(asObject(object.metadata), { labels: { app: random.pick(names) } });
  return object;
}

/** What is known to be accepted, so that the ways behind the checks are walked, too. */
export function plausibleObject(random: Random, kind: Kind): JsonObject {
  const name = `${random.pick(prefixes)}-${random.below(10)}`;
  const metadata = { name, labels: { app: name } };
  const template = { metadata: { labels: { app: name } }, spec: podSpec(random) };
  const selector = { matchLabels: { app: name } };
  const specs: Record<string, unknown> = {
    Pod: podSpec(random),
    Deployment: { replicas: random.below(3), selector, template },
    ReplicaSet: { replicas: random.below(3), selector, template },
    Service: { selector: { app: name }, ports: [{ port: 80 + random.below(5) }] },
    Node: random.chance(0.5) ? {} : { taints: [{ key: 'k', effect: 'NoSchedule' }] },
    Lease: { holderIdentity: name, leaseDurationSeconds: 5 },
    Ingress: ingressSpec(random, name),
    IngressClass: { controller: 'example.org/proxy' },
    NetworkPolicy: { podSelector: selector, ingress: [{ from: [{ podSelector: selector }], ports: [{ port: 80 }] }] },
    PodDisruptionBudget: { minAvailable: 1, selector },
  };
  const spec = specs[kind.kind];
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata, ...(spec === undefined ? {} : { spec }) };
}

function ingressSpec(random: Random, name: string): JsonObject {
  const backend = { service: { name, port: { number: 80 } } };
  const host = random.pick([`${name}.example.org`, '*.example.org']);
  const paths = [{ path: '/', pathType: random.pick(['Exact', 'Prefix']), backend }];
  return random.chance(0.3) ? { defaultBackend: backend } : { rules: [{ host, http: { paths } }] };
}

function podSpec(random: Random): JsonObject {
  return {
    containers: [
      {
        name: 'main',
        image: random.pick(['busybox', 'registry.example/a/b:1']),
        ...(random.chance(0.3) ? { env: [{ name: 'A', value: 'b' }] } : {}),
        ...(random.chance(0.3) ? { ports: [{ containerPort: 80 }] } : {}),
        ...(random.chance(0.3) ? { resources: { requests: { cpu: '10m', memory: '1Mi' } } } : {}),
      },
    ],
  };
}

function randomMessage(random: Random, type: Message, depth: number): JsonObject {
  const object: JsonObject = {};
  for (const one of type.fields.values()) {
    if (!one.required && random.chance(depth === 0 ? 0.4 : 0.75)) continue;
    if (depth > 5) continue;
    object[one.name] = randomValue(random, one.type, one, depth);
  }
  return object;
}

function randomValue(random: Random, type: FieldType, one: Field, depth: number): unknown {
  if (typeof type === 'string') return randomScalar(random, type, one);
  if (type.form === 'message') return randomMessage(random, type, depth + 1);
  const items = Array.from({ length: random.below(3) }, () => randomValue(random, type.of, one, depth + 1));
  if (type.form === 'list') return items;
  return Object.fromEntries(items.map((item) => [random.pick(names), item]));
}

const texts: Readonly<Record<Scalar, readonly unknown[]>> = {
  string: [...names, '', 'A B', '10.0.0.1', 'ClusterIP', 'Always', 'RollingUpdate', '/', 'a'.repeat(300), 'é\u0000😀'],
  int32: [0, 1, 2, 80, 65_535, 65_536, -1, 2 ** 31 - 1, -(2 ** 31)],
  int64: [0, 1, 3_600, -1, Number.MAX_SAFE_INTEGER],
  bool: [true, false],
  bytes: ['', 'aGFsbG8=', 'not base64!'],
  time: ['2026-01-01T00:00:00Z', '', '2026-13-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  microTime: ['2026-01-01T00:00:00.000000Z', 'x'],
  quantity: ['1', '100m', '1Gi', '1e3', '-1', '1e999', '', 5],
  intOrString: [1, 80, '25%', 'http', '150%', -1],
  fieldsV1: [{}, { 'f:spec': {} }, 'x'],
  any: [{}, [], null, 1, { a: { b: [1] } }],
};

function randomScalar(random: Random, type: Scalar, one: Field): unknown {
  // Two thousand million pods would be made in earnest, and nothing else be tried for the rest of the run.
  if (one.name === 'replicas') return random.pick([0, 1, 3, -1]);
  if (one.allowed && random.chance(0.8)) return random.pick(one.allowed);
  return random.pick(texts[type]);
}

export function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
