import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from './api-error.ts';
import { deleteOptionsBody } from './bodies.ts';
import { type Decodable, decodeJson, decodeValue } from './decode.ts';
import { configMaps, deployments, endpointSlices, pods, secrets } from './kinds.ts';
import { message } from './schema.ts';

const strict = { strictness: 'Strict' } as const;

function refusal(decodable: Decodable, text: string | Uint8Array): string {
  try {
    decodeJson(decodable, text, strict);
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.status.code, 400);
    assert.equal(error.status.reason, 'BadRequest');
    return error.message;
  }
  throw new assert.AssertionError({ message: `accepted: ${String(text)}` });
}

const start = 'Deployment in version "v1" cannot be handled as a Deployment: ';

for (const [name, text, expected] of [
  ['an unknown field', '{"spec":{"foo":1}}', `${start}strict decoding error: unknown field "spec.foo"`],
  [
    'an unknown field in a list',
    '{"spec":{"template":{"spec":{"containers":[{"nmae":"x"}]}}}}',
    `${start}strict decoding error: unknown field "spec.template.spec.containers[0].nmae"`,
  ],
  [
    'a key that stands there twice',
    '{"spec":{"replicas":1,"paused":true,"replicas":2}}',
    `${start}strict decoding error: duplicate field "spec.replicas"`,
  ],
  [
    'text for a number',
    '{"spec":{"replicas":"3"}}',
    `${start}json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`,
  ],
  [
    'a fraction',
    '{"spec":{"replicas":1.5}}',
    `${start}json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32`,
  ],
  [
    'a number for text in a map',
    '{"metadata":{"labels":{"a":1}}}',
    `${start}json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels.a of type string`,
  ],
  [
    'an object for a list',
    '{"spec":{"template":{"spec":{"containers":{}}}}}',
    `${start}json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container`,
  ],
  [
    'a time that is none',
    '{"metadata":{"creationTimestamp":"yesterday"}}',
    `${start}parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as an RFC 3339 time`,
  ],
  [
    'another version',
    '{"apiVersion":"apps/v2","kind":"Deployment"}',
    'the API version in the data (apps/v2) does not match the expected API version (apps/v1)',
  ],
] as const) {
  test(`strict decoding refuses ${name}`, () => assert.equal(refusal(deployments, text), expected));
}

test('what is no JSON object is refused', () => {
  assert.match(
    refusal(pods, '{"a":'),
    /^the object provided is unrecognized \(must be of type Pod\).*json parse error/,
  );
  assert.match(refusal(pods, '[]'), /the body is array, not an object/);
  assert.match(refusal(pods, 'null'), /the body is null/);
  assert.match(refusal(pods, Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/);
  assert.match(refusal(pods, '{"kind":"Secret"}'), /^Secret in version "v1" cannot be handled as a Pod/);
});

test('a quantity must be one; numbers are taken as text', () => {
  const pod = (cpu: string) => `{"spec":{"containers":[{"resources":{"limits":{"cpu":${cpu}}}}]}}`;
  assert.match(refusal(pods, pod('"much"')), /quantities must match the regular expression/);
  const { object } = decodeJson(pods, pod('0.5'), strict);
  assert.deepEqual(object.spec.containers[0]?.resources?.limits, { cpu: '0.5' });
});

test('a message about a secret does not repeat it', () => {
  assert.doesNotMatch(refusal(secrets, '{"data":{"password":"hunter2 is no base64"}}'), /hunter2/);
});

test('null means absent; in a map of texts it is the empty one', () => {
  const text = '{"metadata":{"name":"a","creationTimestamp":null,"labels":null},"data":{"a":null}}';
  const { object } = decodeJson(configMaps, text, strict);
  assert.deepEqual(object, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { a: '' } });
});

test('an empty map is the same as none, an empty message is not, and an empty list of containers stays', () => {
  const decoded = (kind: Decodable, value: object) => ({
    ...decodeJson<object>(kind, JSON.stringify(value), strict).object,
  });
  const { apiVersion, kind } = { apiVersion: 'v1', kind: 'ConfigMap' };
  assert.deepEqual(decoded(configMaps, { data: {}, binaryData: {}, metadata: { name: 'a', labels: {} } }), {
    apiVersion,
    kind,
    metadata: { name: 'a' },
  });
  const volume = { name: 'v', emptyDir: {} };
  const spec = { nodeSelector: {}, containers: [], securityContext: {}, volumes: [volume] };
  assert.deepEqual(decoded(pods, { spec }), {
    apiVersion,
    kind: 'Pod',
    metadata: {},
    spec: { containers: [], securityContext: {}, volumes: [volume] },
  });
});

test('unknown fields are dropped, and warned about when asked to', () => {
  const text = '{"metadata":{"name":"a","x":1},"y":{"z":2},"data":{"k":"1","k":"2"}}';
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { k: '2' } };
  assert.deepEqual(decodeJson(configMaps, text, { strictness: 'Warn' }), {
    object,
    warnings: ['unknown field "metadata.x"', 'unknown field "y"', 'duplicate field "data.k"'],
  });
  assert.deepEqual(decodeJson(configMaps, text, { strictness: 'Ignore' }), { object, warnings: [] });
});

test('a key that would change a prototype is refused', () => {
  assert.match(refusal(configMaps, '{"data":{"__proto__":"x"}}'), /"__proto__" is not allowed/);
  assert.match(refusal(configMaps, '{"__proto__":{"data":{}}}'), /unknown field "__proto__"/);
});

test('nesting without end is refused', () => {
  const deep = `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`;
  assert.match(refusal(endpointSlices, `{"endpoints":[{"hints":${deep}}]}`), /nested deeper than 64 levels/);
});

test('a body that is no object of its own has no metadata', () => {
  const text = '{"apiVersion":"apps/v1","kind":"DeleteOptions","gracePeriodSeconds":0}';
  assert.deepEqual(decodeJson(deleteOptionsBody, text, strict).object, {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
  });
});

test('the value that is decoded is not changed', () => {
  const value = Object.freeze({ metadata: Object.freeze({ name: 'a', x: null }) });
  assert.deepEqual(decodeValue(configMaps, value, { strictness: 'Ignore' }).object.metadata, { name: 'a' });
});

test('whatever JSON comes, decoding gives an object or an ApiError', () => {
  const empty = { ...deployments, message: message('Empty', {}) };
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), (text) => {
      for (const one of [deployments, pods, configMaps, empty]) {
        try {
          decodeJson(one, `{"metadata":{"name":"x"},"spec":${text},"data":${text},"extra":${text}}`, {
            strictness: 'Warn',
          });
        } catch (error) {
          assert.ok(error instanceof ApiError, String(error));
        }
      }
    }),
    { numRuns: 200 },
  );
});
