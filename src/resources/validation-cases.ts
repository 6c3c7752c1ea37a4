// For tests of what is said about wrong objects: Kubernetes' sentences, word for word, since tools and people look for
// them, and objects to which one wrong thing is added.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeValue } from './decode.ts';
import { applyDefaults } from './defaults.ts';
import type { Kind } from './kind.ts';
import type { ApiObject } from './object.ts';
import type { FieldError, JsonObject } from './schema.ts';
import { validate } from './validate.ts';

export const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an " +
  "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
export const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
export const dns1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end " +
  "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
export const namePart =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
export const labelText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with " +
  "an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
export const configKeyText =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or " +
  "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
export const percent =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for " +
  "validation is '[0-9]+%')";
export const header =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is " +
  "'[-A-Za-z0-9]+')";
export const variable =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";
export const port = 'must be between 1 and 65535, inclusive';
export const notNegative = 'must be greater than or equal to 0';
export const ip = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
export const mode = 'must be a number between 0 and 0777 (octal), both inclusive';
export const unixId = 'must be between 0 and 4294967295, inclusive';

/** An object as it is sent, and all that is said about it. */
export type Case = readonly [object: JsonObject, ...problems: string[]];

export const metadata = { name: 'x', namespace: 'd' };
export const container = { name: 'c', image: 'i' };
export const exec = { exec: { command: ['true'] } };
export const pod = (spec: JsonObject): JsonObject => ({ metadata, spec: { containers: [container], ...spec } });
export const inits = (part: JsonObject): JsonObject => pod({ initContainers: [{ ...container, name: 'i', ...part }] });
export const podWith = (part: JsonObject): JsonObject => pod({ containers: [{ ...container, ...part }] });
export const named = (more: JsonObject): JsonObject => ({ metadata: { ...metadata, ...more } });
export const volumes = (...given: JsonObject[]): JsonObject =>
  pod({ volumes: given.map((one) => ({ name: 'v', ...one })) });
export const mounted = (...mounts: JsonObject[]): JsonObject =>
  pod({ containers: [{ ...container, volumeMounts: mounts }], volumes: [{ name: 'v' }, { name: 'w' }] });
export const variables = (...env: JsonObject[]): JsonObject => podWith({ env });
export const ports = (...given: JsonObject[]): JsonObject => podWith({ ports: given });
export const probed = (probe: JsonObject): JsonObject => podWith({ readinessProbe: probe });
export const labels = { a: 'b' };
export const template = { metadata: { labels }, spec: { containers: [container] } };
export const workload = (spec: JsonObject): JsonObject => ({
  metadata,
  spec: { selector: { matchLabels: labels }, template, ...spec },
});
export const rolling = (rollingUpdate: JsonObject): JsonObject => workload({ strategy: { rollingUpdate } });
export const selecting = (...matchExpressions: JsonObject[]): JsonObject =>
  workload({ selector: { matchLabels: labels, matchExpressions } });
export const service = (spec: JsonObject): JsonObject => ({ metadata, spec });
export const long = (length: number) => 'x'.repeat(length);

/** By what they are about. */
export type Cases = Readonly<Record<string, readonly [Kind, readonly Case[]]>>;

export function made(kind: Kind, value: JsonObject): ApiObject {
  return applyDefaults(kind, decodeValue<ApiObject>(kind, value, { strictness: 'Strict' }).object);
}

export const sentences = (errors: readonly FieldError[]) => errors.map(({ field, message }) => `${field}: ${message}`);

/** One test a case; fails when there are fewer than `least`. */
export function testCases(cases: Cases, least: number): void {
  for (const [title, [kind, list]] of Object.entries(cases)) {
    describe(`what is said about ${title}`, () => {
      for (const [object, ...problems] of list) {
        test((problems[0] ?? `nothing: ${JSON.stringify(object)}`).slice(0, 110), () => {
          assert.deepEqual(sentences(validate(kind, made(kind, object))), problems);
        });
      }
    });
  }
  test('there are enough cases', () => {
    const count = Object.values(cases).reduce((sum, [, list]) => sum + list.length, 0);
    assert.ok(count >= least, `${count} cases`);
  });
}
